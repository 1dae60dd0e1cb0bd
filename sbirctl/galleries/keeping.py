"""The engine of a gallery brought up to date and kept: saved, or changed where it is."""

from __future__ import annotations

import os
import platform
import shutil
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from sbirctl.core.errors import CorruptError, MismatchError, MissingError, SbirctlError
from sbirctl.core.files import digest_json, display_path
from sbirctl.core.progress import SILENT, Reporter
from sbirctl.galleries.engines import EXACT, Engine, bring_up_to_date, engine_class, recall
from sbirctl.galleries.engines.exact import Exact
from sbirctl.galleries.engines.qdrant import Qdrant, read_about
from sbirctl.galleries.gallery import Gallery
from sbirctl.galleries.listing import Entry
from sbirctl.store.manifest import quote_path

_ASKED = 200  # photos whose neighbours are looked up to measure recall
_FIRST = 20


def keep(
    gallery: Gallery,
    old: Gallery | None,
    entries: Sequence[Entry],
    ids: np.ndarray,
    vectors: np.ndarray,
    report: Reporter = SILENT,
) -> str:
    """Make the gallery's engine hold just these vectors.

    Args:
        gallery: as it will be, but for the engine's folder.
        old: as it was, None for a new one.
        entries: its files.
        ids: (n,) S64, sorted.
        vectors: (n, dim) float32 unit vectors.

    Returns:
        Name of the folder it was saved in; "" for a remote one.
    """
    content = [gallery.record.key, gallery.engine, [one.decode() for one in ids.tolist()]]
    state = digest_json(content)[:16]
    if engine_class(gallery.engine).remote:
        _keep_remote(gallery, state, entries, ids, vectors, report)
        return ""
    target = gallery.place / f"engine-{state}"
    engine = _before(gallery, old, target, report)
    if not (target.is_dir() and np.array_equal(np.sort(engine.ids()), ids)):
        engine = bring_up_to_date(engine, gallery.engine, ids, vectors, report)
        _say_recall(engine, gallery.engine, ids, vectors, report)
        _save(engine, target)
    return target.name


def _save(engine: Engine, target: Path) -> None:
    """Save an engine into a folder that is there whole or not at all."""
    temporary = target.with_name(f".{target.name}")
    shutil.rmtree(temporary, ignore_errors=True)  # left by a call that was killed
    try:
        temporary.mkdir(parents=True)
        engine.save(temporary)
        for path in temporary.iterdir():
            with open(path, "rb+") as stream:
                os.fsync(stream.fileno())
        shutil.rmtree(target, ignore_errors=True)  # damaged
        temporary.rename(target)
    except (OSError, RuntimeError) as error:  # faiss raises the latter
        reason = getattr(error, "strerror", None) or str(error).splitlines()[0]
        raise SbirctlError(
            f"{display_path(target)} cannot be written: {reason}.",
            "Free some space, or check the folder's permissions; the same command continues.",
        ) from error


def _before(gallery: Gallery, old: Gallery | None, target: Path, report: Reporter) -> Engine:
    """The engine in `target` or as it was, an empty one where there is none to go on from."""
    kind = engine_class(gallery.engine)
    if old is not None and (old.engine, old.record.key) == (gallery.engine, gallery.record.key):
        there = target if target.is_dir() else gallery.place / old.engine_folder
        try:
            return kind.open(there, gallery.engine, gallery.dim)
        except CorruptError as error:
            report.warn(f"{error.message} It is built anew.")
    return kind(gallery.engine, gallery.dim)


def _keep_remote(
    gallery: Gallery,
    state: str,
    entries: Sequence[Entry],
    ids: np.ndarray,
    vectors: np.ndarray,
    report: Reporter,
) -> None:
    owner = f"{platform.node()}:{display_path(gallery.place)}"
    engine = Qdrant(gallery.engine, gallery.dim)
    files = _files(entries)
    listed = digest_json(files)
    try:
        there = read_about(gallery.engine)
    except MissingError:  # no gallery's
        there = {"owner": ""} if len(engine) else {}
    if there.get("owner", owner) != owner:
        raise MismatchError(
            f"{gallery.engine} holds {there['owner'] or 'points of another program'}.",
            "Give this gallery a collection of its own.",
        )
    about = {
        "owner": owner,
        "photos": gallery.photos,
        "dim": gallery.dim,
        "model": asdict(gallery.record),
    }
    if there.get("state") != state:
        other = there.get("model", {}).get("key", gallery.record.key) != gallery.record.key
        engine.describe({**about, "state": "", "files": ""}, {})  # being changed
        if other and len(held := engine.ids()):
            engine.remove(held)
        bring_up_to_date(engine, gallery.engine, ids, vectors, report)
        _say_recall(engine, gallery.engine, ids, vectors, report)
    if (there.get("state"), there.get("files")) != (state, listed):
        engine.describe({**about, "state": state, "files": listed}, files)


def _files(entries: Sequence[Entry]) -> Mapping[str, list[Any]]:
    """id: [[quoted path, size, stamp], …], as a collection keeps them."""
    found: defaultdict[str, list[Any]] = defaultdict(list)
    for entry in entries:
        if not entry.reason:
            file = entry.file
            found[entry.id].append([quote_path(file.path), file.size, file.stamp])
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
