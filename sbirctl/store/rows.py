"""Which pictures a store keeps, and the row each one gets."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from sbirctl.store.manifest import MODALITIES, Modality, quote_path
from sbirctl.store.parts import NO_PLACE, Made, Part
from sbirctl.store.raw import RawItem


@dataclass(frozen=True)
class Moves:
    """How the pictures of one modality that are kept come to lie in one piece.

    A row is a place, as long as the rows are as many as the pictures kept: pictures further behind
    fill the places before that are not used, because the file could not be read or repeats another.

    Attributes:
        rows: how many pictures are kept.
        start: (m,) int64, places to move from, all at or behind `rows`.
        end: (m,) int64, places to move to, all before `rows`.
        checksums: (rows,) uint32 of the pictures in their rows.
    """

    rows: int
    start: np.ndarray
    end: np.ndarray
    checksums: np.ndarray


@dataclass
class Survey:
    """What a source's parts hold.

    Attributes:
        kept: the items that could be read, in order.
        digest: SHA-256 of the bytes of each.
        row: of each in its modality's array.
        copy_of: index of the item each one repeats, -1 for the first.
        skipped: the others, for the manifest.
        remade: items that repeat one that could not be read, the place of that one, which they
            take, and the checksum of their pixels.
        moves: by modality.
    """

    kept: list[RawItem] = field(default_factory=list)
    digest: list[str] = field(default_factory=list)
    row: list[int] = field(default_factory=list)
    copy_of: list[int] = field(default_factory=list)
    skipped: list[dict[str, str]] = field(default_factory=list)
    remade: list[tuple[RawItem, int, int]] = field(default_factory=list)
    moves: dict[Modality, Moves] = field(default_factory=dict)


def survey(parts: Iterable[tuple[Part, Made]], places: dict[Modality, int]) -> Survey:
    """Give rows: the first of equal bytes gets one, its copies share it."""
    found = Survey()
    by_bytes: dict[tuple[Modality, str], int] = {}
    by_id: dict[str, int] = {}
    broken: dict[str, int] = {}
    checksums = {modality: np.zeros(places[modality], dtype=np.uint32) for modality in MODALITIES}
    used = {modality: np.zeros(places[modality], dtype=bool) for modality in MODALITIES}
    for part, made in parts:
        rows = zip(part.items, part.places, made.digests, made.reasons, made.checksums, strict=True)
        for item, own, digest, reason, checksum in rows:
            if reason:
                found.skipped.append(_skipped(item, reason))
                broken[item.id] = own
                continue
            index, place = len(found.kept), own
            first = by_id.get(item.copy_of, by_bytes.get((item.modality, digest), -1))
            if first >= 0:
                first = first if found.copy_of[first] < 0 else found.copy_of[first]
                place = found.row[first]
            elif own == NO_PLACE:
                place = broken[item.copy_of]
                found.remade.append((item, place, checksum))
                by_id[item.copy_of] = index  # what repeats the same one repeats this one
            if first < 0:
                used[item.modality][place] = True
                checksums[item.modality][place] = checksum
            found.kept.append(item)
            found.digest.append(digest)
            found.row.append(place)
            found.copy_of.append(first)
            by_id[item.id] = index
            by_bytes.setdefault((item.modality, digest), index if first < 0 else first)
    for modality in MODALITIES:
        found.moves[modality] = _moves(used[modality], checksums[modality])
    _renumber(found)
    return found


def _moves(used: np.ndarray, checksums: np.ndarray) -> Moves:
    rows = int(used.sum())
    start = rows + np.flatnonzero(used[rows:])
    end = np.flatnonzero(~used[:rows])
    checksums[end] = checksums[start]
    return Moves(rows, start, end, checksums[:rows])


def _renumber(found: Survey) -> None:
    """From places to rows."""
    moved = {
        modality: dict(zip(moves.start.tolist(), moves.end.tolist(), strict=True))
        for modality, moves in found.moves.items()
    }
    found.row = [
        moved[item.modality].get(place, place)
        for item, place in zip(found.kept, found.row, strict=True)
    ]


def _skipped(item: RawItem, reason: str) -> dict[str, str]:
    return {
        "path": quote_path(item.path),
        "modality": item.modality,
        "class": item.class_name,
        "reason": reason,
    }
