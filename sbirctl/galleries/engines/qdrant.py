"""Qdrant, for galleries that one machine no longer holds: `qdrant://host:6333/collection`.

`qdrant+https://` speaks TLS; `$QDRANT_API_KEY` is sent where it is set. `qdrant:///folder/collection`
is the client's own local mode, for a few thousand photos.

A point's id is the first half of the photo's digest; its payload holds the digest and the files.
The collection's metadata holds the model, so that machines without the gallery's folder search it.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from sbirctl.core.errors import MismatchError, MissingError
from sbirctl.galleries.engines import ENGINES, ID, Nearest
from sbirctl.galleries.engines._qdrant_client import connect, library, parse, told

if TYPE_CHECKING:
    from sbirctl.galleries.gallery import Gallery

_BATCH = 256
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
    keeps: ClassVar[Literal["vectors", "folder", "server"]] = "server"
    removes = True

    def __init__(self, spec: str, dim: int) -> None:
        location, self._name = parse(spec)
        self._client = connect(location)
        self._spec = spec
        models = library()
        with told(spec):
            if not self._client.collection_exists(self._name):
                size = models.VectorParams(size=dim, distance=models.Distance.COSINE)
                self._client.create_collection(self._name, vectors_config=size)
            found = self._client.get_collection(self._name).config.params.vectors
        if getattr(found, "size", None) != dim:
            raise MismatchError(
                f"{spec} holds other vectors than ones of {dim} numbers.",
                "Give the gallery a collection of its own.",
            )

    @classmethod
    def check(cls, spec: str) -> None:
        """See `Engine.check`; makes nothing there."""
        location, name = parse(spec)
        client = connect(location)
        with told(spec):
            client.collection_exists(name)

    def __len__(self) -> int:
        with told(self._spec):
            return int(self._client.count(self._name, exact=True).count)

    def ids(self) -> np.ndarray:
        """See `Engine.ids`."""
        return np.array([point.payload["id"] for point in self._scroll()], dtype=ID)

    def add(self, ids: np.ndarray, vectors: np.ndarray) -> None:
        """See `Engine.add`."""
        models = library()
        for start in range(0, len(ids), _BATCH):
            end = start + _BATCH
            names = [raw.decode() for raw in ids[start:end].tolist()]
            points = [
                models.PointStruct(id=point_id(name), vector=vector.tolist(), payload={"id": name})
                for name, vector in zip(names, vectors[start:end], strict=True)
            ]
            with told(self._spec):
                self._client.upsert(self._name, points, wait=True)

    def remove(self, ids: np.ndarray) -> None:
        """See `Engine.remove`."""
        models = library()
        points = [point_id(raw.decode()) for raw in ids.tolist()]
        for start in range(0, len(points), _BATCH):
            chosen = models.PointIdsList(points=points[start : start + _BATCH])
            with told(self._spec):
                self._client.delete(self._name, points_selector=chosen, wait=True)

    def search(self, queries: np.ndarray, k: int) -> Nearest:
        """See `Engine.search`."""
        ids = np.zeros((len(queries), k), dtype=ID)
        scores = np.full((len(queries), k), -np.inf, dtype=np.float32)
        for row, query in enumerate(queries):
            with told(self._spec):
                found = self._client.query_points(
                    self._name, query=query.tolist(), limit=k, with_payload=["id"]
                ).points
            for column, point in enumerate(found):
                ids[row, column] = point.payload["id"].encode()
                scores[row, column] = point.score
        return Nearest(ids, scores)

    def vector(self, id: bytes) -> np.ndarray | None:
        """See `Engine.vector`."""
        with told(self._spec):
            found = self._client.retrieve(
                self._name, [point_id(id.decode())], with_vectors=True, with_payload=["id"]
            )
        if not found or found[0].payload["id"] != id.decode():
            return None
        return np.asarray(found[0].vector, dtype=np.float32)

    @classmethod
    def open(cls, gallery: Gallery) -> Qdrant:
        """See `Engine.open`."""
        return cls(gallery.engine, gallery.dim)

    def describe(self, about: Mapping[str, object], files: Mapping[str, list[Any]]) -> None:
        """Keep the model with the collection, and the files of some photos with their points."""
        models = library()
        names = list(files)
        for start in range(0, len(names), _BATCH):
            with told(self._spec):
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
        with told(self._spec):
            self._client.update_collection(self._name, metadata={_ABOUT: json.dumps(about)})

    def files(self, ids: Sequence[str]) -> dict[str, list[Any]]:
        """What `describe` kept of some photos; those it does not know are left out."""
        with told(self._spec):
            found = self._client.retrieve(self._name, [point_id(name) for name in ids])
        return {point.payload["id"]: point.payload.get("files", []) for point in found}

    def _scroll(self) -> Iterator[Any]:
        offset = None
        while True:
            with told(self._spec):
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
    with told(spec):
        there = client.collection_exists(name)
        metadata = client.get_collection(name).config.metadata if there else None
    if not metadata or _ABOUT not in metadata:
        raise MissingError(
            f"{spec} is no gallery.", f"Type `sbirctl index FOLDER --gallery N --engine {spec}`."
        )
    about: dict[str, Any] = json.loads(metadata[_ABOUT])
    return about


def point_id(name: str) -> str:
    """The point of a photo: Qdrant takes UUIDs, so the first 16 bytes of its digest."""
    return str(uuid.UUID(name[:32]))
