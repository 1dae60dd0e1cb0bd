"""Edge maps beside a store's photos, in files of their own.

A store's images never change, so edge maps do not join them: `edges-<name>.h5` holds the maps of
one method with its parameters, row for row with the photos, and `edges.json` says which there are
and which of them is in use. They are made in shards, files that are renamed into place when they
are whole, so that a stopped run continues.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sbirctl.core.errors import SbirctlError
from sbirctl.core.files import (
    atomic_open,
    atomic_path,
    digest_json,
    human_bytes,
    write_json,
)
from sbirctl.core.progress import SILENT, Reporter
from sbirctl.store.pixels import SCHEMA, checksum, checksum_name, digest_of
from sbirctl.store.reader import EDGE_INDEX, EdgeIndex, Store, edges_file, read_edge_index

SHARDS = "edge-shards"
SHARD_MAPS = 64  # at most so many are made again after a stop
STEP = 32


@dataclass(frozen=True)
class EdgeSource:
    """Where edge maps come from.

    Attributes:
        method: "gb", "gb-color", "canny", or "folder" for maps made elsewhere.
        parameters: plain values that with the method determine every map.
        make: maps of some rows of the photos: (n,) int64 to (n, size, size, 1) uint8.
    """

    method: str
    parameters: dict[str, Any]
    make: Callable[[np.ndarray], np.ndarray]

    @property
    def name(self) -> str:
        """`<method>-<8 hexadecimal digits of the parameters>`."""
        return f"{self.method}-{digest_json([self.method, self.parameters])[:8]}"


def missing_rows(store: Store, source: EdgeSource) -> np.ndarray:
    """(n,) int64: rows whose maps are still to be made; none where the file is whole."""
    if source.name in _index(store)["maps"] and edges_file(store.folder, source.name).exists():
        return np.empty(0, dtype=np.int64)
    runs = [rows for path, rows in _shards(store, source) if not path.exists()]
    return np.concatenate(runs) if runs else np.empty(0, dtype=np.int64)


def write_edges(store: Store, source: EdgeSource, *, report: Reporter = SILENT) -> Path:
    """Make the edge maps of all photos, or continue, and put them in use.

    The caller holds the store's lock. Stores opened before keep the maps they had.

    Returns:
        The file of the maps.

    Raises:
        SbirctlError: no space.
    """
    target = edges_file(store.folder, source.name)
    todo = missing_rows(store, source)
    index = _index(store)
    if source.name not in index["maps"] or not target.exists():
        _check_space(store, len(todo))
        _make_shards(store, source, todo, report)
        stated = _assemble(store, source, target)
        index["maps"][source.name] = {
            "method": source.method,
            "parameters": source.parameters,
            "pixels": stated,
        }
    index["current"] = source.name
    write_json(store.folder / EDGE_INDEX, index)
    shutil.rmtree(store.folder / SHARDS, ignore_errors=True)
    known = {edges_file(store.folder, name) for name in index["maps"]}
    for path in [*store.folder.glob("edges-*.h5"), *store.folder.glob(".edges*")]:
        if path not in known:
            path.unlink()  # of a store that was made anew, or left by a killed writer
    return target


def _index(store: Store) -> EdgeIndex:
    found = read_edge_index(store.folder / EDGE_INDEX)
    if found["store"] != store.digest:
        return {"schema": SCHEMA, "store": store.digest, "current": "", "maps": {}}
    return found


def _shards(store: Store, source: EdgeSource) -> list[tuple[Path, np.ndarray]]:
    """Path and rows of each shard; the name says everything the shard depends on."""
    rows = np.arange(store.rows("photo"))
    folder = store.folder / SHARDS
    name = f"{source.name}-{store.digest[:16]}"
    return [
        (folder / f"{name}-{start}.shard", rows[start : start + SHARD_MAPS])
        for start in range(0, len(rows), SHARD_MAPS)
    ]


def _check_space(store: Store, todo: int) -> None:
    """Shards and the assembled file exist side by side for a moment."""
    needed = (todo + store.rows("photo")) * store.size**2
    free = shutil.disk_usage(store.folder).free
    if free < needed:
        raise SbirctlError(
            f"The edge maps need {human_bytes(needed)}; {human_bytes(free)} are free.",
            "Free some space, or set SBIRCTL_HOME to a larger disk.",
        )


def _make_shards(store: Store, source: EdgeSource, todo: np.ndarray, report: Reporter) -> None:
    total = store.rows("photo")
    with report.bar("finding edges", total=total, done=total - len(todo)) as advance:
        for path, rows in _shards(store, source):
            if path.exists():
                continue
            with atomic_open(path) as stream:
                for start in range(0, len(rows), STEP):
                    some = rows[start : start + STEP]
                    stream.write(np.ascontiguousarray(source.make(some)).data)
                    advance(len(some))


def _assemble(store: Store, source: EdgeSource, target: Path) -> str:
    """Shards to one file; gives `digest_of` the maps' checksums. Equal maps give equal bytes."""
    import h5py

    size = store.size
    shape = (store.rows("photo"), size, size, 1)
    sums = np.empty(shape[0], dtype=np.uint32)
    with atomic_path(target) as temporary, h5py.File(temporary, "w") as file:
        attributes = {"schema": SCHEMA, "digest": np.bytes_(store.digest), "method": source.method}
        file.attrs.update(attributes)
        array = file.create_dataset("edge", shape, np.uint8, track_times=False)
        for path, rows in _shards(store, source):
            maps = np.fromfile(path, dtype=np.uint8).reshape(len(rows), *shape[1:])
            array[rows[0] : rows[-1] + 1] = maps
            sums[rows] = [checksum(one) for one in maps]
        beside = file.create_dataset(checksum_name("edge"), data=sums, track_times=False)
        for written in (array, beside, file):
            written.flush()  # errors of the system that HDF5 meets while it closes are lost
    return digest_of(sums)
