"""What may differ between a row's system and what a run trained, one check a function.

Each check gives its reasons in words, none where nothing differs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from sbirctl.core.config import to_dict
from sbirctl.core.errors import few
from sbirctl.edges.settings import edge_settings
from sbirctl.report.published import Figure
from sbirctl.report.subject import Subject

Reasons = Sequence[str]
SHOWN = 6


class Pair(NamedTuple):
    """A published figure and what stands beside it."""

    figure: Figure
    subject: Subject


def value_of(value: object) -> str:
    """A setting's value as it is typed."""
    if isinstance(value, tuple | list):
        return ",".join(map(value_of, value))
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:g}"
    return "not recorded" if value is None else str(value)


def model(pair: Pair) -> Reasons:
    """Another system."""
    ours, theirs = pair.subject.model, pair.figure.card.name
    return () if ours == theirs else (f"another system: {theirs}, here {ours or 'not recorded'}",)


def settings(pair: Pair) -> Reasons:
    """Other settings of the kind "method"; see `Preset.other_method`."""
    if pair.subject.model != pair.figure.card.name:
        return ()
    if pair.subject.provenance.settings is None:
        return ("the settings are not recorded",)
    differing = pair.figure.preset.other_method(pair.subject.provenance.settings)
    said = few([f"{key}={value_of(value)}" for key, value in differing.items()], SHOWN)
    return (f"other settings: {said}",) if differing else ()


def trained(pair: Pair) -> Reasons:
    """Not trained here."""
    if pair.subject.provenance.trained:
        return ()
    if pair.subject.provenance.trained is None:
        return ("whether it was trained is not recorded",)
    return ("not trained",)


def weights(pair: Pair) -> Reasons:
    """Begun with other weights than the publisher's."""
    known = pair.subject.provenance.weights
    if known is None:
        return ("the starting weights are not recorded",)
    if known.source == "none":
        return ("random weights",)
    published = tuple(w.sha256 for w in pair.figure.card.weights if w.sha256)
    if known.source == "pretrained" or (published and known.sha256.startswith(published)):
        return ()
    return (f"other starting weights: {known.name}",)


def begun_with(pair: Pair) -> Reasons:
    """Begun with the weights of another run, unless that trained the recipe's earlier stages.

    They may be the row's own or those of the paper's main row, which ablations share.
    """
    init = pair.subject.provenance.init
    if init is None:
        return ()
    if not init.earlier_stages:
        return (f"begun with the weights of the run {init.run}",)
    if init.settings is None:
        return (f"the settings of the earlier stages ({init.run}) are not recorded",)
    presets = (pair.figure.card.presets["paper"], pair.figure.preset)
    main, own = (preset.other_method(init.settings) for preset in presets)
    if not main or not own:
        return ()
    said = few([f"{key}={value_of(value)}" for key, value in main.items()], SHOWN)
    return (f"other settings in the earlier stages: {said}",)


def leaks(pair: Pair) -> Reasons:
    """Test images were trained on."""
    known = pair.subject.provenance
    return (known.leak,) if known.leak else ()


def reranked(pair: Pair) -> Reasons:
    """The ranking is not the model's alone."""
    done = pair.subject.provenance.after_model
    return (done,) if done else ()


def held_out(pair: Pair) -> Reasons:
    """Something of the training side was held out for validation."""
    known = pair.subject.provenance
    if not known.trained or not known.held_out:
        return ()
    return (f"{known.held_out}: `--refit` trains on all",)


def trained_classes(pair: Pair) -> Reasons:
    """Trained on another number of classes, whatever was held out."""
    known = pair.subject.provenance.counts or {}
    if not pair.subject.provenance.trained or not pair.figure.column.trained:
        return ()
    if "train" not in known:
        return ("how many classes were trained on is not recorded",)
    held = known["val"].classes if "val" in known and pair.subject.task != "sbir" else 0
    ours = known["train"].classes + held
    if ours == pair.figure.column.trained:
        return ()
    what = "instances" if pair.subject.task == "fg" else "classes"
    return (f"trained on {ours:,} {what} against {pair.figure.column.trained:,}",)


def edge_maps(pair: Pair) -> Reasons:
    """Edge maps of another method, or of the method with other parameters than its own."""
    known, method = pair.subject.provenance.edges, pair.figure.preset.edges
    if known is None or not method:
        return ()
    if known.method != method:
        return (f"edge maps by {known.method} against {method}",)
    usual = to_dict(edge_settings(method))
    differing = {k: v for k, v in known.parameters.items() if usual.get(k) != v}
    said = few([f"{key}={value_of(value)}" for key, value in differing.items()], SHOWN)
    return (f"edge maps by {method} with {said}",) if differing else ()


TRAINING_CHECKS: tuple[Callable[[Pair], Reasons], ...] = (
    model,
    settings,
    trained,
    weights,
    begun_with,
    leaks,
    reranked,
    edge_maps,
    trained_classes,
    held_out,
)
