"""Which pictures a store keeps, and the row each one gets."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sbirctl.store.manifest import MODALITIES, Items, Modality, quote_path
from sbirctl.store.raw import RawItem
from sbirctl.store.shards import NO_SLOT, Shard, ShardRecord


@dataclass
class RowTable:
    """What a source's shards hold.

    Rows are numbered in the order of slots, over those slots whose pixels are kept.

    Attributes:
        kept: the items that could be read, in order.
        digest: SHA-256 of the bytes of each.
        slot: of each, where its pixels are.
        copy_of: index of the item each one repeats, -1 for the first.
        skipped: the others, for the manifest.
        remarks: what is odd about some that are kept: how many, and the path of the first.
        fallbacks: shards of one item, which repeats one that could not be read and so takes its
            slot, and the checksum of its pixels; these are still to be written.
        slots: (rows,) int64, the slot of each row, of each modality.
        checksums: (rows,) uint32, of each row's pixels, of each modality.
    """

    kept: list[RawItem] = field(default_factory=list)
    digest: list[str] = field(default_factory=list)
    slot: list[int] = field(default_factory=list)
    copy_of: list[int] = field(default_factory=list)
    skipped: list[dict[str, str]] = field(default_factory=list)
    remarks: dict[str, dict[str, Any]] = field(default_factory=dict)
    fallbacks: list[tuple[Shard, int]] = field(default_factory=list)
    slots: dict[Modality, np.ndarray] = field(default_factory=dict)
    checksums: dict[Modality, np.ndarray] = field(default_factory=dict)

    def items(self, origins: tuple[str, ...]) -> Items:
        """The store's entries."""
        kept = self.kept
        classes = tuple(sorted({item.class_name for item in kept}))
        instances = tuple(sorted({item.instance for item in kept} - {""}))
        label = {name: i for i, name in enumerate(classes)}
        instance = {name: i for i, name in enumerate(instances)} | {"": -1}
        modality = np.array([MODALITIES.index(i.modality) for i in kept], dtype=np.uint8)
        row = np.array(self.slot, dtype=np.int64)
        for number, name in enumerate(MODALITIES):
            own = modality == number
            row[own] = np.searchsorted(self.slots[name], row[own])
        return Items(
            id=tuple(item.id for item in kept),
            path=tuple(item.path for item in kept),
            modality=modality,
            label=np.array([label[i.class_name] for i in kept], dtype=np.int32),
            instance=np.array([instance[i.instance] for i in kept], dtype=np.int32),
            origin=np.array([origins.index(i.origin) for i in kept], dtype=np.uint8),
            digest=tuple(self.digest),
            row=row,
            copy_of=np.array(self.copy_of, dtype=np.int64),
            classes=classes,
            instances=instances,
            origins=origins,
        )


def assign_rows(shards: Iterable[tuple[Shard, ShardRecord]]) -> RowTable:
    """Give rows: the first of equal bytes gets one, its copies share it."""
    table = RowTable()
    by_bytes: dict[tuple[Modality, str], int] = {}
    by_id: dict[str, int] = {}
    unreadable: dict[str, int] = {}
    rows: dict[Modality, list[tuple[int, int]]] = {modality: [] for modality in MODALITIES}
    for shard, record in shards:
        found = record.digests, record.reasons, record.checksums, record.remarks
        for item, own, digest, reason, checksum, remark in zip(
            shard.items, shard.slots, *found, strict=True
        ):
            if remark:
                place = {"count": 0, "first": quote_path(item.path)}
                table.remarks.setdefault(remark, place)["count"] += 1
            if reason:
                table.skipped.append(_skipped(item, reason))
                unreadable[item.id] = own
                continue
            index, slot = len(table.kept), own
            first = by_id.get(item.copy_of, by_bytes.get((item.modality, digest), -1))
            if first >= 0:
                first = first if table.copy_of[first] < 0 else table.copy_of[first]
                slot = table.slot[first]
            elif own == NO_SLOT:
                slot = unreadable[item.copy_of]
                taken = Shard("", item.modality, (item,), (slot,))
                table.fallbacks.append((taken, checksum))
                by_id[item.copy_of] = index  # what repeats the same one repeats this one
            if first < 0:
                rows[item.modality].append((slot, checksum))
            table.kept.append(item)
            table.digest.append(digest)
            table.slot.append(slot)
            table.copy_of.append(first)
            by_id[item.id] = index
            by_bytes.setdefault((item.modality, digest), index if first < 0 else first)
    for modality, found_rows in rows.items():
        columns = np.array(sorted(found_rows), dtype=np.int64).reshape(-1, 2).T
        table.slots[modality], table.checksums[modality] = columns[0], columns[1].astype(np.uint32)
    return table


def _skipped(item: RawItem, reason: str) -> dict[str, str]:
    return {
        "path": quote_path(item.path),
        "modality": item.modality,
        "class": item.class_name,
        "reason": reason,
    }
