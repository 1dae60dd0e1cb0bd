"""What a figure's trust rests on: data, split, weights and settings of what was measured."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, get_args, get_origin, get_type_hints

from sbirctl.core.errors import MismatchError, nearest

SCHEMA = 1


@dataclass(frozen=True)
class Counts:
    """How much a subset holds.

    Attributes:
        classes, sketches, photos: numbers; copies count where the gallery's convention counts them.
    """

    classes: int
    sketches: int
    photos: int


@dataclass(frozen=True)
class Weights:
    """What a network started from.

    Attributes:
        name: the publisher's name of the weights, or the file's; "none" for random values.
        sha256: of the file, hexadecimal; "" for random values.
        source: "pretrained", "none" or the file's path.
    """

    name: str
    sha256: str
    source: str


@dataclass(frozen=True)
class Pretraining:
    """What the starting weights were trained on.

    Attributes:
        data, labels: in words; "not stated" where nobody knows.
        overlap: test classes among those of ImageNet-1k, by WordNet id or name, where its labels
            were learnt; None where the labels are not known to hold them.
    """

    data: str
    labels: str
    overlap: tuple[str, ...] | None = None


@dataclass(frozen=True)
class EdgeMaps:
    """Which edge maps of the photos were read.

    Attributes:
        name: of the set in the store. method: that made it, "folder" for given ones.
        parameters: of the method.
        pixels: SHA-256 of all maps.
    """

    name: str
    method: str
    parameters: Mapping[str, Any]
    pixels: str


@dataclass(frozen=True)
class Beginning:
    """The run whose weights a run began with.

    Attributes:
        run: its name. weights_digest: SHA-256 of its tensors.
        earlier_stages: whether it trained just the stages that this run left out
            (`--from-stage`); None where that is not known.
        settings: of that run, resolved.
    """

    run: str
    weights_digest: str
    earlier_stages: bool | None = None
    settings: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Reranking:
    """What was done to a ranking after the model.

    Attributes:
        method: its name, as `rerank --method` takes it.
        settings: of the method.
        sources: the rankings that were fused, in words; () where there was one.
    """

    method: str
    settings: Mapping[str, Any]
    sources: tuple[str, ...] = ()

    def __str__(self) -> str:
        values = ", ".join(f"{key}={value}" for key, value in self.settings.items())
        of = f" of {' and '.join(self.sources)}" if self.sources else ""
        return f"{self.method} ({values}){of}" if values else f"{self.method}{of}"


@dataclass(frozen=True)
class Provenance:
    """What is known of a measurement. None is what nobody recorded, as in files made elsewhere.

    Attributes:
        task: name of the task.
        options: the task's options that held, as a person types them.
        protocol: named protocol of the splits (`cd`: zse or drclip).
        dataset: the published data set trained on, or the store's own name.
        store, store_digest: name and content digest of the prepared data set.
        target, target_store_digest: the second data set, where the test side is another's.
        split, split_digest: class list, and digest of all that decides the test side.
        source_split: class list of the data set trained on, where there are two.
        class_list: where a list of two data sets comes from: given, published or by rule.
        unseen: test classes that were not trained on.
        val_classes: seen classes held out for validation.
        left_out: seen classes without sketches or photos, not trained on.
        untested: unseen classes dropped from the test, for too few photos.
        joined, joined_from: seen classes that join the test side, and whose list they are.
        query_rule: how the query sketches or test instances were chosen, in words.
        published_queries: whether that rule is the published number or list.
        gallery: convention of the gallery: all, extended, both or instances.
        gallery_trained_on: whether photos of the gallery were trained on.
        distractors: photos of the gallery that no sketch was drawn from.
        scope: "all" ranks against the whole gallery, "class" against the query's class.
        leaks_dropped: images common to training and test that were left out of training.
        leaks_allowed: test images that were trained on because a person allowed it.
        counts: of the subsets train, val and test.
        notes: sentences for people.
        seed: of starting values, batches, augmentation and the validation subset.
        run: name of the run.
        model: registry name.
        settings: of the model and its recipe, resolved.
        weights: what the network started from.
        pretraining: what those weights were trained on.
        trained: whether it was trained here.
        refit: whether the validation subset was trained on in the end.
        edges: which edge maps were read, where the model reads any.
        init: the run whose weights training began with.
        side: which subset was embedded: train, val or test.
        runtime: "onnx" where ONNX Runtime made the vectors, "onnx int8" with weights of eight bits;
            else torch did.
        reranked: what was done to the ranking after the model, in order.
    """

    task: str | None = None
    options: Mapping[str, Any] | None = None
    protocol: str | None = None
    dataset: str | None = None
    store: str | None = None
    store_digest: str | None = None
    target: str | None = None
    target_store_digest: str | None = None
    split: str | None = None
    split_digest: str | None = None
    source_split: str | None = None
    class_list: str | None = None
    unseen: tuple[str, ...] | None = None
    val_classes: tuple[str, ...] | None = None
    left_out: tuple[str, ...] | None = None
    untested: tuple[str, ...] | None = None
    joined: tuple[str, ...] | None = None
    joined_from: str | None = None
    query_rule: str | None = None
    published_queries: bool | None = None
    gallery: str | None = None
    gallery_trained_on: bool | None = None
    distractors: int | None = None
    scope: str | None = None
    leaks_dropped: int | None = None
    leaks_allowed: int | None = None
    counts: Mapping[str, Counts] | None = None
    notes: tuple[str, ...] = ()
    seed: int | None = None
    run: str | None = None
    model: str | None = None
    settings: Mapping[str, Any] | None = None
    weights: Weights | None = None
    pretraining: Pretraining | None = None
    trained: bool | None = None
    refit: bool | None = None
    edges: EdgeMaps | None = None
    init: Beginning | None = None
    side: str | None = None
    runtime: str | None = None
    reranked: tuple[Reranking, ...] | None = None

    @property
    def after_model(self) -> str:
        """What was done to the ranking after the model, in words; "" for nothing."""
        steps = ", then ".join(map(str, self.reranked or ()))
        return f"re-ranked by {steps}" if steps else ""

    @property
    def computed(self) -> str:
        """By what and in which number format, in words; "" for torch and a format of the device."""
        precision = str((self.settings or {}).get("precision", ""))
        said = {
            "vectors by ONNX Runtime": self.runtime is not None,
            "weights of eight bits": self.runtime == "onnx int8",
            f"vectors in {precision}": precision in ("bf16", "fp16", "bfloat16", "float16"),
        }
        return ", ".join(text for text, holds in said.items() if holds)

    @property
    def leak(self) -> str:
        """A sentence where test images were trained on, "" where none were."""
        if not self.leaks_allowed:
            return ""
        return f"{self.leaks_allowed:,} test images were trained on: no zero-shot figure"

    @property
    def held_out(self) -> str:
        """What of the training side was held out to the end, in words; "" for nothing."""
        known = self.counts or {}
        if "val" not in known or "train" not in known:
            return ""
        some, rest = (getattr(known[name], self._unit[0]) for name in ("val", "train"))
        return f"{some:,} of {some + rest:,} {self._unit[1]} held out"

    @property
    def learnt(self) -> str:
        """What was trained on, in words; "" where it is not recorded."""
        known = self.counts or {}
        if "train" not in known:
            return ""
        return f"{getattr(known['train'], self._unit[0]):,} {self._unit[1]}"

    @property
    def _unit(self) -> tuple[str, str]:
        """Which of the counts a validation subset is cut from, and its word."""
        if self.task == "fg":
            return "classes", "training instances"
        if self.task == "sbir":
            return "sketches", "training sketches"
        return "classes", "seen classes"

    def unstated(self) -> tuple[str, ...]:
        """Which of the things every figure depends on nobody recorded."""
        return tuple(name for name in NEEDED if getattr(self, name) is None)

    def to_json(self) -> dict[str, Any]:
        """Plain values with the schema's number; what is not known is left out."""
        return {"schema": SCHEMA, **_plain(self)}

    @classmethod
    def from_json(cls, value: object) -> Provenance:
        """What `to_json` gave.

        Raises:
            MismatchError: a newer version wrote it, or a field is unknown or of another type.
        """
        given = dict(_mapping(value, "The provenance"))
        schema = given.pop("schema", SCHEMA)
        if not isinstance(schema, int) or schema > SCHEMA:
            raise MismatchError(
                f"The provenance has schema {schema}; this version reads up to {SCHEMA}.",
                "Install a newer sbirctl.",
            )
        found: Provenance = _made(cls, given, "provenance")
        return found


NEEDED = ("task", "dataset", "store_digest", "seed", "model", "settings", "weights", "trained")


def _plain(value: object) -> Any:
    if dataclasses.is_dataclass(value):
        known = {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
        return {name: _plain(v) for name, v in known.items() if v is not None}
    if isinstance(value, tuple | list):
        return [_plain(v) for v in value]
    if isinstance(value, Mapping):
        return {key: _plain(v) for key, v in value.items()}
    return value


def _mapping(value: object, name: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise MismatchError(f"{name} is {value!r}, not an object.", "See docs/formats.md.")
    return value


def _made(kind: type, value: object, name: str) -> Any:
    """An instance of a dataclass from plain values, each of its field's type."""
    given = _mapping(value, name)
    hints = get_type_hints(kind)
    for key in given:
        if key not in hints:
            raise MismatchError(f"The {name} has no field {key!r}.", nearest(key, hints))
    made = {key: _typed(hints[key], one, f"{name}.{key}") for key, one in given.items()}
    needed = [f.name for f in dataclasses.fields(kind) if f.default is dataclasses.MISSING]
    if missing := [key for key in needed if key not in made]:
        raise MismatchError(f"{name} has no {', '.join(missing)}.", "See docs/formats.md.")
    return kind(**made)


def _typed(kind: Any, value: object, name: str) -> Any:
    origin, inner = get_origin(kind), get_args(kind)
    if origin in (types.UnionType, typing.Union):
        (kind,) = (one for one in inner if one is not type(None))
        return None if value is None else _typed(kind, value, name)
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        return _made(kind, value, name)
    if origin is tuple and isinstance(value, list | tuple):
        return tuple(_typed(inner[0], one, name) for one in value)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        pairs = _mapping(value, name).items()
        return {key: one if inner[1] is Any else _typed(inner[1], one, name) for key, one in pairs}
    if isinstance(kind, type) and type(value) is kind:
        return value
    raise MismatchError(f"{name} is {value!r}, not {_words(kind)}.", "See docs/formats.md.")


def _words(kind: Any) -> str:
    names = {str: "text", int: "a whole number", bool: "true or false"}
    return names.get(kind, "a list")
