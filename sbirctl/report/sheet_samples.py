"""Samples of a data set on one page: sketches over photos, one column a class (FFMLN, Figure 5)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image

from sbirctl.core.errors import UsageError, nearest
from sbirctl.core.files import display_path
from sbirctl.core.seeds import rng_for
from sbirctl.report.sheet_layout import (
    GAP,
    MARGIN,
    SMALL,
    TEXT,
    TITLE,
    Page,
    Picture,
    Text,
    down,
    heading,
    held,
)  # fmt: skip
from sbirctl.report.sheet_thumbnails import Album
from sbirctl.report.text_layout import ellipsize
from sbirctl.store.manifest import MODALITIES, Modality
from sbirctl.store.reader import Store

MOST = 3000
"""Pictures of a sheet."""
_APART = 6  # pixels between columns, and between sketches and photos
_FAINT = "#BBBBBB"


def samples_page(
    store: Store,
    classes: Sequence[str] = (),
    *,
    each: int = 3,
    side: int = 96,
    across: int = 16,
    seed: int = 0,
    fine: int = 1,
) -> tuple[Page, str]:
    """The page, and what was left out ("" for nothing).

    Args:
        classes: only these, in this order; empty for all.
        each: sketches, and photos, of a class, drawn at random with `seed`.
        across: most classes side by side; more go below, in rows of like length.
        fine: pixels of a picture per unit of the page.

    Raises:
        UsageError: an unknown class.
    """
    items = store.items
    for name in classes:
        if name not in items.classes:
            raise UsageError(
                f"There is no class {display_path(name)!r}.", nearest(name, items.classes)
            )
    names = list(classes or items.classes)
    most = held(MOST, side * fine)
    room = max(most // (2 * each), 1)
    limit = ""
    if len(names) > room:
        limit = f"only the first {room} of {len(names):,} classes"
        limit += f"; a sheet of this size holds {most:,} pictures"
        names = names[:room]
    album = Album(store, side * fine)
    columns = []
    for name in names:
        rng = rng_for("samples", seed, name)
        label = items.classes.index(name)
        drawn = album.pixels("sketch", _rows(store, label, "sketch", each, rng))
        columns.append(
            (name, drawn, album.pixels("photo", _rows(store, label, "photo", each, rng)))
        )
    return _lay_out(_lines(store, len(names), each, seed, limit), columns, side, across), limit


def _rows(
    store: Store, label: int, modality: Modality, count: int, rng: np.random.Generator
) -> list[int]:
    """Pixel rows of some different pictures of a class."""
    items = store.items
    own = (items.modality == MODALITIES.index(modality)) & (items.label == label)
    return [int(row) for row in rng.permutation(np.unique(items.row[own]))[:count]]


def _lines(
    store: Store, shown: int, each: int, seed: int, limit: str
) -> list[tuple[str, int, bool]]:
    total = len(store.items.classes)
    sketches, photos = (len(store.items.where(modality)) for modality in ("sketch", "photo"))
    lines = [
        (display_path(store.name), TITLE, True),
        (f"{sketches:,} sketches, {photos:,} photos, {total:,} classes.", TEXT, False),
        (
            f"{shown:,} of {total:,} classes; of each at most {each} sketches and {each} photos, "
            f"drawn at random with seed {seed}.",
            TEXT,
            False,
        ),
    ]
    return [*lines, (f"Shown: {limit}.", TEXT, True)] if limit else lines


def _lay_out(
    lines: Sequence[tuple[str, int, bool]],
    columns: Sequence[tuple[str, Sequence[Image.Image], Sequence[Image.Image]]],
    side: int,
    across: int,
) -> Page:
    """Columns of (class, sketches, photos) in bands of `across`."""
    cell = side + 2
    step = cell + _APART
    across = -(-len(columns) // -(-len(columns) // across))  # rows of like length
    page = Page(max(2 * MARGIN + min(across, len(columns)) * step - _APART, 420), 0)
    y = heading(page, lines, MARGIN)
    for start in range(0, len(columns), across):
        band = columns[start : start + across]
        sketches = max(len(drawn) for _, drawn, _ in band)
        photos = max(len(taken) for _, _, taken in band)
        for place, (name, drawn, taken) in enumerate(band):
            x = MARGIN + place * step
            words = ellipsize(display_path(name), cell, SMALL, True)
            page.texts.append(Text(x, y, words, SMALL, bold=True))
            for number, image in [*enumerate(drawn), *enumerate(taken, sketches)]:
                apart = _APART if number >= sketches else 0
                below = y + down(TEXT) + number * step + apart
                page.pictures.append(Picture(x, below, side, image, _FAINT, 1))
        y += down(TEXT) + (sketches + photos) * step + _APART + GAP
    page.height = y + MARGIN - GAP
    return page
