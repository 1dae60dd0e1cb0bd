"""The link checker of the documentation site finds what it is for."""

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def problems(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / ".ci"))
    monkeypatch.delitem(sys.modules, "links", raising=False)
    import links

    yield links.problems
    sys.modules.pop("links", None)


def test_a_sound_site_has_no_problem(tmp_path, problems):
    (tmp_path / "sub").mkdir()
    (tmp_path / "a.html").write_text(
        '<h1 id="top"></h1><a href="#top"></a><a href="sub/b%20c.html#x"></a>'
        '<a href="https://example.org"></a><img src="p.png"><link href="s.css">'
    )
    (tmp_path / "sub" / "b c.html").write_text('<p id="x"></p><a href="../a.html#top"></a>')
    (tmp_path / "p.png").touch()
    (tmp_path / "s.css").write_text("p { background: url(p.png) }")
    assert problems(tmp_path) == []


def test_each_kind_of_fault_is_named(tmp_path, problems):
    (tmp_path / "a.html").write_text(
        '<a href="gone.html"></a><a href="b.html#gone"></a><a href="#gone"></a><img src="gone.png">'
        '<script src="https://example.org/s.js"></script><link href="//example.org/f.css">'
    )
    (tmp_path / "b.html").write_text("<p></p>")
    (tmp_path / "s.css").write_text('@font-face { src: url("https://example.org/f.woff2") }')
    assert sorted(problems(tmp_path)) == [
        "a.html links to #gone: no such anchor",
        "a.html links to b.html#gone: no such anchor",
        "a.html links to gone.html: no such file",
        "a.html links to gone.png: no such file",
        "a.html loads //example.org/f.css",
        "a.html loads https://example.org/s.js",
        "s.css loads https://example.org/f.woff2",
    ]
