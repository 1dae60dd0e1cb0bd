"""Open weights by name: one word sets network, size, mean, deviation and activation.

`_named_weights.toml` holds them, with the values of the library's own record, so that they are
listed without torch.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from sbirctl.core.config import Layer, kinds
from sbirctl.core.errors import UsageError
from sbirctl.core.progress import Reporter
from sbirctl.models._download import PRETRAINED, RANDOM, missing_file
from sbirctl.models._presets import flat
from sbirctl.models._registry import MODELS, settings_schema

if TYPE_CHECKING:
    from sbirctl.models._recipe import ModelSettings
    from sbirctl.models._weights import WeightsRecord

_FILE = Path(__file__).with_name("_named_weights.toml")
WORDS = (PRETRAINED, RANDOM)
_BYTES = 4  # a parameter in float32
IMAGENET = "ImageNet-1k"
NOT_STATED = "not stated"
_LIBRARIES = ("torchvision ", "timm ", "open_clip ")  # their published names say what they were
# A part of the published name, the data, and what they were labelled with; the first that fits.
_KNOWN = (
    (r"ijepa", "images of ImageNet", "none"),
    (r"in2[12]k|in12k|IMAGENET2[12]K", "ImageNet-21k", "class names, ImageNet-1k's among them"),
    (r"in1k|IMAGENET1K", IMAGENET, "its 1,000 class names"),
    (r"openai", "400 million image-text pairs of OpenAI, not published", "captions"),
    (r"laion", "LAION's image-text pairs", "captions"),
    (r"datacomp", "DataComp's image-text pairs", "captions"),
    (r"dfn|webli|mclip|metaclip", "image-text pairs that are not published", "captions"),
    (r"dino|lvd|mae|ijepa", "images", "none"),
)


@dataclass(frozen=True)
class NamedWeights:
    """Weights that a model can start from, `--weights NAME`.

    Attributes:
        name: what a person types.
        library: whose network it is.
        model, tag: open_clip's architecture and tag; of timm the name holds the tag.
        size: side of the square input in pixels.
        mean, std: of the inputs, of 0..1.
        resize: how the inputs were resized.
        dim: numbers of an embedding (of a timm network: pooled features).
        parameters: of all towers. image_parameters: of the image tower.
        licence: of the weights, as published.
        data: what they were trained on.
        figure: a published figure on sketches, with where it stands, "" for none known.
    """

    name: str
    library: Literal["open_clip", "timm"]
    model: str
    size: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    resize: str
    dim: int
    parameters: int
    image_parameters: int
    licence: str
    data: str
    tag: str = ""
    figure: str = ""

    @property
    def text(self) -> bool:
        """Whether there is a text tower."""
        return self.library == "open_clip"

    @property
    def plain_model(self) -> str:
        """The model that embeds with them as they come."""
        return "clip" if self.text else "baseline"

    @property
    def megabytes(self) -> float:
        """Of all towers in float32."""
        return self.parameters * _BYTES / 1e6

    @property
    def backbone(self) -> dict[str, str]:
        """The settings of the network among them."""
        return {"name": self.model, **({"pretrained": self.tag} if self.tag else {})}

    @property
    def layer(self) -> Layer:
        """The settings that belong to them."""
        return {
            "backbone": self.backbone,
            "size": self.size,
            "resize": self.resize,
            "mean": self.mean,
            "std": self.std,
        }


def search_weights() -> NamedWeights:
    """What a gallery's `clip` starts from where nobody says."""
    return named_weights()[_file()["search"]]


@cache
def _file() -> dict[str, Any]:
    return tomllib.loads(_FILE.read_text(encoding="utf-8"))


@cache
def named_weights() -> Mapping[str, NamedWeights]:
    """All of them by their names, in the file's order."""
    data = _file()["weights"]
    made = [NamedWeights(**{**w, "mean": tuple(w["mean"]), "std": tuple(w["std"])}) for w in data]
    return {one.name: one for one in made}


def find_named_weights(weights: str) -> NamedWeights | None:
    """Those of that name; a file of that name comes first."""
    return None if Path(weights).expanduser().is_file() else named_weights().get(weights)


def misfit(model: str, weights: NamedWeights) -> str:
    """Why a model takes no such network of its library, "" where it takes it or no such library."""
    return str(_file()["misfits"].get(model, {}).get(weights.name, ""))


def starting_models(weights: NamedWeights) -> tuple[str, ...]:
    """Models that can start from them."""
    return tuple(
        name
        for name in MODELS.names()
        if _library(name) == weights.library and not misfit(name, weights)
    )


def settings_layer(model: str, weights: str) -> Layer:
    """The settings that come with weights named by `--weights`; {} for a file and the like.

    Raises:
        UsageError: the model does not start from such a network.
    """
    found = find_named_weights(weights)
    if found is None:
        return {}
    if _library(model) != found.library:
        raise UsageError(
            f"{model} does not start from {weights}, a network of {found.library}.",
            f"`sbirctl weights --model {model}` lists what it starts from.",
        )
    if reason := misfit(model, found):
        raise UsageError(
            f"{model} does not start from {weights}: {reason}.",
            f"`sbirctl weights --model {model}` lists what it starts from.",
        )
    return found.layer


def publishers(weights: str) -> str:
    """ "pretrained" for a name: the settings that come with it say whose; else the same."""
    return PRETRAINED if find_named_weights(weights) else weights


def refuse_missing(weights: str) -> None:
    """Raise MissingError where `weights` is no word for weights, no name, and no file."""
    known = weights in WORDS or weights in named_weights()
    if not known and not Path(weights).expanduser().is_file():
        raise missing_file(weights)


def warn_of_contradictions(settings: ModelSettings, weights: str, report: Reporter) -> None:
    """Warn of settings that are not those the named weights were trained with.

    Mean and deviation are left to those who load weights: every publisher says them.
    """
    found = find_named_weights(weights)
    if found is None:
        return
    for key, value in flat(found.layer).items():
        if key in ("mean", "std"):
            continue
        held = attrgetter(key)(settings)
        if held != value:
            report.warn(f"{weights} was trained with {key}={value}, not {held}.")


@cache
def _library(model: str) -> str:
    """Whose networks a model starts from, "" for neither."""
    known = kinds(settings_schema(model) or MODELS.get(model).Settings)
    if "backbone.pretrained" in known:
        return "open_clip"
    return "timm" if "backbone.name" in known else ""


def pretrained_on(record: WeightsRecord) -> tuple[str, str]:
    """(data, labels) in words; data is "none" for random values.

    A file is known by the digest that torchvision and timm put into the names of theirs.
    """
    if record.name == RANDOM:
        return "none", "none"
    name = record.name
    if record.sha256 and not name.startswith(_LIBRARIES):
        name += f" {_published().get(record.sha256[:8], '')}"
    for part, data, labels in _KNOWN:
        if re.search(part, name):
            return data, labels
    return NOT_STATED, NOT_STATED


@cache
def _published() -> dict[str, str]:
    """{first eight digits of a file's SHA-256: its published name}."""
    found = ((re.search(r"-([0-9a-f]{8})\.pth?$", url), name) for url, name in _urls())
    return {digits[1]: name for digits, name in found if digits}


def _urls() -> Iterator[tuple[str, str]]:
    import timm
    import torchvision
    from timm.models import get_pretrained_cfg

    for model in torchvision.models.list_models():
        for weights in torchvision.models.get_model_weights(model):
            yield weights.url, weights.name
    for name in timm.list_pretrained():
        config = get_pretrained_cfg(name)
        if config is not None and config.url:
            yield config.url, name
