"""Making a model: by name for a new run, or again from what a checkpoint says about itself."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sbirctl.core.config import Layer, keys, resolve
from sbirctl.core.device import pick_device, pick_dtype
from sbirctl.core.errors import MismatchError, SbirctlError, UsageError
from sbirctl.core.progress import SILENT, Reporter
from sbirctl.core.seeds import seed_for
from sbirctl.models._cards import refuse_preset
from sbirctl.models._named_weights import publishers, settings_layer, warn_of_contradictions
from sbirctl.models._registry import MODELS
from sbirctl.store.manifest import MODALITIES

if TYPE_CHECKING:
    from sbirctl.models._base import Model
    from sbirctl.models._recipe import ModelSettings


def resolve_settings(
    name: str,
    layers: Iterable[Mapping[str, Any]] = (),
    *,
    weights: str = "",
    report: Reporter = SILENT,
) -> ModelSettings:
    """The settings of model `name`: its defaults, its preset if a layer names one, the layers.

    Args:
        name: a registered model.
        layers: of rising precedence; the preset "none" is none, whatever layers before name.
        weights: starting weights; those with a name (`sbirctl weights`) bring their network, size,
            mean and deviation, over a preset's and under the layers'.
        report: is told of settings that have another name now, and warned of those that do not
            belong to the weights.

    Raises:
        UsageError: an unknown model, preset, key or value, or weights of another kind of network.
    """
    model = MODELS.get(name)
    layers = [_without_preset(layer) for layer in layers]
    preset = next((str(x["preset"]) for x in reversed(layers) if "preset" in x), "")
    refuse_preset(name, preset)
    known = (model.presets.get(preset, {}), settings_layer(name, weights))
    settings = resolve(model.Settings, *known, *layers, report=report)
    warn_of_contradictions(settings, weights, report)
    return settings


def create(
    name: str,
    *,
    device: str = "auto",
    dtype: str = "auto",
    weights: str | Path = "pretrained",
    classes: tuple[str, ...] | None = None,
    layers: Iterable[Mapping[str, Any]] = (),
    seed: int = 0,
    report: Reporter = SILENT,
) -> Model:
    """A model with its starting weights, in evaluation mode on its device.

    Args:
        name: a registered model.
        device: auto, cpu, cuda, cuda:1, mps.
        dtype: auto, fp32 or bf16, what `embed` computes in.
        weights: "pretrained" (the publisher's), "none" (random), a name (`sbirctl weights`) or a
            file.
        classes: names of the training classes; None for embedding as it is, without training.
        layers: settings of rising precedence, a preset's name among them.
        seed: for what starts random; torch's own generator stays as it was.
        report: is warned where mean and std are not those of the published weights, and told what
            else became of them.

    Raises:
        UsageError: an unknown name or setting, or a size that the network does not take.
        MissingError: the weights are not there.
        MismatchError: the weights are another architecture's.
    """
    settings = resolve_settings(name, layers, weights=str(weights), report=report)
    model = _build(name, settings, classes, seed)
    _check_size(model)
    weights = publishers(str(weights))
    model.weights = model.load_weights(weights)
    if model.weights.remark:
        report.note(f"{model.weights.name}: {model.weights.remark}")
    if weights == "pretrained":
        _check_normalisation(model, report)
    return _on_device(model, device, dtype)


def rebuild(
    name: str,
    settings: Mapping[str, Any],
    classes: tuple[str, ...] | None,
    *,
    device: str = "auto",
    dtype: str = "auto",
    weights: str | Path = "none",
    seed: int = 0,
    version: int = 1,
    recipe: Collection[str] = (),
    report: Reporter = SILENT,
) -> Model:
    """The model a checkpoint was made from, for `load_checkpoint_state`; downloads nothing.

    Args:
        name: a registered model.
        settings: `core.config.to_dict` of the settings that held (the preset is in them).
        classes: the training classes.
        device, dtype: as for `create`.
        weights: as for `create`; only for models whose checkpoint leaves frozen parts out.
        seed: for what the checkpoint leaves out, if anything.
        version: `Model.settings_version` of the model that wrote it.
        recipe: those of `settings` that only said how to train; what this version does not know
            of them is left out.
        report: is told of settings that are left out.

    Raises:
        UsageError: an unknown name.
        MismatchError: a setting of the network is unknown to this version of the model.
    """
    cls = MODELS.get(name)
    resolved = resolve(cls.Settings, _known_today(cls, settings, version, recipe, report))
    model = _build(name, resolved, classes, seed)
    model.weights = model.load_weights(publishers(str(weights)))
    return _on_device(model, device, dtype)


def _without_preset(layer: Mapping[str, Any]) -> Mapping[str, Any]:
    return {**layer, "preset": ""} if layer.get("preset") == "none" else layer


def _known_today(
    model: type[Model],
    settings: Mapping[str, Any],
    version: int,
    recipe: Collection[str],
    report: Reporter,
) -> Layer:
    """A checkpoint's settings as this version of its model has them."""
    given = model.upgrade(dict(settings), version)
    unknown = [key for key in given if key not in keys(model.Settings, former=True)]
    needed = [key for key in unknown if key not in recipe]
    if needed:
        raise MismatchError(
            f"The checkpoint has the setting {needed[0]!r}, which this version of {model.name}"
            " does not know.",
            "Use the version of sbirctl that wrote it, or train again.",
        )
    if unknown:
        report.note(
            f"{', '.join(unknown)}: a setting of the training that {model.name} no longer has"
        )
    return {key: value for key, value in given.items() if key not in unknown}


def _build(name: str, settings: ModelSettings, classes: tuple[str, ...] | None, seed: int) -> Model:
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed_for(seed, "weights"))
        return MODELS.get(name)(settings, classes)


def _check_size(model: Model) -> None:
    """Refuse a size of pictures that the network does not take, before weights are fetched."""
    import torch

    size = model.settings.size
    images = torch.zeros((1, 3, size, size), dtype=torch.uint8)
    edges = images[:, :1] if model.needs_edges else None
    model.eval()
    try:
        for modality in MODALITIES:
            model.embed(images, modality, edges if modality == "photo" else None)
    except SbirctlError:
        raise
    except Exception as error:  # each network has its own way to say so
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise UsageError(
            f"Pictures of size={size} do not fit the network of {model.name}: {reason}",
            "Choose the size its backbone was made for, as --set size=224, or make a ViT of timm "
            f"for this one: --set backbone.img_size={size}.",
        ) from error


def _check_normalisation(model: Model, report: Reporter) -> None:
    expected = model.expected_normalisation()
    given = (model.settings.mean, model.settings.std)
    if expected is None:
        return
    for name, own, wanted in zip(("mean", "std"), given, expected, strict=True):
        values = own * len(wanted) if len(own) == 1 else own
        if any(abs(a - b) > 1e-3 for a, b in zip(values, wanted, strict=True)):
            text = ",".join(map(str, wanted))
            report.warn(
                f"{model.weights.name} was trained with {name}={text}, not"
                f" {','.join(map(str, own))}; add --set {name}={text}"
            )


def _on_device(model: Model, device: str, dtype: str) -> Model:
    import torch

    chosen = pick_device(device)
    model.compute_dtype = pick_dtype(dtype, chosen)
    model.to(chosen).to(memory_format=torch.channels_last)
    return model.eval()
