"""Fixtures of the tiny world."""

import pytest
import tiny_world


@pytest.fixture
def store():
    return tiny_world.FakeStore()


@pytest.fixture
def parts(store):
    return tiny_world.make_parts(store)


@pytest.fixture
def make_model(parts):
    """A function of settings."""
    return lambda **settings: tiny_world.make_tiny(parts.train.classes, **settings)
