"""The page of a reproduced paper: its tables with ours in them, and its figures."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path
from urllib.parse import quote

from sbirctl.core.files import atomic_open
from sbirctl.models import Card
from sbirctl.reproduce.layout import Laid
from sbirctl.reproduce.measured import TableResult
from sbirctl.reproduce.results import MadeExhibit

NAME = "index.html"
_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; color: #222; margin: 2rem auto; max-width: 72rem;
       padding: 0 1rem }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; white-space: nowrap }
th, td { padding: .2rem .7rem; text-align: right }
th.key, td.key { text-align: left }
thead { border-top: 2px solid #222; border-bottom: 1px solid #222 }
thead th[colspan] { border-bottom: 1px solid #bbb; text-align: center }
tbody { border-bottom: 2px solid #222 }
tr.here td { color: #0b5cad; font-style: italic; background: #f2f7fc }
.wide { overflow-x: auto }
.warning { background: #fff3d6; border-left: 5px solid #d98f00; padding: .6rem 1rem }
.source { color: #555; font-size: 13px }
.notes { color: #555; font-size: 13px; padding-left: 0; list-style: none }
figure { margin: 1rem 0 } img { max-width: 100% } figcaption { color: #555; font-size: 13px }
"""


def write_page(
    folder: Path, card: Card, made: Sequence[MadeExhibit], warnings: Sequence[str]
) -> Path:
    """Write the page, atomically; pictures lie beside it.

    Args:
        made: in the order of the paper.
        warnings: what stands above everything, and again at each exhibit.
    """
    path = folder / NAME
    paper = card.paper
    told = "".join(f"<p class=warning>{escape(text)}</p>\n" for text in warnings)
    parts = [
        "<!doctype html>\n<html lang=en>\n<meta charset=utf-8>\n"
        "<meta name=viewport content='width=device-width'>\n"
        f"<title>{escape(paper.title)}</title>\n<style>{_STYLE}</style>\n"
        f"<h1>{escape(paper.title)}</h1>\n"
        f"<p>{escape(paper.authors)}. {escape(paper.venue)}, {paper.year}. "
        f"<a href='{escape(paper.url)}'>{escape(paper.url)}</a></p>\n{_trust(card)}{told}"
        "<p>Rows as the paper prints them; <i>here</i> beneath a row is ours, the difference in "
        "brackets where the two can be compared.</p>\n",
        *(_exhibit(one, warnings, folder) for one in made),
    ]
    with atomic_open(path, "w") as stream:
        stream.write("".join(parts))
    return path


def _trust(card: Card) -> str:
    remark, partial = card.trust.remark, card.trust.partial
    lacking = f": {partial.rstrip('.')}" if partial else ""
    return f"<p class=warning>The model is {escape(remark + lacking)}.</p>\n" if remark else ""


def _exhibit(one: MadeExhibit, warnings: Sequence[str], folder: Path) -> str:
    mark = "<p class=warning>Not comparable with the paper.</p>\n" if warnings else ""
    body = _table(one.table) if one.table is not None else ""
    pictures = "".join(_picture(folder / file, text) for file, text in one.pictures)
    notes = "".join(f"<li>{escape(text)}</li>" for text in one.notes)
    beneath = f"<ul class=notes>{notes}</ul>\n" if notes else ""
    title = f"<h2 id={escape(one.id)}>{escape(one.name)}: {escape(one.title)}</h2>\n"
    return f"<section>\n{title}{mark}{body}{pictures}{beneath}</section>\n"


def _picture(path: Path, text: str) -> str:
    return (
        f"<figure><img src='{quote(path.name)}' alt='{escape(text)}' loading=lazy>"
        f"<figcaption>{escape(text)}</figcaption></figure>\n"
    )


def _table(table: TableResult) -> str:
    laid = Laid(table)
    keys = len(table.keys)
    above = "".join(f"<th colspan={count}>{escape(label)}</th>" for label, count in table.groups)
    blank = f"<th class=key colspan={keys}></th>"
    head = _cells([*table.keys, *laid.columns], keys, "th")
    body = "".join(
        f"<tr{' class=here' if ours else ''}>{_cells(cells, keys, 'td')}</tr>\n"
        for ours, cells in laid.rows
    )
    notes = "".join(f"<li>{escape(text)}</li>\n" for text in laid.told)
    stated = escape(table.definition or "not stated")
    return (
        f"<p class=source>{escape(table.source)}; definition {stated}.</p>\n"
        f"<div class=wide><table>\n<thead><tr>{blank}{above}</tr>\n<tr>{head}</tr></thead>\n"
        f"<tbody>\n{body}</tbody></table></div>\n<ul class=notes>\n{notes}</ul>\n"
    )


def _cells(texts: Sequence[str], keys: int, tag: str) -> str:
    return "".join(
        f"<{tag}{' class=key' if place < keys else ''}>{escape(text)}</{tag}>"
        for place, text in enumerate(texts)
    )
