"""How many images a second a training takes: from runs that are there, or measured."""

from __future__ import annotations

import itertools
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from sbirctl.core.config import to_dict
from sbirctl.core.errors import SbirctlError
from sbirctl.core.files import read_json
from sbirctl.core.home import RESULT, runs_dir

if TYPE_CHECKING:
    from sbirctl.sampling.subsets import Subset
    from sbirctl.training.config import TrainingConfig

# Settings that decide what an image costs; a model has some of them.
_COSTLY = ("size", "backbone", "network", "levels", "width", "depth", "edges", "train", "lambda1")
_BATCH = 4  # tuples of a measured step on a processor
_STEPS = 20  # are enough


class StepRate(NamedTuple):
    """What was measured: the rate, and how many images a step had, sketches and photos."""

    images_per_second: float
    images_per_step: int


def kind_of(model: str, settings: Mapping[str, Any]) -> str:
    """Equal for trainings whose images cost the same."""
    known = {key: settings[key] for key in _COSTLY if key in settings}
    if "backbone" in known:  # how much of it is frozen is part of the recipe
        known["backbone"] = {k: v for k, v in known["backbone"].items() if k != "freeze"}
    if "lambda1" in known:  # with it a second, frozen pass
        known["lambda1"] = bool(known["lambda1"])
    return repr((model, sorted(known.items(), key=lambda pair: pair[0])))


def known_rates(device: str) -> dict[str, float]:
    """{kind: images a second} of the finished runs on a device of this type, the latest first.

    Args:
        device: "cpu", "cuda" or "mps".
    """
    found: dict[str, tuple[str, float]] = {}
    for path in runs_dir().glob(f"*/{RESULT}"):
        try:
            result = read_json(path)
            about = result["provenance"]
            kind = kind_of(about["model"], about["settings"])
            if result["device"].partition(":")[0] != device or not result["images_per_second"]:
                continue
            entry = (str(result["finished"]), float(result["images_per_second"]))
        except (SbirctlError, LookupError, TypeError, AttributeError):
            continue  # a damaged run tells nothing of its speed
        found[kind] = max(found.get(kind, entry), entry)
    return {kind: rate for kind, (_, rate) in found.items()}


def measure(config: TrainingConfig, part: Subset, device: str, seconds: float) -> StepRate:
    """The rate of some training steps, the first of which is not counted.

    On a processor the batch is small, so that a step of a large network ends in time.

    Args:
        config: of the training. part: its training subset.
        seconds: after so long, or twenty steps, no further step begins.
    """
    from dataclasses import replace

    from sbirctl.core.device import auto_workers, keep_freed_memory
    from sbirctl.models import create
    from sbirctl.training.augment import augment
    from sbirctl.training.embedding import device_of
    from sbirctl.training.loader import BatchLoader, to_rgb
    from sbirctl.training.optim import make_optimizer, set_trainable
    from sbirctl.training.step import gradients

    keep_freed_memory()  # as `train` does
    settings = config.settings
    if device == "cpu":
        smallest = 2 * getattr(settings, "per_class", _BATCH // 2)
        settings = replace(settings, batch=min(settings.batch, smallest))
    model = create(
        config.model,
        device=device,
        dtype=settings.precision,
        weights="none",
        classes=part.classes,
        layers=[to_dict(settings)],
    )
    stage = model.recipe()[-1]
    optimizer = make_optimizer(stage, settings)
    model.begin(stage.name)
    model.train()
    set_trainable(model, stage, epoch := max(stage.frozen_epochs.values(), default=0))
    where = device_of(model)
    drawn = itertools.cycle(itertools.islice(stage.plan.batches(part, epoch, 0), 50))
    loader = BatchLoader(part, where, auto_workers(where), edges=model.needs_edges)
    images = steps = 0
    counted, begun = 0.0, time.perf_counter()
    for number, batch in enumerate(loader.batches(drawn)):
        start = time.perf_counter()
        changed = to_rgb(augment(batch, settings.augment, number))
        optimizer.zero_grad(set_to_none=True)
        terms = gradients(model, changed, stage.name, pieces=1, seed=0, autocast=model.autocast())
        optimizer.step()
        float(terms["total"])  # waits for the device
        now = time.perf_counter()
        if number:
            images, steps = images + len(batch.whole.ids), steps + 1
            counted += now - start
        if number >= _STEPS or (number and now - begun > seconds):
            break
    return StepRate(images / counted, images // steps)
