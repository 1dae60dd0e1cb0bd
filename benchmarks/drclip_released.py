"""Training steps of Dr. CLIP's released code beside ours: the same batches, losses and weights.

    python benchmarks/drclip_released.py CHECKOUT [--steps 30] [--forgetting]

CHECKOUT is a work tree of github.com/x-28/CDUF; nothing of it is kept here. Its own modules (the
prompted CLIP, the encoders, the losses' functions and the training loop of main_CGrenet.py) run on
a small CLIP of random values, on the processor; ours is the preset `released` over the same values,
read as a checkpoint of that code. Its loop leaves L_FS out, in a line of its own; --forgetting
takes the line beside it, which has the term. What is printed: the largest differences of
embeddings, text features, total loss and prompts, before and after the steps. Its code imports
pandas, which this program does not need: pip install pandas.
"""

from __future__ import annotations

import argparse
import json
import logging
import math
import sys
import tempfile
import types
import warnings
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any
from unittest.mock import patch

import open_clip
import packaging.version
import torch
from _released import arguments, largest, shown
from torch import Tensor, nn
from torch.nn import functional as F

from sbirctl.models import Model, create
from sbirctl.sampling.batch import Batch
from sbirctl.training.optim import make_optimizer
from sbirctl.training.step import loss_terms

CLASSES = ("cat", "dog", "owl", "car_(sedan)", "tree", "fish")
SIZE, BATCH, PROMPTS, LOOP = 32, 8, 3, "main_CGrenet.py"
TOWERS = {
    "embed_dim": 16,
    "quick_gelu": True,
    "vision_cfg": {"image_size": SIZE, "layers": 2, "width": 64, "patch_size": 16},
    "text_cfg": {
        "context_length": 77,
        "vocab_size": 49408,
        "width": 64,
        "heads": 1,
        "layers": 2,
    },
}
WITHOUT = "        loss = 4*triplet_loss +clsloss * 0.5+4*lossrn\n"
WITH = "        #loss = 4*triplet_loss + clsloss * 0.5+L_SCL*15+4*lossrn\n"


def draw_batches(steps: int) -> list[Batch]:
    """Quadruplets of random pictures: rows (s, p+, p-, s-) of sketches and photos in turns."""
    draws = torch.Generator().manual_seed(0)
    made = []
    for _ in range(steps):
        label = torch.randint(len(CLASSES), (BATCH,), generator=draws)
        other = (label + 1 + torch.randint(len(CLASSES) - 1, (BATCH,), generator=draws)) % len(
            CLASSES
        )
        labels = torch.stack([label, other], dim=1).flatten()
        n = torch.arange(BATCH)
        images = torch.randint(
            0, 256, (2, 2 * BATCH, 3, SIZE, SIZE), dtype=torch.uint8, generator=draws
        )
        made.append(
            Batch(
                photo=images[0],
                sketch=images[1],
                edge=None,
                photo_label=labels,
                sketch_label=labels,
                photo_instance=-torch.ones_like(labels),
                sketch_instance=-torch.ones_like(labels),
                tuples=torch.stack([2 * n, 2 * n, 2 * n + 1, 2 * n + 1], dim=1),
                ids=tuple(map(str, range(4 * BATCH))),
            )
        )
    return made


class Released:
    """The authors' model, optimiser and training loop from a checkout.

    Attributes:
        net: their `Model`.
        text: (classes, dim) their text features.
        module: their main_CGrenet, executed without its last part.
    """

    def __init__(self, checkout: Path, forgetting: bool) -> None:
        sys.path.insert(0, str(checkout))
        sys.modules.setdefault("pkg_resources", types.ModuleType("pkg_resources"))
        sys.modules["pkg_resources"].packaging = packaging  # type: ignore[attr-defined]
        clip, networks, prompt = map(import_module, ("clip", "model", "prompt"))

        source = (checkout / LOOP).read_text("utf-8")
        if WITHOUT not in source or WITH not in source:
            raise SystemExit(f"{checkout / LOOP} is not the file of 2615f42.")
        if forgetting:
            source = source.replace(WITHOUT, WITH.replace("#", ""))
        self.module: dict[str, Any] = {"__name__": "released"}
        try:
            exec(compile(source, LOOP, "exec"), self.module)
        except ModuleNotFoundError as error:
            raise SystemExit(
                f"{LOOP} imports {error.name}, which is not installed: pip install {error.name}"
            ) from error
        # Their `load_clip` does this with the file it has read.
        made = prompt.build_model(_random_clip()).float()
        with patch.object(networks, "load_clip", lambda _: made):
            self.net: Any = networks.Model(PROMPTS)
        names = [name.replace("_", " ") for name in CLASSES]
        tokens = torch.cat([clip.tokenize(f"a photo of a {name}") for name in names])
        with torch.no_grad():
            self.text = F.normalize(self.net.clip_model.encode_text(tokens), dim=-1)
        cosine = nn.TripletMarginWithDistanceLoss(
            distance_function=lambda x, y: 1.0 - F.cosine_similarity(x, y), margin=0.3
        )
        self.module |= {
            "model": self.net,
            "text_emb": self.text,
            "num_class": len(CLASSES),
            "triplet_criterion": cosine,
            "cls_criterion": nn.CrossEntropyLoss(),
            "epoch": 1,
            "args": argparse.Namespace(epochs=1),
        }
        # The rates of the page's command, on their parts.
        groups = [
            {"params": self.net.sketch_encoder.parameters(), "lr": 1e-4},
            {"params": self.net.photo_encoder.parameters(), "lr": 1e-4},
            {"params": [self.net.sketch_prompt, self.net.photo_prompt], "lr": 1e-3},
        ]
        self.optimizer = torch.optim.Adam(groups)

    def steps(self, model: Model, batches: list[Batch]) -> float:
        """Their loop over our batches, in eval mode as the encoders have no dropout; mean loss."""

        def given() -> Iterator[tuple[Tensor, ...]]:
            for batch in batches:
                photo = model.preprocess(batch.images("photo"), "photo")
                sketch = model.preprocess(batch.images("sketch"), "sketch")
                label, other = batch.photo_label[::2], batch.photo_label[1::2]
                images = sketch[::2], sketch[1::2], photo[::2], photo[1::2]
                yield (*images, label, other, other)

        train = self.module["train"]
        with (
            patch.object(Tensor, "cuda", lambda x: x),
            patch.object(nn.Module, "cuda", lambda x: x),
        ):
            return float(train(self.net, given(), self.optimizer))

    def embed(self, images: Tensor, modality: str) -> Tensor:
        """(n, dim) normalised embeddings of preprocessed images."""
        with torch.no_grad():
            return F.normalize(self.net(images, img_type=modality), dim=-1)


def _random_clip() -> dict[str, Tensor]:
    """Random towers by OpenAI's names, which are open_clip's."""
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "released-small.json"
        file.write_text(json.dumps(TOWERS))
        open_clip.add_model_config(file)
    made: nn.Module = open_clip.create_model("released-small")
    state = {name: value.detach().clone() for name, value in made.state_dict().items()}
    return {**state, "logit_scale": torch.tensor(math.log(100))}  # as in OpenAI's weights


def ours(released: Released, forgetting: bool) -> Model:
    """The preset `released`, from their state as a checkpoint of their code."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.pth"
        torch.save(released.net.state_dict(), path)
        return create(
            "drclip",
            device="cpu",
            dtype="fp32",
            weights=str(path),
            classes=CLASSES,
            layers=[
                {
                    "preset": "released",
                    "backbone": {"name": "released-small", "pretrained": "none"},
                    "size": SIZE,
                    "prompts": PROMPTS,
                    "batch": BATCH,
                    "lambda1": 15.0 if forgetting else 0.0,
                }
            ],
        )


def differences(model: Model, released: Released, batch: Batch) -> dict[str, float]:
    """Largest absolute differences of embeddings and prompts."""
    found: dict[str, float] = {}
    for modality in ("sketch", "photo"):
        images = batch.images(modality)
        theirs = released.embed(model.preprocess(images, modality), modality)
        found[f"{modality} embeddings"] = float(
            (model.embed(images, modality) - theirs).abs().max()
        )
    prompts: Any = model.get_submodule("encoder").prompts
    sides = (released.net.photo_prompt, released.net.sketch_prompt)
    found["prompts"] = max(largest(a - b) for a, b in zip(prompts, sides, strict=True))
    return found


def main() -> None:
    """Both codes side by side."""
    parser = arguments(__doc__, 30)
    parser.add_argument("--forgetting", action="store_true", help="with L_FS, weight 15")
    options = parser.parse_args()
    logging.disable(logging.WARNING)  # open_clip warns of random values
    warnings.simplefilter("ignore")
    batches = draw_batches(options.steps)
    released = Released(options.checkout, options.forgetting)
    model = ours(released, options.forgetting).eval()
    texts, _ = model.text_features()  # type: ignore[operator]
    print(f"text features: {largest(texts - released.text):.1e}")
    print("before:", shown(differences(model, released, batches[0])))
    (stage,) = model.recipe()
    optimizer = make_optimizer(stage, model.settings)
    for group in optimizer.param_groups:
        group["weight_decay"] = 0.0
    losses = []
    for batch in batches:
        optimizer.zero_grad()
        total = loss_terms(model, batch, "train")["total"]
        total.backward()
        optimizer.step()
        losses.append(float(total.detach()))
    theirs = released.steps(model, batches)
    mean = sum(losses) / len(losses)
    print(f"mean loss of {len(losses)} steps: {mean:.7f} and {theirs:.7f}")
    print("after:", shown(differences(model, released, batches[0])))


if __name__ == "__main__":
    main()
