"""A tiny world: twelve classes of coloured squares, a store in memory, a model that trains fast."""

from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from sbirctl.models import Model, ModelSettings, ParamGroup, Stage, WeightsRecord
from sbirctl.retrieval.provenance import Provenance
from sbirctl.sampling.batch import Encoded
from sbirctl.sampling.global_batch import GlobalIndices
from sbirctl.sampling.subsets import ImageSubset, Partition, Subset
from sbirctl.store.manifest import Items

SIZE = 8
EACH = 6


class FakeStore:
    """Pixels and items as `store.reader.Store` gives them, kept in memory."""

    def __init__(self, classes=12, each=EACH, seed=0):
        rng = np.random.default_rng(seed)
        count = classes * each
        tone = rng.integers(0, 256, (classes, SIZE, SIZE, 3))
        noise = rng.normal(0, 40, (count, SIZE, SIZE, 3))
        photos = np.repeat(tone, each, axis=0) + noise
        ink = np.repeat(tone.mean(-1, keepdims=True), each, axis=0)
        sketches = ink + rng.normal(0, 40, (count, SIZE, SIZE, 1))
        self.pixels = {
            "photo": photos.clip(0, 255).astype(np.uint8),
            "sketch": sketches.clip(0, 255).astype(np.uint8),
        }
        self.name, self.digest, self.size = "tiny", f"{seed:064d}", SIZE
        self.settings, self.manifest = {"size": SIZE}, {"dataset": "tiny"}
        self.items = _items(classes, each)
        self.reads = []

    def images(self, modality):
        return SimpleNamespace(open=lambda: None, read=lambda rows: self.read(modality, rows))

    def read(self, modality, rows):
        self.reads.append((modality, tuple(rows)))
        return self.pixels[modality][np.asarray(rows)]

    def part(self, labels):
        names = tuple(self.items.classes[i] for i in labels)
        table = {label: index for index, label in enumerate(labels)}
        sides = {}
        for modality in ("photo", "sketch"):
            entries = self.items.where(modality)
            entries = entries[np.isin(self.items.label[entries], labels)]
            own = np.array([table[i] for i in self.items.label[entries]], dtype=np.int64)
            instance = self.items.instance[entries].astype(np.int64)
            sides[modality] = ImageSubset(self, modality, entries, own, instance)
        return Subset(sides["photo"], sides["sketch"], names, np.zeros(len(names), bool))


def _items(classes, each):
    count = classes * each
    label = np.tile(np.repeat(np.arange(classes, dtype=np.int32), each), 2)
    names = tuple(f"class{i:02d}" for i in range(classes))
    kinds = ["photo"] * count + ["sketch"] * count
    ids = tuple(
        f"{k}/{names[c]}/{i % count}.png" for i, (k, c) in enumerate(zip(kinds, label, strict=True))
    )
    return Items(
        id=ids,
        path=tuple(i.encode() for i in ids),
        modality=np.repeat(np.array([0, 1], np.uint8), count),
        label=label,
        instance=np.tile(np.arange(count, dtype=np.int32), 2),
        origin=np.zeros(2 * count, np.uint8),
        digest=tuple(f"{i:064x}" for i in range(2 * count)),
        row=np.tile(np.arange(count, dtype=np.int64), 2),
        copy_of=np.full(2 * count, -1, np.int64),
        classes=names,
        instances=tuple(map(str, range(count))),
        origins=("",),
    )


class ShuffledPlan:
    """Batches of `batch` photos and as many sketches, in a random order.

    A batch is dealt out in so many chunks; 0: image by image.
    """

    def __init__(self, batch=8, chunks=0):
        self.batch, self.chunks = batch, chunks

    def length(self, part):
        return len(part.photo) // self.batch

    def batches(self, part, epoch, seed):
        rng = np.random.default_rng([seed, epoch])
        photos = rng.permutation(len(part.photo))
        sketches = rng.permutation(len(part.sketch))
        for start in range(0, self.length(part) * self.batch, self.batch):
            chosen = slice(start, start + self.batch)
            yield GlobalIndices(photos[chosen], sketches[chosen], None, self.chunks)


@dataclass(frozen=True)
class TinySettings(ModelSettings):
    size: int = SIZE
    mean: tuple[float, ...] = (0.5, 0.5, 0.5)
    std: tuple[float, ...] = (0.5, 0.5, 0.5)
    epochs: int = 3
    batch: int = 8
    lr: float = 0.02
    dropout: float = 0.1
    second_stage: int = 0
    frozen: int = 0
    freeze_bn: bool = False
    chunks: int = 0


class Tiny(Model):
    """One convolution, batch norm, dropout, a linear layer and a classifier in the loss."""

    name = "tiny"
    Settings = TinySettings

    def __init__(self, settings, classes=None):
        super().__init__(settings, classes)
        self.dim = 16
        self.conv = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.drop = nn.Dropout(settings.dropout)
        self.linear = nn.Linear(8 * (SIZE // 2) ** 2, self.dim)
        self.head = nn.Linear(self.dim, len(classes or ()) or 1)

    def train(self, mode=True):
        super().train(mode)
        if self.settings.freeze_bn:
            self.norm.eval()
        return self

    def load_weights(self, weights):
        return WeightsRecord()

    def features(self, images, modality, edges=None):
        maps = self.norm(self.conv(images)).relu()
        return self.linear(self.drop(maps.contiguous().flatten(1)))

    def encode(self, batch):
        photo = self.features(self.preprocess(batch.photo, "photo"), "photo")
        sketch = self.features(self.preprocess(batch.sketch, "sketch"), "sketch")
        photo, sketch = F.normalize(photo, dim=1), F.normalize(sketch, dim=1)
        return Encoded(photo, sketch, extra={"logits": self.head(torch.cat([photo, sketch]))})

    def losses(self, encoded, batch, stage):
        labels = torch.cat([batch.photo_label, batch.sketch_label])
        softmax = F.cross_entropy(encoded.extra["logits"] * 5, labels)
        same = (batch.sketch_label[:, None] == batch.photo_label[None]).float()
        pairs = F.mse_loss(encoded.sketch @ encoded.photo.T, same)
        return {"softmax": softmax, "pairs": pairs, "total": softmax + pairs}

    def recipe(self):
        options = self.settings
        body = [*self.conv.parameters(), *self.norm.parameters(), *self.linear.parameters()]
        groups = [
            ParamGroup("body", body, options.lr, options.weight_decay),
            ParamGroup("head", list(self.head.parameters()), options.lr, 0.0),
        ]
        plan = ShuffledPlan(options.batch, options.chunks)
        made = [Stage("first", options.epochs, plan, groups, {"body": options.frozen})]
        if options.second_stage:
            made.append(Stage("second", options.second_stage, plan, groups[1:]))
        return tuple(made)


KNOWN = Provenance(task="cg", scope="all")


def make_partition(store):
    """Seven classes to train on, three to validate, two unseen."""
    return Partition(store.part(range(7)), store.part([7, 8, 9]), store.part([10, 11]), KNOWN)


def make_tiny(classes, **settings):
    """The tiny model with equal starting weights every time."""
    torch.manual_seed(1)
    return Tiny(TinySettings(**settings), classes)
