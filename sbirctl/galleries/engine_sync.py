"""Bringing an engine that keeps vectors itself up to date with its gallery."""

from __future__ import annotations

import os
import platform
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

import numpy as np

from sbirctl.core.errors import CorruptError, MismatchError, MissingError, SbirctlError
from sbirctl.core.files import digest_json, display_path
from sbirctl.core.progress import SILENT, Reporter
from sbirctl.galleries.database import FileRecord, refuse_links
from sbirctl.galleries.engines import (
    EXACT,
    Engine,
    SavedEngine,
    bring_up_to_date,
    engine_class,
    recall,
    remove_engine,
)
from sbirctl.galleries.engines.exact import Exact
from sbirctl.galleries.engines.qdrant import Qdrant, read_about
from sbirctl.galleries.model_record import ModelRecord
from sbirctl.store.manifest import quote_path

_ASKED = 200  # photos whose neighbours are looked up to measure recall
_FIRST = 20


def sync_engine(
    place: Path,
    record: ModelRecord,
    spec: str,
    before: tuple[str, str],
    records: Sequence[FileRecord],
    ids: np.ndarray,
    vectors: np.ndarray,
    report: Reporter = SILENT,
) -> str:
    """Make the engine of a gallery hold just these vectors, where it keeps any itself.

    Args:
        place: the gallery's folder.
        record: the model.
        spec: the engine, as typed.
        before: engine and state as they are, "" for none.
        records: the gallery's files.
        ids: (n,) S64, sorted.
        vectors: (n, dim) float32 unit vectors.
        report: told what it finds of what exact finds.

    Returns:
        16 hexadecimal digits that name the folder it was saved in; "" on a server.
    """
    content = [record.key, spec, [one.decode() for one in ids.tolist()]]
    state = digest_json(content)[:16]
    kind = engine_class(spec)
    if kind.keeps == "server":
        _sync_server(place, record, spec, state, records, ids, vectors, report)
        return ""
    saved = cast(type[SavedEngine], kind)
    target = place / f"engine-{state}"
    engine = _load(saved, place, spec, before, target, vectors.shape[1], report)
    if not (target.is_dir() and np.array_equal(np.sort(engine.ids()), ids)):
        engine = cast(SavedEngine, bring_up_to_date(engine, spec, ids, vectors, report))
        _say_recall(engine, spec, ids, vectors, report)
        _save(engine, target)
    return state


def _save(engine: SavedEngine, target: Path) -> None:
    """Save an engine into a folder that is there whole or not at all."""
    temporary = target.with_name(f".{target.name}")
    refuse_links(target, temporary)
    try:
        for path in (temporary, target):  # left by a call that was killed; damaged
            if path.is_dir():
                remove_engine(path)
        temporary.mkdir(parents=True)
        engine.save(temporary)
        for path in temporary.iterdir():
            with open(path, "rb+") as stream:
                os.fsync(stream.fileno())
        temporary.rename(target)
    except (OSError, RuntimeError) as error:  # faiss raises the latter
        reason = getattr(error, "strerror", None) or str(error).splitlines()[0]
        raise SbirctlError(
            f"{display_path(target)} cannot be written: {reason}.",
            "Free some space, or check the folder's permissions; the same command continues.",
        ) from error


def _load(
    kind: type[SavedEngine],
    place: Path,
    spec: str,
    before: tuple[str, str],
    target: Path,
    dim: int,
    report: Reporter,
) -> SavedEngine:
    """The engine in `target` or as it was, an empty one where there is none to go on from."""
    if before[0] == spec:
        there = target if target.is_dir() else place / f"engine-{before[1]}"
        try:
            return kind.load(there, spec, dim)
        except CorruptError as error:
            report.warn(f"{error.message} It is built anew.")
    return kind(spec, dim)


def _sync_server(
    place: Path,
    record: ModelRecord,
    spec: str,
    state: str,
    records: Sequence[FileRecord],
    ids: np.ndarray,
    vectors: np.ndarray,
    report: Reporter,
) -> None:
    owner = f"{platform.node()}:{display_path(place)}"
    engine = Qdrant(spec, vectors.shape[1])
    files = _files(records)
    listed = digest_json(files)
    try:
        there = read_about(spec)
    except MissingError:  # no gallery's
        there = {"owner": ""} if len(engine) else {}
    if there.get("owner", owner) != owner:
        raise MismatchError(
            f"{spec} holds {there['owner'] or 'points of another program'}.",
            "Give this gallery a collection of its own.",
        )
    about = {
        "owner": owner,
        "photos": len(ids),
        "dim": vectors.shape[1],
        "model": asdict(record),
    }
    if there.get("state") != state:
        other = there.get("model", {}).get("key", record.key) != record.key
        engine.describe({**about, "state": "", "files": ""}, {})  # being changed
        if other and len(held := engine.ids()):
            engine.remove(held)
        bring_up_to_date(engine, spec, ids, vectors, report)
        _say_recall(engine, spec, ids, vectors, report)
    if (there.get("state"), there.get("files")) != (state, listed):
        engine.describe({**about, "state": state, "files": listed}, files)


def _files(records: Sequence[FileRecord]) -> Mapping[str, list[Any]]:
    """id: [[quoted path, size, stamp], …], as a collection keeps them."""
    found: defaultdict[str, list[Any]] = defaultdict(list)
    for record in records:
        if not record.kind:
            file = record.file
            found[record.id].append([quote_path(file.path), file.size, file.stamp])
    return found


def _say_recall(
    engine: Engine, spec: str, ids: np.ndarray, vectors: np.ndarray, report: Reporter
) -> None:
    if engine.name == EXACT:
        return
    exact = Exact(EXACT, vectors.shape[1])
    exact.add(ids, vectors)
    count = min(_ASKED, len(ids))
    asked = np.random.default_rng(0).choice(len(ids), count, replace=False)
    value = recall(engine, exact, vectors[asked], _FIRST)
    report.note(
        f"{spec} finds {100 * value:.1f} % of the {_FIRST} nearest that exact finds, asked with "
        f"{count} of the photos."
    )
