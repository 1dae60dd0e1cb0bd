"""Reading a whole store back to see whether it is what its manifest says."""

from __future__ import annotations

import numpy as np

from sbirctl.core.errors import CorruptError
from sbirctl.core.files import display_path
from sbirctl.core.progress import SILENT, Reporter
from sbirctl.store.manifest import MODALITIES, Items, Modality, count_items, store_digest
from sbirctl.store.pixels import checksum, digest_of
from sbirctl.store.reader import EDGE_INDEX, REMAKE_EDGES, Store, edges_file


def verify(store: Store, *, report: Reporter = SILENT) -> None:
    """Read every pixel and every entry back, and the edge maps in use.

    Raises:
        CorruptError: the first thing that is wrong.
    """
    problem = _items_problem(store) or _pixels_problem(store, report)
    if problem:
        raise CorruptError(
            f"The data set {store.name!r} is damaged: {problem}.",
            "Prepare it again with the same command and --fresh.",
        )
    if store.edges is not None and (problem := _edges_problem(store, report)):
        path = display_path(edges_file(store.folder, store.edges.name))
        raise CorruptError(f"The edge maps in {path} are damaged: {problem}.", REMAKE_EDGES)


def _items_problem(store: Store) -> str:
    items = store.items
    if store_digest(items, store.settings) != store.digest:
        return "the manifest's entries do not have the digest it states"
    if count_items(items) != store.manifest["counts"]:
        return "the manifest's counts are not those of its entries"
    if len(set(items.id)) != len(items):
        return "two entries have one id"
    if any(not _rows_hold(items, modality, store.rows(modality)) for modality in MODALITIES):
        return "entries and rows of pixels do not belong together"
    return ""


def _rows_hold(items: Items, modality: Modality, rows: int) -> bool:
    """Every row belongs to one first entry, and copies share the row of theirs."""
    own = items.where(modality)
    first = own[items.copy_of[own] < 0]
    copies = own[items.copy_of[own] >= 0]
    return bool(
        np.array_equal(np.sort(items.row[first]), np.arange(rows))
        and np.isin(items.copy_of[copies], first).all()
        and (items.row[copies] == items.row[items.copy_of[copies]]).all()
    )


def _pixels_problem(store: Store, report: Reporter) -> str:
    total = sum(store.rows(modality) for modality in MODALITIES)
    with report.bar("reading back", total=total) as advance:
        for modality in MODALITIES:
            stated = store.checksums(modality)
            if digest_of(stated) != store.manifest["pixels"][modality]:
                return f"the checksums of its {modality} images are not those the manifest states"
            for row in range(store.rows(modality)):
                if checksum(store.read(modality, [row])) != stated[row]:
                    first = store.items.where(modality)
                    name = store.items.id[first[store.items.row[first] == row][0]]
                    return f"the pixels of {name} have changed"
                advance()
    return ""


def _edges_problem(store: Store, report: Reporter) -> str:
    stated = store.edge_checksums()
    if digest_of(stated) != store.require_edges().pixels:
        return f"their checksums are not those {EDGE_INDEX} states"
    with report.bar("reading edge maps back", total=len(stated)) as advance:
        for row, expected in enumerate(stated):
            if checksum(store.read_edges([row])) != expected:
                return f"the map of row {row} has changed"
            advance()
    return ""
