"""The page over two galleries, in a server and in a tab."""

import pytest
from serving import InkSearcher, serving


@pytest.fixture
def world(tmp_path):
    from paper_page import as_drawing, make

    paths = make(tmp_path / "photos")
    searchers = {"ink": InkSearcher("ink", paths, as_drawing)}
    searchers["two of <b>them</b>"] = InkSearcher("two of <b>them</b>", paths[:2], as_drawing)
    with serving(searchers, **{"rate": 1000, "burst": 1000}) as world:
        yield world
    assert world.warnings == []


@pytest.fixture
def tab(world, tabs):  # in this order the page is closed before the server
    from paper_page import opened

    return opened(tabs, world.url)
