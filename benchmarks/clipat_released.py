"""Training steps of CLIP-AT's released code beside ours: the same batches, losses and weights.

    python benchmarks/clipat_released.py CHECKOUT [--steps 30]

CHECKOUT is a work tree of github.com/aneeshan95/Sketch_LVM; nothing of it is kept here. Its own
modules (the prompted CLIP and the training step of model_LN_prompt.py) run on a small CLIP of
random values, on the processor; ours is the preset `released` over the same values. What is
printed: the largest differences of embeddings, losses and gradients of the first step, and of
losses, embeddings and prompts after all steps.
"""

from __future__ import annotations

import logging
import sys
import tempfile
import types
import warnings
from importlib import import_module
from pathlib import Path
from typing import Any
from unittest.mock import patch

import packaging.version
import torch
from _released import arguments, largest, shown
from torch import Tensor, nn
from torch.nn import functional as F

from sbirctl.models import Model, create
from sbirctl.models.layers.prompted_clip import PHOTO, SKETCH, ModalityLayerNorm
from sbirctl.sampling.batch import Batch
from sbirctl.training.optim import make_optimizer
from sbirctl.training.step import loss_terms

CLASSES = ("cat", "dog", "owl", "car_(sedan)", "tree", "fish")
SIZE, BATCH, PROMPTS, WIDTH = 32, 8, 3, 64
MODEL = "src.model_LN_prompt"


def draw_batches(steps: int) -> list[Batch]:
    """Triplets of random pictures: a sketch, a photo of its class and one of another."""
    draws = torch.Generator().manual_seed(0)
    made = []
    for _ in range(steps):
        label = torch.randint(len(CLASSES), (BATCH,), generator=draws)
        step = 1 + torch.randint(len(CLASSES) - 1, (BATCH,), generator=draws)
        photo_label = torch.stack([label, (label + step) % len(CLASSES)], dim=1).flatten()
        n = torch.arange(BATCH)
        photo, sketch = (
            torch.randint(0, 256, (k, 3, SIZE, SIZE), dtype=torch.uint8, generator=draws)
            for k in (2 * BATCH, BATCH)
        )
        made.append(
            Batch(
                photo=photo,
                sketch=sketch,
                edge=None,
                photo_label=photo_label,
                sketch_label=label,
                photo_instance=-torch.ones_like(photo_label),
                sketch_instance=-torch.ones_like(label),
                tuples=torch.stack([n, 2 * n, 2 * n + 1], dim=1),
                ids=tuple(map(str, range(3 * BATCH))),
            )
        )
    return made


def _light_imports() -> None:
    """Empty stand-ins for what the released file imports and a training step does not use."""
    lightning, metrics = types.ModuleType("pytorch_lightning"), types.ModuleType("torchmetrics")
    functional = types.ModuleType("torchmetrics.functional")

    class Module(nn.Module):
        device = torch.device("cpu")

        def log(self, *_: Any) -> None:
            """Lightning's logging."""

    lightning.LightningModule = Module  # type: ignore[attr-defined]
    functional.retrieval_average_precision = None  # type: ignore[attr-defined]
    sys.modules |= {
        "pytorch_lightning": lightning,
        "torchmetrics": metrics,
        "torchmetrics.functional": functional,
    }
    if "pkg_resources" not in sys.modules:
        packages = types.ModuleType("pkg_resources")
        packages.packaging = packaging  # type: ignore[attr-defined]
        sys.modules["pkg_resources"] = packages


class Released:
    """The authors' model and its optimiser from a checkout, over small random towers."""

    def __init__(self, checkout: Path) -> None:
        _light_imports()
        sys.path.insert(0, str(checkout))
        argv = ["x", f"--n_prompts={PROMPTS}", f"--prompt_dim={WIDTH}"]
        with patch.object(sys, "argv", argv):
            module: Any = import_module(MODEL)
        networks = import_module("src.clip.model")
        torch.manual_seed(0)
        clip = networks.CLIP(16, SIZE, 2, WIDTH, 16, 77, 49408, WIDTH, 1, 2).float()
        with patch.object(module.clip, "load", lambda *_, **__: (clip, None)):
            self.net: Any = module.Model()
        self.optimizer = self.net.configure_optimizers()

    def images(self, model: Model, batch: Batch) -> tuple[Tensor, ...]:
        """Sketches, positives, negatives and no category, as its loader gives them."""
        sketch = model.preprocess(batch.images("sketch"), "sketch")
        photo = model.preprocess(batch.images("photo"), "photo")
        return sketch, photo[::2], photo[1::2], torch.empty(0)

    def embed(self, images: Tensor, modality: str) -> Tensor:
        """(n, dim) normalised embeddings of preprocessed images."""
        with torch.no_grad():
            return F.normalize(self.net(images, "image" if modality == "photo" else "sketch"))


def ours(released: Released) -> Model:
    """The preset `released` over their weights and prompts."""
    towers = {
        "embed_dim": 16,
        "quick_gelu": True,
        "vision_cfg": {"image_size": SIZE, "layers": 2, "width": WIDTH, "patch_size": 16},
        "text_cfg": {
            "context_length": 77, "vocab_size": 49408, "width": WIDTH, "heads": 1, "layers": 2,
        },
    }  # fmt: skip
    state = {name: value.detach().clone() for name, value in released.net.clip.state_dict().items()}
    settings = {
        "preset": "released",
        "backbone": {"name": "ViT-B-32", "pretrained": "openai", "extra": towers},
        "size": SIZE,
        "prompts": PROMPTS,
        "batch": BATCH,
    }
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clip.pt"
        torch.save(state, path)
        model = create(
            "clipat",
            device="cpu",
            dtype="fp32",
            weights=str(path),
            classes=CLASSES,
            layers=[settings],
        )
    encoder: Any = model.get_submodule("encoder")
    with torch.no_grad():
        encoder.prompts[PHOTO].copy_(released.net.img_prompt)
        encoder.prompts[SKETCH].copy_(released.net.sk_prompt)
    return model


def pairs(model: Model, released: Released) -> dict[str, tuple[Tensor, Tensor]]:
    """{part: (our parameter, theirs)} of all that is trained, ours in the shape of theirs."""
    encoder: Any = model.get_submodule("encoder")
    theirs = dict(released.net.clip.visual.named_parameters())
    found = {}
    for name, parameter in encoder.named_parameters():
        short = name.removeprefix("visual.")
        if parameter.requires_grad and short in theirs:
            found[short] = (parameter, theirs[short])
    norms = [m for m in encoder.modules() if isinstance(m, ModalityLayerNorm)]
    assert len(found) >= 2 * len(norms) + 3, sorted(found)
    return found


def differences(model: Model, released: Released, batch: Batch) -> dict[str, float]:
    """Largest absolute differences of embeddings and prompts."""
    found = {}
    for modality in ("sketch", "photo"):
        images = batch.images(modality)
        theirs = released.embed(model.preprocess(images, modality), modality)
        found[f"{modality} embeddings"] = largest(model.embed(images, modality) - theirs)
    prompts: Any = model.get_submodule("encoder").prompts
    sides = (released.net.img_prompt, released.net.sk_prompt)
    found["prompts"] = max(largest(a - b) for a, b in zip(prompts, sides, strict=True))
    return found


def gradient_differences(model: Model, released: Released) -> dict[str, float]:
    """Largest differences of the gradients of one step, by part, and the largest gradient."""
    prompts: Any = model.get_submodule("encoder").prompts
    theirs = torch.stack([released.net.img_prompt.grad, released.net.sk_prompt.grad])
    found = {"gradients of prompts": largest(prompts.grad - theirs)}
    kinds = {
        "layer norms": "ln_",
        "attention": "in_proj",
        "embeddings": "embedding",
        "proj": "proj",
    }
    known = pairs(model, released)
    most = largest(theirs)
    for kind, part in kinds.items():
        chosen = [n for n in known if (n == part if kind == "proj" else part in n)]
        assert chosen, kind
        found[f"of {kind}"] = 0.0
        for name in chosen:
            own, other = (parameter.grad for parameter in known[name])
            assert own is not None
            assert other is not None
            apart = largest(own.reshape_as(other) - other)
            found[f"of {kind}"] = max(found[f"of {kind}"], apart)
            most = max(most, largest(other))
    return {**found, "the largest gradient being": most}


def main() -> None:
    """Both codes side by side."""
    options = arguments(__doc__, 30).parse_args()
    logging.disable(logging.WARNING)  # open_clip warns of random values
    warnings.simplefilter("ignore")
    batches = draw_batches(options.steps)
    released = Released(options.checkout)
    model = ours(released).eval()
    print("before:", shown(differences(model, released, batches[0])))
    (stage,) = model.recipe()
    optimizer = make_optimizer(stage, model.settings)
    losses = []
    for number, batch in enumerate(batches):
        optimizer.zero_grad()
        released.optimizer.zero_grad()
        total = loss_terms(model, batch, "train")["total"]
        theirs = released.net.training_step(released.images(model, batch), number)
        total.backward()
        theirs.backward()
        losses.append((float(total.detach()), float(theirs.detach())))
        if number == 0:
            print(f"loss of the first step: {losses[0][0]:.7f} and {losses[0][1]:.7f}")
            print(shown(gradient_differences(model, released)))
        optimizer.step()
        released.optimizer.step()
    apart = max(abs(a - b) for a, b in losses)
    mean = [sum(column) / len(losses) for column in zip(*losses, strict=True)]
    print(f"mean loss of {len(losses)} steps: {mean[0]:.7f} and {mean[1]:.7f}")
    print(f"largest difference of a step's loss: {apart:.1e}")
    print("after:", shown(differences(model, released, batches[0])))


if __name__ == "__main__":
    main()
