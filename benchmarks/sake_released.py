"""Training steps of SAKE's released code beside ours: the same weights and batches.

    python benchmarks/sake_released.py CHECKOUT [--steps 3] [--wordnet FOLDER]

CHECKOUT is a work tree of github.com/qliu24/SAKE; nothing of it is kept here. Its own modules (the
CSE-ResNet-50 with its start from a pretrained classifier, the teacher, SoftCrossEntropy and the
training loop of train_cse_resnet_sketchy_ext.py) run on an SE-ResNet-50 of random values, on the
processor; ours reads the same file. What is printed: the largest differences of the start, of
embeddings and logits, of each loss, and of the gradients beside the largest of their tensor; then
the mean loss of some steps of Adam, and the embeddings after them. With --wordnet (a folder of
WordNet 3.0) also in how many rows our similarities of classes and labels are those of the code.
"""

from __future__ import annotations

import argparse
import copy
import io
import pickle
import sys
import tempfile
import types
import warnings
from collections.abc import Iterator
from contextlib import redirect_stdout
from importlib import import_module
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock, patch

import numpy as np
import timm
import torch
from _released import arguments, largest
from torch import Tensor, nn
from torch.nn import functional as F

from sbirctl.models import Model, create
from sbirctl.models.layers.label_similarity import LABELS, label_similarity
from sbirctl.sampling.batch import Batch
from sbirctl.training.optim import make_optimizer
from sbirctl.training.step import loss_terms

SIZE, SKETCHES, PHOTOS, DIM = 224, 3, 6, 64
CLASSES = ("cat", "dog", "owl", "tree", "fish")
FOREIGN = ("pretrainedmodels", "cv2", "skimage", "skimage.transform", "nltk", "nltk.corpus")


def draw_batches(steps: int) -> list[Batch]:
    """Random pictures of random classes."""
    draws = torch.Generator().manual_seed(0)

    def side(count: int) -> tuple[Tensor, Tensor]:
        shape = (count, 3, SIZE, SIZE)
        images = torch.randint(0, 256, shape, dtype=torch.uint8, generator=draws)
        return images, torch.randint(len(CLASSES), (count,), generator=draws)

    made = []
    for _ in range(steps):
        photo, photo_label = side(PHOTOS)
        sketch, sketch_label = side(SKETCHES)
        ids = tuple(map(str, range(PHOTOS + SKETCHES)))
        none = -torch.ones(PHOTOS, dtype=torch.int64), -torch.ones(SKETCHES, dtype=torch.int64)
        made.append(Batch(photo, sketch, None, photo_label, sketch_label, *none, None, ids))
    return made


class Released:
    """The authors' student, teacher, losses and training loop from a checkout."""

    def __init__(self, checkout: Path, state: dict[str, Tensor], model: Any) -> None:
        sys.path.insert(0, str(checkout / "src"))
        for name in FOREIGN:
            sys.modules.setdefault(name, MagicMock(spec=types.ModuleType(name)))
        sys.modules["skimage.transform"].warp = None  # type: ignore[attr-defined]
        sys.modules["skimage.transform"].AffineTransform = None  # type: ignore[attr-defined]
        sys.modules["nltk.corpus"].wordnet = None  # type: ignore[attr-defined]
        networks, senet = import_module("ResnetModel"), import_module("senet")
        self.script: Any = import_module("train_cse_resnet_sketchy_ext")
        with (
            redirect_stdout(io.StringIO()),
            patch.object(torch, "from_numpy", torch.as_tensor),  # NumPy gives tensors back now
            patch.object(senet.model_zoo, "load_url", lambda _: dict(state)),
        ):
            made = networks.CSEResnetModel_KDHashing("cse_resnet50", DIM, len(CLASSES))
            self.student: Any = made
            self.teacher: Any = senet.cse_resnet50()
        self.start = made.original_model.last_linear.weight @ (
            made.original_model.second_last_linear.weight
        )
        self._take(model)

    def _take(self, model: Any) -> None:
        """What starts random, and the signs of the factors, from ours."""
        net = self.student.original_model
        pairs = {
            net.second_last_linear: model.embedding,
            net.last_linear: model.labels,
            self.student.linear: model.classifier,
        }
        for theirs, ours in pairs.items():
            theirs.load_state_dict(ours.state_dict())
        blocks = [m for n, m in net.named_modules() if n.endswith("se_module.fc2")]
        with torch.no_grad():
            for block, vector in zip(blocks, model.bits.vectors, strict=True):
                block.weight[:, -1] = vector
        self.blocks = blocks

    def gradients(self, model: Any) -> dict[str, tuple[Tensor, Tensor]]:
        """{parameter: theirs and ours}."""
        found: dict[str, tuple[Tensor, Tensor]] = {}
        ours = dict(model.backbone.net.named_parameters())
        net = self.student.original_model
        for name, parameter in net.named_parameters():
            if name in ours:
                own = ours[name].grad
                if "se_module.fc" in name and own.dim() == 4:  # theirs are linear layers
                    own = own.flatten(1)
                theirs = parameter.grad[:, : own.shape[1]] if own.dim() == 2 else parameter.grad
                found[name] = theirs, own
        for i, (block, vector) in enumerate(zip(self.blocks, model.bits.vectors, strict=True)):
            found[f"bit {i}"] = block.weight.grad[:, -1], vector.grad
        for name, layer, same in (
            ("embedding", net.second_last_linear, model.embedding),
            ("labels", net.last_linear, model.labels),
            ("classifier", self.student.linear, model.classifier),
        ):
            for part in ("weight", "bias"):
                found[f"{name} {part}"] = getattr(layer, part).grad, getattr(same, part).grad
        return found

    def train(
        self, model: Model, batches: list[Batch], near: Tensor, rate: float
    ) -> list[tuple[float, float]]:
        """Their loop over our batches; (cross-entropy, preserved labels) of each."""
        script = self.script
        script.args = argparse.Namespace(
            kd_lambda=1.0, kdneg_lambda=0.3, sake_lambda=1.0, print_freq=1
        )
        optimizer = torch.optim.Adam(self.student.parameters(), lr=rate, weight_decay=5e-4)
        values: list[float] = []

        def noted(loss: Any) -> Any:
            def call(*given: Tensor) -> Tensor:
                value: Tensor = loss(*given)
                values.append(float(value.detach()))
                return value

            return call

        def side(modality: Any) -> list[tuple[Tensor, ...]]:
            labels = [getattr(batch, f"{modality}_label") for batch in batches]
            images = [model.preprocess(batch.images(modality), modality) for batch in batches]
            return [(x, label, near[label]) for x, label in zip(images, labels, strict=True)]

        sides = side("sketch"), side("photo")
        made = torch.zeros, torch.ones
        losses = noted(nn.CrossEntropyLoss()), noted(script.SoftCrossEntropy())
        with (
            patch.object(Tensor, "cuda", lambda x: x),
            patch.object(Tensor, "float", Tensor.double),
            patch.object(torch, "zeros", lambda *n: made[0](*n, dtype=torch.float64)),
            patch.object(torch, "ones", lambda *n: made[1](*n, dtype=torch.float64)),
            patch.object(script, "accuracy", lambda *_, **__: (torch.zeros(1), torch.zeros(1))),
            redirect_stdout(io.StringIO()),
        ):
            script.train(*sides, self.student, *losses, optimizer, 0, self.teacher)
        return list(zip(values[::2], values[1::2], strict=True))


def embedded(released: Released, model: Model, batch: Batch) -> float:
    """Largest difference of the embeddings in evaluation mode."""
    apart = 0.0
    for modality, bit in (("photo", 1.0), ("sketch", 0.0)):
        images = model.preprocess(batch.images(modality), modality)  # type: ignore[arg-type]
        net = released.student.eval().original_model
        with torch.no_grad():
            theirs = net.hashing(
                net.features(images, torch.full((len(images), 1), bit, dtype=images.dtype))
            )
        own = model.eval().embed(batch.images(modality), modality)  # type: ignore[arg-type]
        apart = max(apart, largest(F.normalize(theirs, dim=-1) - own))
    return apart


def rows_alike(checkout: Path, folder: Path) -> Iterator[str]:
    """How many rows of the similarities are those of the code's files."""
    for dataset in ("Sketchy/zeroshot1", "TUBerlin/zeroshot"):
        place = checkout / "dataset" / dataset
        theirs = pickle.loads((place / "cid_mask.pickle").read_bytes())
        lines = (place / "cname_cid.txt").read_text().splitlines()
        names = {int(n): name for name, _, n in (line.rpartition(" ") for line in lines)}
        classes = [names[i] for i in range(len(names))]
        ours = label_similarity(classes, "wordnet", folder, 0.2).numpy()
        alike = [np.abs(ours[i] - theirs[i]).max() < 1e-6 for i in range(len(classes))]
        yield f"{dataset}: {sum(alike)} of {len(alike)} rows alike"


def main() -> None:
    """Both codes side by side."""
    parser = arguments(__doc__, 3)
    parser.add_argument("--wordnet", type=Path)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.manual_seed(0)
    state = timm.create_model("legacy_seresnet50", num_classes=LABELS).state_dict()
    for name, value in state.items():  # as after a training, so that nothing is 0 or 1
        if "running_var" not in name and value.dtype == torch.float32 and value.dim() == 1:
            value.add_(0.1 * torch.randn_like(value))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "weights.pth"
        torch.save(state, path)
        layers = [{"dim": DIM, "semantics": "none", "precision": "fp32"}]
        model: Any = create(
            "sake", device="cpu", dtype="fp32", weights=str(path), classes=CLASSES, layers=layers
        )
    near = torch.rand(len(CLASSES), LABELS, dtype=torch.float64)
    model._similarity = near
    with torch.no_grad():
        for vector in model.bits.vectors:
            vector.normal_(std=0.5)
    released = Released(options.checkout, dict(state), model)
    # In float64: batch norm over a random network of this depth magnifies what rounding leaves.
    model.double(), released.student.double(), released.teacher.double()
    released.start = released.start.double()
    print(f"start: {largest(released.start - model.labels.weight @ model.embedding.weight):.1e}")
    batches = draw_batches(options.steps)
    print(f"embeddings before: {embedded(released, model, batches[0]):.1e}")

    kept = copy.deepcopy(model.state_dict()), copy.deepcopy(released.student.state_dict())
    ((cls, sake),) = released.train(model, batches[:1], near, 0.0)
    # Their optimiser adds its weight decay to a copy: the gradients are those of the losses.
    terms = loss_terms(model.train(), batches[0], "train")
    terms["total"].backward()
    print(f"cls: {float(terms['cls']):.7f} and {cls:.7f}")
    print(f"sake: {float(terms['sake']):.7f} and {sake:.7f}")
    apart = {
        name: largest(theirs - own) / max(largest(theirs), 1e-12)
        for name, (theirs, own) in released.gradients(model).items()
    }
    worst = max(apart, key=apart.__getitem__)
    print(f"gradients, beside the largest of their tensor: {apart[worst]:.1e} ({worst})")
    model.load_checkpoint_state(kept[0])
    released.student.load_state_dict(kept[1])

    (stage,) = model.recipe()
    optimizer = make_optimizer(stage, model.settings)
    ours = []
    for batch in batches:
        optimizer.zero_grad()
        total = loss_terms(model.train(), batch, "train")["total"]
        total.backward()
        optimizer.step()
        ours.append(float(total.detach()))
    theirs = [sum(pair) for pair in released.train(model, batches, near, 1e-4)]
    means = [sum(values) / len(values) for values in (ours, theirs)]
    print(f"mean loss of {len(ours)} steps: {means[0]:.7f} and {means[1]:.7f}")
    print(f"embeddings after: {embedded(released, model, batches[0]):.1e}")
    if options.wordnet:
        print(*rows_alike(options.checkout, options.wordnet), sep="\n")


if __name__ == "__main__":
    main()
