"""A trained model on data it was not trained for: what may be tested, and what it has seen."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from sbirctl.core.errors import MismatchError, SbirctlError, UsageError, nearest
from sbirctl.core.progress import SILENT, Reporter
from sbirctl.retrieval.provenance import Counts, Provenance
from sbirctl.sampling.subsets import ImageSubset, Partition, Subset
from sbirctl.splits.resolve import ALL
from sbirctl.splits.spellings import key
from sbirctl.tasks import dataset_of, images_in_common, split_for, unseen_and_seen
from sbirctl.training.checkpoint import Checkpoint
from sbirctl.training.config import Flags
from sbirctl.training.inputs import Data, Inputs, reopen
from sbirctl.training.near_duplicates import near_duplicates

LEAKS = ("refuse", "drop")
_TASKS = ("cg", "fg")
_SHOWN = 5


def on_other_data(
    checkpoint: Checkpoint, given: Flags, leaks: str, report: Reporter = SILENT
) -> tuple[Data, Provenance]:
    """The test side of other data, without what the model was trained on.

    Args:
        checkpoint: that says what it was trained on.
        given: `dataset`, `split` ("" for all classes), and `task` (cg or fg; "" for cg).
        leaks: "refuse" classes and images that were trained on, or "drop" them from the test.

    Returns:
        The data, whose training side is the checkpoint's as far as it is at hand, and what is
        known of a measurement on them.

    Raises:
        UsageError: another task, a second data set, or another word for `leaks`.
        MismatchError: something tested was trained on and `leaks` is "refuse", or nothing is left.
        MissingError: the data set is not prepared.
    """
    assert checkpoint.data is not None
    task = given.get("task", "") or "cg"
    if task not in _TASKS:
        raise UsageError(
            f"A trained model is tested on other data by the task cg or fg, not {task}.",
            "Leave out --task.",
        )
    if given.get("target", ""):
        raise UsageError(
            "A trained model is tested on other data by their name alone.",
            f"Leave out --target; --dataset {given['target']} tests those.",
        )
    if leaks not in LEAKS:
        raise UsageError(f"--leaks {leaks!r} is neither refuse nor drop.", nearest(leaks, LEAKS))
    data = _tested(given, given.get("dataset", "") or checkpoint.data.dataset, task)
    trained = _trained_side(checkpoint, report)
    test, notes = _never_seen(data, checkpoint, trained, leaks, report)
    train = trained or _nothing(data.partition.train, checkpoint.classes or ())
    found = _recorded(checkpoint.provenance, data, test, (*data.partition.provenance.notes, *notes))
    other = data.store.digest != checkpoint.data.identity["store"]
    inputs = replace(data.inputs, task="cd" if other and task == "cg" else task)
    partition = Partition(train, None, test, found)
    return replace(data, inputs=inputs, partition=partition), replace(found, task=inputs.task)


def _tested(given: Flags, dataset: str, task: str) -> Data:
    """The data with a test side; what the task would train on does not count."""
    split = given.get("split", "")
    if task == "fg":
        return Inputs(dataset=dataset, task=task, split=split).open()
    data = Inputs(dataset=dataset, task=task, split=ALL).open()
    if split in ("", ALL):
        return data
    named = split_for(data.store, split)
    wanted = set(unseen_and_seen(data.store, named)[0])
    test = data.partition.test
    others = tuple(name for name in test.classes if name not in wanted)
    named_photo, named_sketch = (
        np.isin(np.array(test.classes)[side.label], list(wanted))
        for side in (test.photo, test.sketch)
    )
    known = replace(data.partition.provenance, split=named.name, split_digest=named.digest)
    partition = replace(
        data.partition, test=_without(test, named_photo, named_sketch, others), provenance=known
    )
    return replace(data, inputs=replace(data.inputs, split=split), partition=partition)


def _trained_side(checkpoint: Checkpoint, report: Reporter) -> Subset | None:
    """What it was trained on, where that data set is still here as it was."""
    assert checkpoint.data is not None
    try:
        return reopen(checkpoint.data).partition.train
    except SbirctlError as error:
        report.warn(f"Images in common are not looked for, only classes: {error.message}")
        return None


def _never_seen(
    data: Data, checkpoint: Checkpoint, trained: Subset | None, leaks: str, report: Reporter
) -> tuple[Subset, tuple[str, ...]]:
    """The test side without classes and images that were trained on, and what was left out."""
    test = data.partition.test
    # A class of the task fg is an instance: the photo `shoe/001` or, elsewhere, its edge map.
    known = {key(name) for name in checkpoint.classes or ()}
    common = tuple(name for name in test.classes if key(name) in known)
    photo = ~np.isin(test.photo.label, [test.classes.index(c) for c in common])
    sketch = ~np.isin(test.sketch.label, [test.classes.index(c) for c in common])
    images, near = 0, 0
    if trained is not None:
        same_photo, same_sketch = images_in_common(test, trained)
        images = int((same_photo & photo).sum() + (same_sketch & sketch).sum())
        photo, sketch = photo & ~same_photo, sketch & ~same_sketch
        alike = near_duplicates(test.photo, trained.photo, report) & photo
        near, photo = int(alike.sum()), photo & ~alike
    said = []
    if common:
        what = "instances" if data.inputs.task == "fg" else "classes"
        share = f"{len(common)} of {len(test.classes)} {what}"
        share = f"the only {what[:-2]}" if len(test.classes) == 1 else share
        verb = "was" if len(test.classes) == 1 else "were"
        said.append(f"{share} {verb} trained on: {_few(common)}")
    if images:
        said.append(f"{images} test images were trained on")
    if near:
        said.append(f"{near} test photos look like photos that were trained on")
    kept = _without(test, photo, sketch, common)
    left = len(kept.photo) and len(kept.sketch)
    if said and leaks == "refuse":
        hint = "Leave them out of the test: --leaks drop. Or name a --split."
        raise MismatchError(f"{'; '.join(said)}.", hint if left else _other_test(data))
    if not left:
        raise MismatchError("Nothing is left to test: all of it was trained on.", _other_test(data))
    notes = [f"Left out of the test: {one}." for one in said]
    if data.inputs.task == "fg" and (shared := _classes_in_common(data, known)):
        notes.append(f"Classes of the test that were trained on, by other images: {shared}.")
    return kept, tuple(notes)


def _classes_in_common(data: Data, known: set[str]) -> str:
    """Classes whose instances are tested and that were trained on as classes, in words."""
    items, tested = data.store.items, data.partition.test.photo.instance
    photos = np.isin(items.instance, tested) & (items.instance >= 0)
    names = [items.classes[label] for label in np.unique(items.label[photos])]
    return _few(tuple(name for name in names if key(name) in known))


def _other_test(data: Data) -> str:
    """What can be tested where every class or instance was trained on."""
    if data.inputs.task == "cg" and (data.partition.test.sketch.instance >= 0).any():
        name = data.store.name
        return f"Test single photos of theirs: `sbirctl embed RUN --dataset {name} --task fg`."
    return "Test classes that it was not trained on."


def _few(names: tuple[str, ...]) -> str:
    return ", ".join(names[:_SHOWN]) + (", …" if len(names) > _SHOWN else "")


def _without(
    test: Subset, photo: np.ndarray, sketch: np.ndarray, classes: tuple[str, ...]
) -> Subset:
    """The subset of the images kept, whose labels count in the classes that are left."""
    names = tuple(name for name in test.classes if name not in classes)
    index = {name: i for i, name in enumerate(names)}
    table = np.array([index.get(name, -1) for name in test.classes], dtype=np.int64)

    def side(images: ImageSubset, keep: np.ndarray) -> ImageSubset:
        some = images.take(keep)
        return replace(some, label=table[some.label])

    seen = np.zeros(len(names), dtype=bool)
    return Subset(side(test.photo, photo), side(test.sketch, sketch), names, seen)


def _nothing(subset: Subset, classes: tuple[str, ...]) -> Subset:
    """An empty subset that only names the classes trained on."""
    none = np.zeros(0, dtype=np.int64)
    empty = {side: getattr(subset, side).take(none) for side in ("photo", "sketch")}
    return Subset(**empty, classes=classes, seen=np.ones(len(classes), dtype=bool))


def _recorded(trained: Provenance, data: Data, test: Subset, notes: tuple[str, ...]) -> Provenance:
    """What the checkpoint says of its training, and what it was tested on here."""
    here = data.partition.provenance
    counts = dict(trained.counts or {})
    counts["test"] = Counts(len(test.classes), len(test.sketch), len(test.photo))
    return replace(
        trained,
        task=here.task,
        options=here.options,
        protocol=None,
        target=dataset_of(data.store),
        target_store_digest=data.store.digest,
        split=here.split,
        split_digest=here.split_digest,
        source_split=trained.split,
        class_list="given",
        unseen=test.classes if here.task == "cg" else here.unseen,
        untested=here.untested,
        joined=None,
        joined_from=None,
        query_rule=here.query_rule,
        published_queries=here.published_queries,
        gallery=here.gallery,
        distractors=here.distractors,
        scope=here.scope,
        counts=counts,
        notes=notes,
    )
