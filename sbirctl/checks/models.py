"""What every model keeps to, tried with small settings and random values."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch

from sbirctl.checks import NotCheckedError, require
from sbirctl.core.config import describe, resolve, to_dict
from sbirctl.core.errors import CorruptError, SbirctlError
from sbirctl.models import MODELS, Model, ModelSettings, create, load_card, rebuild
from sbirctl.sampling.batch import Batch
from sbirctl.store.manifest import Modality
from sbirctl.training.step import loss_terms

CLASSES = ("cat", "dog", "owl")
_MODALITIES: tuple[Modality, ...] = ("photo", "sketch")
_NEAR = 1e-5


@dataclass(frozen=True)
class ModelSubject:
    """A registered model.

    Attributes:
        name: of it.
        settings: on top of its `check_settings`.
    """

    name: str
    settings: Mapping[str, Any] = field(default_factory=dict)

    def make(self, classes: tuple[str, ...] | None = CLASSES, **more: Any) -> Model:
        """It with random values on the processor."""
        layers = [MODELS.get(self.name).check_settings, self.settings]
        return create(
            self.name, device="cpu", weights="none", classes=classes, layers=layers, **more
        )

    @property
    def trainable(self) -> Model:
        """It in training mode.

        Raises:
            NotCheckedError: it embeds only.
        """
        if not MODELS.get(self.name).trainable:
            raise NotCheckedError("it embeds only")
        return self.make().train()


def images(n: int, channels: int = 3, side: int = 40, seed: int = 0) -> torch.Tensor:
    """(n, channels, side, side) uint8 of noise."""
    generator = torch.Generator().manual_seed(seed)
    shape = (n, channels, side, side)
    return torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8)


def batch(n: int = 4) -> Batch:
    """A batch of n photos and n sketches of two classes, with edge maps and tuples."""
    labels = torch.arange(n) % 2
    return Batch(
        photo=images(n, seed=1),
        sketch=images(n, seed=2),
        edge=images(n, 1, seed=3),
        photo_label=labels,
        sketch_label=labels,
        photo_instance=torch.arange(n),
        sketch_instance=torch.arange(n),
        tuples=torch.tensor([[i, i, (i + 1) % n, (i + 1) % n] for i in range(n)]),
        ids=tuple(f"image {i}" for i in range(2 * n)),
    )


def is_made(subject: ModelSubject) -> None:
    """It is made with its `check_settings`, and without training classes too."""
    subject.make()
    subject.make(classes=None)


def settings_are_frozen(subject: ModelSubject) -> None:
    """Its settings are a frozen dataclass, each with help, and come back from plain values."""
    schema = MODELS.get(subject.name).Settings
    require(
        dataclasses.is_dataclass(schema) and issubclass(schema, ModelSettings),
        f"Settings is {schema.__name__}, no dataclass that inherits from ModelSettings",
    )
    require(schema.__dataclass_params__.frozen, f"{schema.__name__} is not frozen")  # type: ignore[attr-defined]
    bare = [one.key for one in describe(schema) if not one.help]
    require(not bare, f"no help for {', '.join(bare)}")
    made = subject.make().settings
    require(resolve(schema, to_dict(made)) == made, "other settings come back")


def losses_reach_every_group(subject: ModelSubject) -> None:
    """Its losses are finite scalars with a "total" whose gradient reaches every group."""
    stages = subject.trainable.recipe()
    require(stages, "it is trainable, and its recipe has no stage")
    for stage in stages:
        model = subject.trainable
        (stage,) = (one for one in model.recipe() if one.name == stage.name)
        terms = loss_terms(model, batch(), stage.name)
        require("total" in terms, f"stage {stage.name} has no term 'total'")
        for name, value in terms.items():
            require(value.ndim == 0 and bool(torch.isfinite(value)), f"{name} is no finite scalar")
        terms["total"].backward()
        for group in stage.groups:
            require(group.lr > 0 and len(list(group.params)), f"group {group.name} learns nothing")
            moved = [p for p in group.params if p.grad is not None and p.grad.abs().max() > 0]
            require(moved, f"no gradient reaches the group {group.name} of stage {stage.name}")


def groups_share_nothing(subject: ModelSubject) -> None:
    """No parameter is in two groups of a stage, and none is of another model."""
    model = subject.trainable
    own = {id(p) for p in model.parameters()}
    for stage in model.recipe():
        seen = [id(p) for group in stage.groups for p in group.params]
        require(len(seen) == len(set(seen)), f"a parameter is twice in stage {stage.name}")
        require(own.issuperset(seen), f"stage {stage.name} trains what is not in the model")


def embeddings_are_unit_vectors(subject: ModelSubject) -> None:
    """Embeddings are finite float32 of (n, dim), of length 1, without a gradient."""
    for classes in (CLASSES, None):
        model = subject.make(classes)
        for modality in _MODALITIES:
            found = model.embed(images(5), modality, images(5, 1))
            require(found.shape == (5, model.dim), f"{tuple(found.shape)}, not (5, {model.dim})")
            require(found.dtype == torch.float32, f"embeddings are {found.dtype}")
            require(not found.requires_grad, "embeddings have a gradient")
            require(torch.isfinite(found).all(), f"embeddings of {modality}s are not finite")
            near = (found.norm(dim=1) - 1).abs().max() < 1e-4
            require(near, f"embeddings of {modality}s are not of length 1")


def embeddings_do_not_depend_on_the_batch(subject: ModelSubject) -> None:
    """In evaluation mode an embedding does not depend on what else is in its batch."""
    model = subject.make()
    for modality in _MODALITIES:
        given, edges = images(5), images(5, 1)
        together = model.embed(given, modality, edges)
        alone = [model.embed(given[i : i + 1], modality, edges[i : i + 1]) for i in range(5)]
        apart = float((together - torch.cat(alone)).abs().max())
        require(apart < _NEAR, f"{modality}s embed {apart:.2g} apart, alone and together")


def embedding_changes_nothing(subject: ModelSubject) -> None:
    """Embedding leaves the model as it is, and gives the same twice."""
    model = subject.make()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    first = model.embed(images(3), "photo", images(3, 1))
    changed = [k for k, v in model.state_dict().items() if not torch.equal(v, before[k])]
    require(not changed, f"embedding changes {', '.join(changed[:3])}")
    again = model.embed(images(3), "photo", images(3, 1))
    require(torch.equal(first, again), "the same photo embeds otherwise the second time")


def different_pictures_embed_differently(subject: ModelSubject) -> None:
    """Different pictures embed differently."""
    found = subject.make().embed(images(3), "photo", images(3, 1))
    apart = float((found[0] - found[1:]).abs().max())
    require(apart > 1e-6, "all pictures have one embedding")


def grey_is_three_channels(subject: ModelSubject) -> None:
    """A grey picture embeds as its three equal channels do."""
    model, grey = subject.make(), images(2, 1)
    one, three = (model.embed(g, "sketch") for g in (grey, grey.expand(-1, 3, -1, -1)))
    require(torch.allclose(one, three, atol=_NEAR), "one channel and three embed differently")


def encode_agrees_with_embed(subject: ModelSubject) -> None:
    """`encode` of a batch gives each modality the vectors that `embed` gives it."""
    model, given = subject.make(), batch()
    with torch.no_grad():
        encoded = model.encode(given)
    for modality in _MODALITIES:
        edges = given.edge if modality == "photo" else None
        alone = model.embed(given.images(modality), modality, edges)
        apart = float((encoded.embeddings(modality) - alone).abs().max())
        require(apart < _NEAR, f"{modality}s embed {apart:.2g} apart from what `encode` gives")


def checkpoints_make_it_again(subject: ModelSubject) -> None:
    """What `checkpoint_state` gives makes the same model again."""
    model = subject.trainable.eval()
    with torch.no_grad():
        for stage in model.recipe():
            for group in stage.groups:
                for parameter in group.params:
                    parameter.add_(0.1 * torch.randn_like(parameter))
    # Frozen weights are not in the checkpoint: there the same seed makes them again.
    partial = not set(model.state_dict()) <= set(model.checkpoint_state())
    again = rebuild(
        subject.name, to_dict(model.settings), CLASSES, device="cpu", seed=0 if partial else 1
    )
    state = {key: value.clone() for key, value in model.checkpoint_state().items()}
    again.load_checkpoint_state(state)
    require(again.settings == model.settings, "its settings are others")
    for modality in _MODALITIES:
        first, second = (m.embed(images(3), modality, images(3, 1)) for m in (model, again.eval()))
        apart = float((first - second).abs().max())
        require(apart < 1e-4, f"the restored model embeds {modality}s {apart:.2g} apart")


def one_seed_is_one_model(subject: ModelSubject) -> None:
    """One seed makes one model, and torch's own generator stays as it was."""
    before = torch.get_rng_state()
    first, second = subject.make().state_dict(), subject.make().state_dict()
    require(torch.equal(before, torch.get_rng_state()), "torch's generator has moved")
    other = [key for key in first if not torch.equal(first[key], second[key])]
    require(not other, f"two models of one seed differ in {', '.join(other[:3])}")


def bf16_is_near(subject: ModelSubject) -> None:
    """In bf16 it embeds nearly the same, and still gives float32."""
    exact = subject.make().embed(images(3), "photo", images(3, 1))
    rounded = subject.make(dtype="bf16").embed(images(3), "photo", images(3, 1))
    require(rounded.dtype == torch.float32, f"embeddings are {rounded.dtype}")
    cosine = float((exact * rounded).sum(1).min())
    require(cosine > 0.98, f"a cosine of {cosine:.3f} between fp32 and bf16")


def a_missing_side_is_said(subject: ModelSubject) -> None:
    """A batch without photos is refused with a message (`batch.images`)."""
    try:
        subject.trainable.encode(replace(batch(), photo=None))
    except SbirctlError:
        return
    require(False, "it encodes a batch that has no photos")


def card_is_readable(subject: ModelSubject) -> None:
    """Its card can be read."""
    try:
        card = load_card(subject.name)
    except CorruptError as error:
        require(False, str(error))
    if not card.parameters:
        raise NotCheckedError("it has no card")


CHECKS: tuple[Callable[[ModelSubject], None], ...] = (
    is_made,
    settings_are_frozen,
    losses_reach_every_group,
    groups_share_nothing,
    embeddings_are_unit_vectors,
    embeddings_do_not_depend_on_the_batch,
    embedding_changes_nothing,
    different_pictures_embed_differently,
    grey_is_three_channels,
    encode_agrees_with_embed,
    checkpoints_make_it_again,
    one_seed_is_one_model,
    bf16_is_near,
    a_missing_side_is_said,
    card_is_readable,
)
