"""Comparing a prepared store's counts with every published variant of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from sbirctl.datasets.published.catalogue import KINDS, catalogue
from sbirctl.datasets.published.counts import compare, published_counts
from sbirctl.store.manifest import MODALITIES
from sbirctl.store.raw import RawItem
from sbirctl.store.reader import Store

_WORDS = {"extended": "extended photos"}


def store_counts(store: Store) -> dict[str, int]:
    """Photos, sketches and extended photos of a store; sides too where the reader found some."""
    total = store.manifest["counts"][""]
    source = store.manifest["source"]
    found = {"sketches": total.get("sketches", 0), "photos": total.get("photos", 0)}
    if store.items.origins != ("",):
        found["photos"] = total.get("photos_original", 0)
        found["extended"] = total.get("photos_extended", 0)
    sides = source.get("comparison", {}).get("found", {})
    return found | {k: n for k, n in sides.items() if k.endswith(("_train", "_test"))}


def against_published(store: Store) -> list[str]:
    """Which published numbers the store has, which it has not, and where classes differ."""
    dataset = store.manifest["dataset"]
    known = catalogue(dataset)
    if not known.published:
        return []
    found = store_counts(store)
    lines = ["Counts: " + ", ".join(f"{n:,} {_word(kind)}" for kind, n in found.items()) + "."]
    for row in known.published:
        lines.append(_against(row, found))
    return lines + _by_class(store, dataset)


def _against(row: Mapping[str, int | str], found: Mapping[str, int]) -> str:
    kinds = [kind for kind in row if kind in found]
    other = [kind for kind in kinds if row[kind] != found[kind]]
    if not other:
        return f"The same as in {row['source']}: {', '.join(map(_word, kinds))}."
    told = ", ".join(f"{row[kind]:,} {_word(kind)}" for kind in other)
    return f"Other than in {row['source']}: {told}."


def _by_class(store: Store, dataset: str) -> list[str]:
    """Differences class by class, where counts are published so."""
    try:
        table = published_counts(dataset)
    except FileNotFoundError:
        return []
    kinds = {kind for row in table.values() for kind in row}
    names = {kind: _word(kind) for kind in KINDS if kind in kinds}
    totals = catalogue(dataset).totals(*names)
    comparison = compare(_entries(store), table, names, totals)
    return list(comparison.lines[1:])


def _entries(store: Store) -> Iterator[RawItem]:
    items = store.items
    for modality, label, origin in zip(items.modality, items.label, items.origin, strict=True):
        yield RawItem(
            "", b"", MODALITIES[modality], items.classes[label], origin=items.origins[origin]
        )


def _word(kind: str) -> str:
    return _WORDS.get(kind, kind.replace("_", " for "))
