"""What every engine keeps to, beside a naive search."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np

from sbirctl.checks import NotCheckedError, require
from sbirctl.core.errors import SbirctlError
from sbirctl.galleries.engines import (
    ENGINE_FILES,
    ID,
    Engine,
    SavedEngine,
    bring_up_to_date,
    engine_class,
)
from sbirctl.galleries.engines import recall as recall_of
from sbirctl.galleries.engines.exact import Exact

DIM = 24
COUNT = 1200
_LEAST_RECALL = 0.5
_LEAST_COSINE = 0.9


@dataclass(frozen=True)
class EngineSubject:
    """An engine by what a person types: a name, `name:kind`, or an address."""

    spec: str

    def filled(self, rows: np.ndarray) -> Engine:
        """It with these rows of `vectors()`, in a collection of its own where it is a server's."""
        engine: Any = engine_class(self.spec)(self.spec, DIM)
        return bring_up_to_date(engine, self.spec, ids_of(rows), vectors()[rows])


def ids_of(numbers: np.ndarray) -> np.ndarray:
    """(n,) S64 ids of numbered photos."""
    return np.array([f"{number:08x}" * 8 for number in numbers], dtype=ID)


def vectors(seed: int = 0) -> np.ndarray:
    """(1200, 24) float32 unit vectors in bundles, as photos of classes are."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(20, DIM))
    made = centres[rng.integers(0, 20, COUNT)] + 0.5 * rng.normal(size=(COUNT, DIM))
    unit: np.ndarray = (made / np.linalg.norm(made, axis=1, keepdims=True)).astype(np.float32)
    return unit


def is_made(subject: EngineSubject) -> None:
    """`check` takes its spec, and it begins empty."""
    engine_class(subject.spec).check(subject.spec)
    engine = subject.filled(np.arange(0))
    require(len(engine) == 0 and len(engine.ids()) == 0, f"it begins with {len(engine)} vectors")


def holds_what_was_added(subject: EngineSubject) -> None:
    """It holds just the vectors that were added, under their ids."""
    rows = np.arange(1000)
    engine = subject.filled(rows)
    require(len(engine) == 1000, f"{len(engine)} of 1,000 vectors")
    require(sorted(engine.ids().tolist()) == sorted(ids_of(rows).tolist()), "other ids")
    for row in (0, 999):
        found = engine.vector(ids_of(rows[row : row + 1])[0])
        require(found is not None and found.shape == (DIM,), "no vector for an id it holds")
        cosine = float(found @ vectors()[row])
        require(cosine > _LEAST_COSINE, f"a vector comes back with a cosine of {cosine:.3f}")
    require(engine.vector(b"f" * 64) is None, "a vector for an id it does not hold")


def answers_in_order(subject: EngineSubject) -> None:
    """It answers best first, with cosines of what it names, each id once."""
    engine = subject.filled(np.arange(1000))
    queries = vectors(seed=1)[:20]
    found = engine.search(queries, 10)
    require(found.ids.shape == found.scores.shape == (20, 10), f"shape {found.ids.shape}")
    require(found.ids.dtype == np.dtype(ID), f"ids are {found.ids.dtype}")
    require(found.scores.dtype == np.float32, f"scores are {found.scores.dtype}")
    require((np.diff(found.scores, axis=1) <= 1e-6).all(), "scores rise")
    for query, ids, scores in zip(queries, found.ids, found.scores, strict=True):
        there = ids != b""
        require(len(np.unique(ids[there])) == there.sum(), "an id is named twice")
        rows = [int(name[:8], 16) for name in ids[there].tolist()]
        apart = np.abs(vectors()[rows] @ query - scores[there]).max(initial=0)
        require(apart < 0.2, f"a score is {apart:.2g} away from the cosine")


def finds_the_nearest(subject: EngineSubject) -> None:
    """It finds at least half of the ten nearest."""
    rows = np.arange(1000)
    plain = Exact("exact", DIM)
    plain.add(ids_of(rows), vectors()[rows])
    share = recall_of(subject.filled(rows), plain, vectors(seed=2)[:50], 10)
    require(share >= _LEAST_RECALL, f"a recall of {share:.2f}")


def few_photos_leave_places_empty(subject: EngineSubject) -> None:
    """Where fewer photos are there than asked for, the rest has the id b"" and -inf."""
    try:
        engine = subject.filled(np.arange(3))
    except SbirctlError as error:
        raise NotCheckedError(error.message) from error
    found = engine.search(vectors()[:2], 8)
    require((found.ids[:, 3:] == b"").all(), "ids where there is no photo")
    require(np.isneginf(found.scores[:, 3:]).all(), "scores where there is no photo")


def forgets_what_leaves(subject: EngineSubject) -> None:
    """Photos that leave a gallery are found no more, those that join are."""
    engine = subject.filled(np.arange(1000))
    kept = np.arange(100, COUNT)
    ids, table = ids_of(kept), vectors()[kept]
    engine = bring_up_to_date(engine, subject.spec, ids, table)
    require(sorted(engine.ids().tolist()) == sorted(ids.tolist()), "other ids than the gallery's")
    found = engine.search(vectors()[:5], 20).ids
    require(not np.isin(found, ids_of(np.arange(100))).any(), "it names photos that have left")


def comes_back_from_its_files(subject: EngineSubject) -> None:
    """What it saves comes back the same (engines that keep files of their own)."""
    kind: Any = engine_class(subject.spec)
    if kind.keeps != "folder":
        raise NotCheckedError(f"it keeps {kind.keeps}")
    engine = cast(SavedEngine, subject.filled(np.arange(1000)))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        engine.save(folder)
        others = {path.name for path in folder.iterdir()} - set(ENGINE_FILES)
        require(not others, f"it writes {', '.join(others)}, not {', '.join(ENGINE_FILES)}")
        again = kind.load(folder, subject.spec, DIM)
        queries = vectors(seed=1)[:5]
        first, second = (one.search(queries, 10) for one in (engine, again))
        require(first.ids.tolist() == second.ids.tolist(), "it answers otherwise when read again")


def keeps_what_is_known(subject: EngineSubject) -> None:
    """It keeps the gallery's vectors, or files of its own; a server is Qdrant's alone."""
    kind = engine_class(subject.spec)
    known = ("vectors", "folder", "server") if kind.name == "qdrant" else ("vectors", "folder")
    require(kind.keeps in known, f"keeps={kind.keeps!r}")


CHECKS: tuple[Callable[[EngineSubject], None], ...] = (
    is_made,
    keeps_what_is_known,
    holds_what_was_added,
    answers_in_order,
    finds_the_nearest,
    few_photos_leave_places_empty,
    forgets_what_leaves,
    comes_back_from_its_files,
)
