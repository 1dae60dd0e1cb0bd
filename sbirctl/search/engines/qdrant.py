"""Qdrant, for galleries that one machine no longer holds: `qdrant://host:6333/collection`.

`qdrant+https://` speaks TLS; `$QDRANT_API_KEY` is sent where it is set. `qdrant:///folder/collection`
is the client's own local mode, for a few thousand photos.

A point's id is the first half of the photo's digest; its payload holds the digest and the files.
The collection's metadata holds the model, so that machines without the gallery's folder search it.
"""

from __future__ import annotations

import atexit
import json
import os
import threading
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from functools import cache
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlsplit

import numpy as np

from sbirctl.core.errors import MismatchError, MissingError, SbirctlError, UsageError
from sbirctl.core.files import display_path
from sbirctl.search.engines import ENGINES, ID, Nearest

_BATCH = 256
_TIMEOUT = 60  # seconds
SCHEMES = ("qdrant", "qdrant+https")
_ABOUT = "sbirctl"  # key in the collection's metadata


@ENGINES.register
class Qdrant:
    """A collection of cosine distances.

    Raises:
        MissingError: qdrant-client is not installed, or nothing answers there.
        UsageError: the address is none.
        MismatchError: the collection holds vectors of another length.
    """

    name: ClassVar[str] = "qdrant"
    removes = True
    remote = True

    def __init__(self, spec: str, dim: int) -> None:
        location, self._name = parse(spec)
        self._client = connect(location)
        self._spec = spec
        models = _models()
        with _told(spec):
            if not self._client.collection_exists(self._name):
                size = models.VectorParams(size=dim, distance=models.Distance.COSINE)
                self._client.create_collection(self._name, vectors_config=size)
            found = self._client.get_collection(self._name).config.params.vectors
        if getattr(found, "size", None) != dim:
            raise MismatchError(
                f"{spec} holds other vectors than ones of {dim} numbers.",
                "Give the gallery a collection of its own.",
            )

    def __len__(self) -> int:
        with _told(self._spec):
            return int(self._client.count(self._name, exact=True).count)

    def ids(self) -> np.ndarray:
        """See `Engine.ids`."""
        return np.array([point.payload["id"] for point in self._scroll()], dtype=ID)

    def add(self, ids: np.ndarray, vectors: np.ndarray) -> None:
        """See `Engine.add`."""
        models = _models()
        for start in range(0, len(ids), _BATCH):
            end = start + _BATCH
            names = [raw.decode() for raw in ids[start:end].tolist()]
            points = [
                models.PointStruct(id=point_id(name), vector=vector.tolist(), payload={"id": name})
                for name, vector in zip(names, vectors[start:end], strict=True)
            ]
            with _told(self._spec):
                self._client.upsert(self._name, points, wait=True)

    def remove(self, ids: np.ndarray) -> None:
        """See `Engine.remove`."""
        models = _models()
        points = [point_id(raw.decode()) for raw in ids.tolist()]
        for start in range(0, len(points), _BATCH):
            chosen = models.PointIdsList(points=points[start : start + _BATCH])
            with _told(self._spec):
                self._client.delete(self._name, points_selector=chosen, wait=True)

    def search(self, queries: np.ndarray, k: int) -> Nearest:
        """See `Engine.search`."""
        ids = np.zeros((len(queries), k), dtype=ID)
        scores = np.full((len(queries), k), -np.inf, dtype=np.float32)
        for row, query in enumerate(queries):
            with _told(self._spec):
                found = self._client.query_points(
                    self._name, query=query.tolist(), limit=k, with_payload=["id"]
                ).points
            for column, point in enumerate(found):
                ids[row, column] = point.payload["id"].encode()
                scores[row, column] = point.score
        return Nearest(ids, scores)

    def vector(self, id: bytes) -> np.ndarray | None:
        """See `Engine.vector`."""
        with _told(self._spec):
            found = self._client.retrieve(
                self._name, [point_id(id.decode())], with_vectors=True, with_payload=["id"]
            )
        if not found or found[0].payload["id"] != id.decode():
            return None
        return np.asarray(found[0].vector, dtype=np.float32)

    def save(self, folder: Path) -> None:
        """Nothing: the collection keeps everything."""

    @classmethod
    def open(cls, folder: Path, spec: str, dim: int) -> Qdrant:  # noqa: ARG003
        """See `Engine.open`; the folder does not matter.

        Raises:
            MissingError: there is no such collection.
        """
        return cls(spec, dim)

    def describe(self, about: dict[str, Any], files: Mapping[str, list[Any]]) -> None:
        """Keep the model with the collection, and the files of some photos with their points."""
        models = _models()
        names = list(files)
        for start in range(0, len(names), _BATCH):
            with _told(self._spec):
                self._client.batch_update_points(
                    self._name,
                    [
                        models.SetPayloadOperation(
                            set_payload=models.SetPayload(
                                payload={"files": files[name]}, points=[point_id(name)]
                            )
                        )
                        for name in names[start : start + _BATCH]
                    ],
                    wait=True,
                )
        with _told(self._spec):
            self._client.update_collection(self._name, metadata={_ABOUT: json.dumps(about)})

    def files(self, ids: Sequence[str]) -> dict[str, list[Any]]:
        """What `describe` kept of some photos; those it does not know are left out."""
        with _told(self._spec):
            found = self._client.retrieve(self._name, [point_id(name) for name in ids])
        return {point.payload["id"]: point.payload.get("files", []) for point in found}

    def _scroll(self) -> Iterator[Any]:
        offset = None
        while True:
            with _told(self._spec):
                points, offset = self._client.scroll(
                    self._name, limit=4 * _BATCH, offset=offset, with_payload=["id"]
                )
            yield from points
            if offset is None:
                return


def read_about(spec: str) -> dict[str, Any]:
    """What `Qdrant.describe` kept with a collection.

    Raises:
        MissingError: there is no such collection, or it is no gallery.
    """
    location, name = parse(spec)
    client = connect(location)
    with _told(spec):
        there = client.collection_exists(name)
        metadata = client.get_collection(name).config.metadata if there else None
    if not metadata or _ABOUT not in metadata:
        raise MissingError(
            f"{spec} is no gallery.", f"Type `sbirctl index FOLDER --name N --engine {spec}`."
        )
    return json.loads(metadata[_ABOUT])


def parse(spec: str) -> tuple[str, str]:
    """Address or folder, and collection.

    Raises:
        UsageError: it is no such address.
    """
    try:
        parts = urlsplit(spec)
        scheme = "https" if parts.scheme.endswith("https") else "http"
        host, port = parts.hostname, parts.port or 6333
    except ValueError as error:
        raise _no_address(spec) from error
    folder, _, name = parts.path.rpartition("/")
    if parts.scheme not in SCHEMES or not name or (host and folder) or not (host or folder):
        raise _no_address(spec)
    if not host:
        return folder, name
    shown = f"[{host}]" if ":" in host else host
    return f"{scheme}://{shown}:{port}", name


@cache
def connect(location: str) -> Any:
    """A client for an address, or the local mode in a folder; one a process, for it locks that.

    Raises:
        MissingError: qdrant-client is not installed.
        SbirctlError: another process has the folder open.
    """
    models = _models()
    assert models is not None
    from qdrant_client import QdrantClient

    if not location.startswith("http"):
        try:
            client = QdrantClient(path=location, force_disable_check_same_thread=True)
            atexit.register(client.close)  # its own farewell comes too late, and complains
            return client
        except RuntimeError as error:
            raise SbirctlError(
                f"{display_path(location)} cannot be opened: {str(error).splitlines()[0]}",
                "Local mode is for one process; a Qdrant server for many.",
            ) from error
    key = os.environ.get("QDRANT_API_KEY") or None
    return QdrantClient(url=location, api_key=key, timeout=_TIMEOUT, check_compatibility=False)


def point_id(name: str) -> str:
    """The point of a photo: Qdrant takes UUIDs, so the first 16 bytes of its digest."""
    return str(uuid.UUID(name[:32]))


def _models() -> Any:
    try:
        from qdrant_client import models
    except ImportError as error:
        raise MissingError(
            "qdrant-client is not installed.", "Type `pip install 'sbirctl[qdrant]'`."
        ) from error
    return models


_LOCAL = threading.RLock()  # the local mode is not made for several threads


@contextmanager
def _told(spec: str) -> Iterator[None]:
    """Qdrant's errors in two lines."""
    from httpx import HTTPError
    from qdrant_client.http.exceptions import ApiException

    try:
        with _LOCAL if urlsplit(spec).hostname is None else nullcontext():
            yield
    except (ApiException, HTTPError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise MissingError(
            f"{spec} does not answer as a Qdrant server: {reason}.",
            "Is it running, and is $QDRANT_API_KEY right?",
        ) from error


def _no_address(spec: str) -> UsageError:
    return UsageError(
        f"{spec!r} is no address of a collection.", "Write it like qdrant://localhost:6333/photos."
    )
