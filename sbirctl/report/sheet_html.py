"""A retrieval sheet as one HTML file that asks the network for nothing."""

from __future__ import annotations

import base64
import hashlib
import io
from html import escape
from pathlib import Path

from PIL import Image

from sbirctl.core.files import atomic_open
from sbirctl.report.sheet import Answer, RankedPhoto, Sheet, SheetQuery
from sbirctl.report.sheet_layout import Pictures

_PARTS = Path(__file__).parent
_END = 9  # characters that stay of a long file name: a number and an ending


def write_html(sheet: Sheet, pictures: Pictures, side: int, path: Path) -> None:
    """Write the page, atomically.

    Every picture is in the file once, as a data URI; every name is escaped; the page's content
    security policy allows its own script and styles and no request.

    Args:
        side: of the thumbnails in CSS pixels.
    """
    script = (_PARTS / "sheet_page.js").read_text("utf-8")
    style = (_PARTS / "sheet_page.css").read_text("utf-8")
    allowed = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = (
        "default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
        f"script-src 'sha256-{allowed}'; base-uri 'none'; form-action 'none'"
    )
    title = escape(sheet.runs[0] if len(sheet.runs) == 1 and sheet.runs[0] else "Retrieval")
    with atomic_open(path, "w") as stream:
        stream.write(
            f"<!doctype html>\n<html lang=en>\n<meta charset=utf-8>\n"
            f'<meta http-equiv=Content-Security-Policy content="{policy}">\n'
            f"<meta name=viewport content='width=device-width'>\n<title>{title}</title>\n"
            f"<style>\n:root {{ --side: {side}px }}\n{style}"
        )
        names = _Names(pictures)
        for name, image in names.images.items():
            stream.write(f".{name} {{ background-image: url({data_uri(image)}) }}\n")
        stream.write(f"</style>\n<header>\n<h1>{title}</h1>\n{_about(sheet)}</header>\n<main>\n")
        for asked in sheet.queries:
            stream.write(_query(sheet, asked, pictures, names))
        stream.write(f"</main>\n<script>{script}</script>\n</html>\n")


def data_uri(image: Image.Image) -> str:
    """A photo as JPEG, a sketch (grey) as PNG, in a data URI."""
    stream = io.BytesIO()
    grey = image.mode == "L"
    image.save(stream, "PNG" if grey else "JPEG", **({} if grey else {"quality": 85}))
    kind = "png" if grey else "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(stream.getvalue()).decode()}"


class _Names:
    """A CSS class a picture; runs that rank one gallery share them."""

    def __init__(self, pictures: Pictures) -> None:
        self.images: dict[str, Image.Image] = {}
        self._of: dict[int, str] = {}
        for image in (*pictures.query.values(), *(p for g in pictures.gallery for p in g.values())):
            name = self._of.setdefault(id(image), f"p{len(self._of)}")
            self.images[name] = image

    def __call__(self, image: Image.Image) -> str:
        return self._of[id(image)]


def _about(sheet: Sheet) -> str:
    lines = [f"<p>{escape(sheet.title)}</p>", f"<p>Queries: {escape(sheet.rule)}.</p>"]
    if sheet.limit:
        lines.append(f"<p class=limit>Shown: {escape(sheet.limit)}.</p>")
    classes = sorted({asked.class_name for asked in sheet.queries})
    options = "".join(f'<option value="{escape(name)}">' for name in classes)
    return (
        "\n".join(lines) + "\n<p class=key><b class=right>✓</b> same class "
        f"<b class=wrong>✗</b> another class, with the {sheet.score}; "
        "● the sketch was drawn from it. Arrow keys go from photo to photo.</p>\n"
        "<p><label>Class or file <input id=search type=search list=classes "
        "autocomplete=off placeholder='press / to search'></label>\n"
        f"<datalist id=classes>{options}</datalist> <output id=count aria-live=polite>"
        f"{len(sheet.queries)} queries</output></p>\n"
    )


def _query(sheet: Sheet, asked: SheetQuery, pictures: Pictures, names: _Names) -> str:
    search = escape(f"{asked.class_name}\n{asked.name}".lower())
    name, class_name = escape(asked.name), escape(asked.class_name)
    answers = "".join(_answer(sheet, one, pictures, names) for one in asked.answers)
    picture = names(pictures.query[asked.row])
    return (
        f'<section data-search="{search}">\n<figure class=sketch>'
        f'<div class="picture {picture}" role=img aria-label="sketch {name}"></div>'
        f"<figcaption><b>{class_name}</b><span class=name>{_short(asked.name)}</span>"
        f"<span class=name>row {asked.row}</span></figcaption></figure>\n"
        f"<div class=answers>{answers}</div>\n</section>\n"
    )


def _answer(sheet: Sheet, answer: Answer, pictures: Pictures, names: _Names) -> str:
    value = "" if answer.precision is None else f"AP {answer.precision:.3f}"
    name = f"<b>{escape(sheet.runs[answer.run])}</b> " if len(sheet.runs) > 1 else ""
    album = pictures.gallery[answer.run]
    hits = "".join(_hit(hit, sheet.score, names(album[hit.row])) for hit in answer.hits)
    return f"<h2>{name}{value}</h2>\n<ol>{hits}</ol>\n"


def _hit(hit: RankedPhoto, score: str, picture: str) -> str:
    kind, mark, words = ("right", "✓", "right") if hit.right else ("wrong", "✗", "wrong")
    drawn = "; the sketch was drawn from it" if hit.own else ""
    details = (
        f"<b>rank {hit.rank}, {words}{drawn}</b><br>{escape(hit.class_name)}<br>"
        f"{score} {hit.score:.4f}<br>{escape(hit.name)}<br>row {hit.row}"
    )
    said = f"rank {hit.rank}: {hit.class_name}, {words}, {score} {hit.score:.3f}, {hit.name}"
    return (
        f'<li class={kind} tabindex={0 if hit.rank == 1 else -1} aria-label="{escape(said)}">'
        f'<div class="picture {picture}"></div><span class=mark>{mark}</span>'
        f"<div class=caption><b>{escape(hit.class_name)}</b><span>{hit.score:.3f}</span></div>"
        f"<div class=name>{'● ' if hit.own else ''}{_short(hit.name)}</div>"
        f"<div class=details role=tooltip>{details}</div></li>\n"
    )


def _short(name: str) -> str:
    """A path's last part; where there is little room its beginning is cut and its end stays."""
    last = name.rpartition("/")[2]
    return f"<span class=start>{escape(last[:-_END])}</span>{escape(last[-_END:])}"
