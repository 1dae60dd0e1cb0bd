import sys
import textwrap

import pytest

from sbirctl.core.errors import MissingError, UsageError
from sbirctl.core.registry import Registry


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package `things` with the entries apple and pear, and what is none."""
    folder = tmp_path / "things"
    folder.mkdir()
    (folder / "__init__.py").write_text(
        'from sbirctl.core.registry import Registry\nTHINGS = Registry("thing", "things")\n'
    )
    for name in ("apple", "pear"):
        (folder / f"{name}.py").write_text(
            textwrap.dedent(f"""
                from things import THINGS

                @THINGS.register
                class Thing:
                    name = "{name}"
            """)
        )
    (folder / "wrong.py").write_text(
        'from things import THINGS\n@THINGS.register\nclass W:\n    name = "right"\n'
    )
    (folder / "layers").mkdir()
    (folder / "layers" / "__init__.py").write_text("")
    (folder / "_hidden.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    yield __import__("things").THINGS
    for name in [m for m in sys.modules if m.split(".")[0] == "things"]:
        del sys.modules[name]


def test_names_come_from_files_and_import_nothing(package):
    assert package.names() == ("apple", "pear", "wrong")
    assert "things.apple" not in sys.modules


def test_get_imports_one_file(package):
    assert package.get("apple").name == "apple"
    assert "things.pear" not in sys.modules


def test_unknown_name_names_the_nearest(package):
    with pytest.raises(UsageError) as caught:
        package.get("aple")
    assert "'aple'" in caught.value.message
    assert "'apple'" in caught.value.hint


def test_name_and_file_must_agree(package):
    with pytest.raises(AssertionError, match="right"):
        package.get("wrong")


def test_a_second_thing_of_one_name_is_refused_unless_one_module_brings_both():
    registry: Registry = Registry("thing", "sbirctl.core")

    class One:
        name = "thing"

    class Two:
        name = "thing"

    registry.register(One)
    assert registry.register(Two) is registry.get("thing")  # a notebook's cell, run again
    Two.__module__ = "elsewhere"
    One.__module__ = "here"
    with pytest.raises(UsageError, match="here brings another"):
        registry.register(One)

    class Own:
        name = "errors"

    with pytest.raises(UsageError, match="thing 'errors' already"):
        registry.register(Own)


def test_a_plug_in_that_is_gone_names_its_package(tmp_path, monkeypatch):
    about = tmp_path / "fruit_shop-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: fruit-shop\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[test.things]\nplum = fruit_shop.plum\n")
    monkeypatch.syspath_prepend(tmp_path)
    things = Registry("thing", "sbirctl.losses", group="test.things")
    assert "plum" in things.names()
    with pytest.raises(MissingError, match=r"thing 'plum' of fruit-shop should be in fruit_shop"):
        things.get("plum")
