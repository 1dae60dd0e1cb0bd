"""What models share that train a prompted CLIP image encoder beside a frozen text encoder.

Their checkpoints hold the trained parameters alone, bound to the frozen weights by a digest.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from sbirctl.core.errors import MismatchError
from sbirctl.models._base import Model
from sbirctl.models._recipe import ParamGroup
from sbirctl.models._weights import RANDOM, WeightsRecord
from sbirctl.models.layers.class_texts import class_texts, filled
from sbirctl.models.layers.clip_towers import (
    build_clip,
    check_size,
    encode_texts,
    fill_clip,
    normalisation,
    read_clip_weights,
)

DIGEST = "frozen.sha256"


class PromptedModel(Model):
    """A model of `encoder`, over CLIP's image tower, and `text`, what is left of CLIP.

    The settings are `ClipSettings` with `template` (text of a class) and `fg_text` (text of a
    photo instance).
    """

    encoder: Any
    text: Any

    def __init__(self, settings: Any, classes: tuple[str, ...] | None = None) -> None:
        super().__init__(settings, classes)
        clip: Any = build_clip(settings.backbone)
        check_size(clip, settings)
        self.adopt(clip)

    @abstractmethod
    def make_encoder(self, clip: Any) -> nn.Module:
        """The trained encoder over `clip.visual`, with `dim`, `trained_state`, `frozen_digest`.

        A model that has an encoder already keeps what it drew at random for that one.
        """

    def prompt_values(self, clip: Any, sets: int) -> Tensor:
        """(sets, prompts, width) values of the prompts: drawn at random, or those it has."""
        encoder = getattr(self, "encoder", None)
        if encoder is not None:
            return encoder.prompts.detach()
        return torch.randn(sets, self.settings.prompts, clip.visual.ln_post.weight.shape[0])

    def adopt(self, clip: Any) -> None:
        """Take both towers of an open_clip model, to the device the model is on."""
        clip = clip.to(self._mean.device)
        self.encoder = self.make_encoder(clip)
        clip.visual = nn.Identity()  # the text tower is what is left
        self.text = clip.requires_grad_(False)
        self.dim = self.encoder.dim
        # They hold for these frozen weights only.
        self._frozen_digest = ""
        self._texts: tuple[Tensor, Tensor] | None = None

    def idle_settings(self) -> dict[str, tuple[str, ...]]:
        """Names of the settings that change nothing, by the setting that makes it so."""
        return {}

    def remarks(self, stored: int) -> list[str]:
        """See `Model.remarks`; also which settings were given that change nothing."""
        usual, own = type(self.settings)(), self.settings
        return [
            *super().remarks(stored),
            *(
                f"{name}={getattr(own, name)} changes nothing with {reason}"
                for reason, names in self.idle_settings().items()
                for name in names
                if getattr(own, name) != getattr(usual, name)
            ),
        ]

    def load_weights(self, weights: str) -> WeightsRecord:
        """See `Model.load_weights`; a file holds both towers of CLIP."""
        if weights == RANDOM:
            return WeightsRecord()
        read = read_clip_weights(self.settings.backbone, weights)
        self.adopt_weights(read.state, read.record.name)
        return read.record

    def adopt_weights(self, state: dict[str, Tensor], source: str) -> None:
        """Take both towers from tensors by open_clip's or OpenAI's names."""
        clip = build_clip(self.settings.backbone)
        fill_clip(clip, self.settings.backbone, state, source)
        self.adopt(clip)

    def expected_normalisation(self) -> tuple[tuple[float, ...], tuple[float, ...]] | None:
        """See `Model.expected_normalisation`."""
        return normalisation(self.settings.backbone)

    @property
    def text_tower(self) -> Any:
        """open_clip's model whose `encode_text` embeds texts."""
        return self.text

    def embed_text(self, texts: Sequence[str]) -> Tensor:
        """Texts to (n, dim) L2-normalised float32 embeddings of the frozen text encoder."""
        with self.autocast():
            return encode_texts(self.text, self.settings.backbone, texts, self._mean.device)

    def text_features(self) -> tuple[Tensor, Tensor]:
        """((texts, dim) features, (classes,) index of each class's text); computed once."""
        if self._texts is not None:
            return self._texts
        assert self.classes is not None
        texts, index = class_texts(self.classes, self.settings.fg_text)
        features = self.embed_text(filled(self.settings.template, texts))
        self._texts = features, torch.tensor(index, device=features.device)
        return self._texts

    def trained_groups(self) -> list[ParamGroup]:
        """The encoder's trained parameters, `prompts` with the rate `lr_prompts`, others `lr`."""
        options = self.settings
        trained = {n: p for n, p in self.encoder.named_parameters() if p.requires_grad}
        prompts = [p for n, p in trained.items() if n == "prompts"]
        others = [p for n, p in trained.items() if n != "prompts"]
        groups = [
            ParamGroup("encoder", others, options.lr, options.weight_decay),
            ParamGroup("prompts", prompts, options.lr_prompts, options.weight_decay),
        ]
        return [group for group in groups if group.params]

    def trained_state(self) -> dict[str, Tensor]:
        """The trained parameters by name, those a checkpoint holds."""
        return dict(self.encoder.trained_state())

    def checkpoint_state(self) -> dict[str, Tensor]:
        """The trained parameters, and the digest of the frozen ones they belong to."""
        digest = bytearray.fromhex(self._digest())
        return {**self.trained_state(), DIGEST: torch.tensor(digest, dtype=torch.uint8)}

    def load_checkpoint_state(self, state: Mapping[str, Tensor]) -> None:
        """Take back the trained parameters.

        Raises:
            MismatchError: they were trained on other frozen weights, or with other settings.
        """
        state = dict(state)
        stored = bytes(state.pop(DIGEST).tolist()).hex()
        own = self.trained_state()
        if stored != self._digest() or {n: p.shape for n, p in own.items()} != {
            n: p.shape for n, p in state.items()
        }:
            raise MismatchError(
                f"The checkpoint was not trained on these weights of {self.settings.backbone.name}"
                f" ({self.weights.name}).",
                "Give the CLIP it was trained on with --weights FILE.",
            )
        with torch.no_grad():
            for name, value in state.items():
                own[name].copy_(value)

    def _digest(self) -> str:
        """The encoder's `frozen_digest`, computed once: what it is of does not change."""
        self._frozen_digest = self._frozen_digest or self.encoder.frozen_digest()
        return self._frozen_digest
