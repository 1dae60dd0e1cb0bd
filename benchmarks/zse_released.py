"""ZSE-SBIR's released code beside ours: the same weights and batches.

    python benchmarks/zse_released.py CHECKOUT [--steps 3]

CHECKOUT is a work tree of github.com/buptLinfy/ZSE-SBIR; nothing of it is kept here. einops, which
it imports, has to be installed. Its own modules (self-attention, tokenizer, cross-attention,
relation network, both losses) run with two of their twelve equal blocks, else at their full size,
with random values, on the processor, in float64 and without dropout; ours is the preset `released`,
read from a checkpoint of that code. What is printed: the largest differences of embeddings, of pair
scores, of each loss, and of the gradients beside the largest of their tensor; then the losses of
some steps of AdamW, and the embeddings after them.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import types
import warnings
from importlib import import_module
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from _released import arguments, largest, shown
from torch import Tensor, nn
from torch.nn import functional as F

from sbirctl.models import create
from sbirctl.models.layers.zse_checkpoint import released_state
from sbirctl.sampling.batch import Batch
from sbirctl.training.optim import make_optimizer
from sbirctl.training.step import loss_terms

SIZE, TUPLES, DEPTH = 224, 2, 2
CLASSES = ("cat", "dog", "owl")
OPTIONS = {
    "d_model": 768, "cls_number": 100, "pretrained": False, "head": 8, "number": 1, "d_ff": 1024,
    "anchor_number": 49, "batch": TUPLES,
}  # fmt: skip


def draw_batches(steps: int) -> list[Batch]:
    """Random pictures: rows (s, p+, p-, s-)."""
    draws = torch.Generator().manual_seed(0)
    made = []
    for _ in range(steps):
        shape = (2, 2 * TUPLES, 3, SIZE, SIZE)
        images = torch.randint(0, 256, shape, dtype=torch.uint8, generator=draws)
        n = torch.arange(TUPLES)
        labels = torch.arange(2 * TUPLES) % 2
        tuples = torch.stack([2 * n, 2 * n, 2 * n + 1, 2 * n + 1], dim=1)
        ids = tuple(map(str, range(4 * TUPLES)))
        same = torch.zeros_like(labels)
        made.append(Batch(images[0], images[1], None, labels, same, -same, -same, tuples, ids))
    return made


class Released:
    """The authors' model and losses from a checkout."""

    def __init__(self, checkout: Path) -> None:
        sys.path.insert(0, str(checkout))
        torch.manual_seed(0)
        self.args: Any = argparse.Namespace(**OPTIONS)
        made, attention = import_module("model.model"), import_module("model.sa")
        plain = attention.ViTPatch
        with patch.object(attention, "ViTPatch", lambda **kw: plain(**{**kw, "depth": DEPTH})):
            self.net: Any = made.Model(self.args)
        self.losses = import_module("utils.loss")
        for module in self.net.modules():
            if isinstance(module, nn.Dropout):
                module.p = 0.0

    def terms(self, model: Any, batch: Batch) -> tuple[Tensor, Tensor]:
        """Triplets and relation of their loop, without their weights."""
        photo = model.preprocess(batch.images("photo"), "photo")
        sketch = model.preprocess(batch.images("sketch"), "sketch")
        count = len(photo) // 2
        fea, scores = self.net(
            torch.cat([sketch[::2], sketch[1::2]]), torch.cat([photo[::2], photo[1::2]])
        )
        target = torch.cat([torch.ones(count), torch.zeros(count)]).clamp(0.01, 0.99)[:, None]
        with patch.object(nn.Module, "cuda", lambda x: x):
            triplet = self.losses.triplet_loss(fea, self.args)
            return triplet, self.losses.rn_loss(scores, target.to(scores))

    def embed(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Normalised class tokens, and all tokens, of preprocessed images."""
        with torch.no_grad():
            tokens, _ = self.net(images, None, "test", only_sa=True)
        return F.normalize(tokens[:, 0], dim=-1), tokens


def compare(released: Released, model: Any, batch: Batch) -> dict[str, float]:
    """Largest differences of embeddings and of the scores of all pairs."""
    released.net.eval()
    model.eval()
    found, held = {}, {}
    for modality in ("sketch", "photo"):
        images = batch.images(modality)  # type: ignore[arg-type]
        theirs, held[modality] = released.embed(model.preprocess(images, modality))
        found[f"{modality} embeddings"] = largest(model.embed(images, modality) - theirs)
    rows = torch.cartesian_prod(*(torch.arange(2 * TUPLES),) * 2)
    with torch.no_grad():
        sides = held["sketch"][rows[:, 0]], held["photo"][rows[:, 1]]
        _, theirs = released.net(*sides, "test")
    found["pair scores"] = largest(model.pair_scores(*sides) - theirs.squeeze(1))
    return found


def main() -> None:
    """Both codes side by side."""
    options = arguments(__doc__, 3).parse_args()
    warnings.simplefilter("ignore")
    sys.modules.setdefault("tensorboardX", types.ModuleType("tensorboardX"))
    released = Released(options.checkout)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "best_checkpoint.pth"
        torch.save({"model": released.net.state_dict()}, path)
        model: Any = create(
            "zse", device="cpu", dtype="fp32", weights=str(path), classes=CLASSES,
            layers=[{"preset": "released", "dropout": 0.0, "backbone": {"depth": DEPTH}}],
        )  # fmt: skip
    model.double(), released.net.double()
    batches = draw_batches(options.steps)
    print("before:", shown(compare(released, model, batches[0])))

    model.train(), released.net.train()
    theirs = released.terms(model, batches[0])
    ours = loss_terms(model, batches[0], "train")
    for name, value in zip(("triplet", "relation"), theirs, strict=True):
        print(f"{name}: {float(ours[name]):.9f} and {float(value):.9f}")
    (2 * theirs[0] + 4 * theirs[1]).backward()
    ours["total"].backward()
    grads = {n: p.grad for n, p in released.net.named_parameters() if p.grad is not None}
    own = {n: p.grad for n, p in model.named_parameters()}
    # The key's bias has no gradient but rounding: softmax does not see it.
    apart = {
        name: largest(grad - own[name].reshape(grad.shape)) / max(largest(grad), 1e-8)
        for name, grad in (released_state(grads) or {}).items()
    }
    worst = max(apart, key=apart.__getitem__)
    print(
        f"gradients of {len(apart)} tensors, beside the largest of each: {apart[worst]:.1e}"
        f" ({worst})"
    )

    (stage,) = model.recipe()
    optimizers = (
        torch.optim.AdamW(released.net.parameters(), lr=1e-5, weight_decay=1e-2),
        make_optimizer(stage, model.settings),
    )
    totals: tuple[list[float], list[float]] = ([], [])
    for batch in batches:
        for optimizer in optimizers:
            optimizer.zero_grad()
        tri, rel = released.terms(model, batch)
        losses = 2 * tri + 4 * rel, loss_terms(model, batch, "train")["total"]
        for loss, optimizer, kept in zip(losses, optimizers, totals, strict=True):
            loss.backward()
            optimizer.step()
            kept.append(float(loss.detach()))
    means = [sum(values) / len(values) for values in totals]
    print(f"mean loss of {len(batches)} steps: {means[1]:.9f} and {means[0]:.9f}")
    print("after:", shown(compare(released, model, batches[0])))


if __name__ == "__main__":
    main()
