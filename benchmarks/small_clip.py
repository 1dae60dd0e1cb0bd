"""Train a small CLIP on photos and class names, for machines without CLIP's published weights.

    python benchmarks/small_clip.py --dataset NAME --out FOLDER [--without SPLIT] [--edges 0.3]
        [--epochs 30] [--patch 8] [--width 128] [--layers 4]

CLIP has seen drawings among the pictures of the web, and nearly every class name; what this one saw
is said on the command line and written down: all classes of the store, or with `--without` those
that a split leaves seen; photos, and for a share of them Canny edge maps instead (`--edges`).
It never sees a sketch.

The text tower comes first, from the names alone: "a photo of a <class>" is trained to be like
itself and unlike the others, and then stays (trained together from random values, both towers
collapse into one point on so few names). The image tower is then trained with CLIP's loss, where
all photos of a class in the batch are positives of its one text. Into FOLDER go

    clip.safetensors   both towers in open_clip's names   clip.toml    its architecture
    tower.safetensors  the image tower in timm's names    tower.toml   its architecture
    saw.json           classes, photos, settings, its temperature

for `sbirctl train drclip --weights FOLDER/clip.safetensors --config FOLDER/clip.toml`, and the same
of `baseline` with the image tower.
"""

from __future__ import annotations

import argparse
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tomli_w
import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional as F

from sbirctl.core.files import atomic_open, write_json
from sbirctl.core.seeds import rng_for, seed_for
from sbirctl.edges import edge_maps
from sbirctl.models.drclip import DrClipSettings
from sbirctl.models.layers.class_texts import text_of_class
from sbirctl.models.layers.clip_towers import ClipBackbone, build_clip
from sbirctl.sampling.batch import Batch
from sbirctl.store.reader import Store
from sbirctl.tasks import split_for
from sbirctl.training.augment import augment

SETTINGS = DrClipSettings()
CONTEXT = 16  # tokens of a text: enough for "a photo of a <class>"


@dataclass(frozen=True)
class Photos:
    """Photos in memory: (n, 3, H, W) and (n, 1, H, W) uint8, and the class of each."""

    image: Tensor
    edge: Tensor | None
    label: Tensor
    classes: tuple[str, ...]

    @classmethod
    def of(cls, store: Store, classes: tuple[str, ...], edges: bool) -> Photos:
        """The photos of these classes of a store."""
        items = store.items
        entries = items.where("photo")
        names = np.array(items.classes)[items.label[entries]]
        chosen = np.isin(names, classes)
        image = torch.from_numpy(store.read("photo", items.row[entries[chosen]])).movedim(-1, 1)
        label = torch.tensor([classes.index(name) for name in names[chosen]])
        return cls(image, edge_maps(image, "canny") if edges else None, label, classes)

    def draw(self, rows: np.ndarray, share: float, kind: str, seed: int) -> tuple[Tensor, Tensor]:
        """Augmented pictures of these rows, a share of them edge maps, and their classes."""
        index, none = torch.from_numpy(rows), torch.full((len(rows),), -1)
        pictures = self.image[index]
        if self.edge is not None:
            drawn = torch.from_numpy(rng_for(seed, "edges").random(len(rows)) < share)
            pictures[drawn] = self.edge[index[drawn]].expand(-1, 3, -1, -1)
        batch = Batch(
            photo=pictures,
            sketch=None,
            edge=None,
            photo_label=self.label[index],
            sketch_label=none[:0],
            photo_instance=none,
            sketch_instance=none[:0],
            tuples=None,
            ids=(),
        )
        changed = augment(batch, kind, seed).photo
        assert changed is not None
        return changed, batch.photo_label


def architecture(options: argparse.Namespace) -> ClipBackbone:
    """A narrow, shallow ViT with a class token, and a text tower of half its depth."""
    towers = {
        "embed_dim": options.width,
        "vision_cfg": {
            "image_size": options.size,
            "layers": options.layers,
            "width": options.width,
            "head_width": 32,
            "patch_size": options.patch,
        },
        "text_cfg": {
            "context_length": CONTEXT,
            "vocab_size": 49408,
            "width": options.width,
            "heads": options.width // 32,
            "layers": max(1, options.layers // 2),
        },
    }
    return ClipBackbone("ViT-B-32", "", towers)


def contrastive(images: Tensor, texts: Tensor, label: Tensor, scale: Tensor) -> Tensor:
    """CLIP's loss for photos whose classes repeat.

    Args:
        images: (n, dim), texts: (classes, dim), L2-normalised. label: (n,) int64.
        scale: of the cosine similarities.

    Returns:
        The mean of the cross-entropy of each image over the texts, and of that of each present
        class over the images, where its probability is shared equally by its own.
    """
    logits = scale * images @ texts.T
    own = F.one_hot(label, len(texts)).float()
    present = own.sum(0) > 0
    target = (own / own.sum(0).clamp(min=1))[:, present].T
    return (F.cross_entropy(logits, label) + F.cross_entropy(logits[:, present].T, target)) / 2


def part_texts(clip: Any, tokens: Tensor, steps: int = 100) -> Tensor:
    """Train the text tower until the texts are apart; their (n, dim) L2-normalised features."""
    optimizer = torch.optim.AdamW(clip.parameters(), 1e-3)
    for _ in range(steps):
        texts = F.normalize(clip.encode_text(tokens), dim=-1)
        loss = F.cross_entropy(10 * texts @ texts.T, torch.arange(len(texts)))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        return F.normalize(clip.encode_text(tokens), dim=-1)


def train_images(clip: Any, photos: Photos, texts: Tensor, options: argparse.Namespace) -> float:
    """Train the image tower and the scale; the accuracy on the photos of the last epoch."""
    trained = [*clip.visual.parameters(), clip.logit_scale]
    groups = [
        {"params": [p for p in trained if p.ndim > 1], "weight_decay": 0.05},
        {"params": [p for p in trained if p.ndim < 2], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=options.lr, betas=(0.9, 0.98))
    per_epoch = len(photos.image) // options.batch
    steps = options.epochs * per_epoch
    warm = max(1, steps // 20)
    mean, std = (torch.tensor(v).view(1, -1, 1, 1) for v in (SETTINGS.mean, SETTINGS.std))
    share = 0.0
    for epoch in range(options.epochs):
        order = rng_for(options.seed, "photos", epoch).permutation(len(photos.image))
        right, total = 0, 0.0
        for step in range(per_epoch):
            done = epoch * per_epoch + step
            rate = min((done + 1) / warm, (1 + math.cos(math.pi * done / steps)) / 2)
            for group in optimizer.param_groups:
                group["lr"] = options.lr * rate
            rows = order[step * options.batch : (step + 1) * options.batch]
            draw = seed_for(options.seed, "augment", epoch, step)
            pictures, label = photos.draw(rows, options.edges, options.augment, draw)
            features = clip.encode_image((pictures.float() / 255 - mean) / std)
            images = F.normalize(features, dim=-1)
            loss = contrastive(images, texts, label, clip.logit_scale.exp())
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            with torch.no_grad():
                clip.logit_scale.clamp_(max=math.log(100))
                right += int((images @ texts.T).argmax(1).eq(label).sum())
                total += float(loss)
        share = right / (per_epoch * options.batch)
        print(f"epoch {epoch + 1}: loss {total / per_epoch:.3f}, right {share:.3f}", flush=True)
    return share


def timm_tower(visual: Any, options: argparse.Namespace) -> tuple[dict[str, Any], dict[str, Any]]:
    """The image tower as a timm network: its settings and its weights.

    timm reads out the normalised class token; CLIP's projection is left out.
    """
    import timm
    from timm.models.vision_transformer import checkpoint_filter_fn

    settings = {
        "name": "vit_base_patch32_clip_224",
        "img_size": options.size,
        "patch_size": options.patch,
        "embed_dim": options.width,
        "depth": options.layers,
        "num_heads": options.width // 32,
    }
    arguments = {k: v for k, v in settings.items() if k != "name"}
    net = timm.create_model(settings["name"], num_classes=0, **arguments).eval()
    state = {f"visual.{k}": v for k, v in visual.state_dict().items()}
    found = checkpoint_filter_fn(state, net)
    weights = {k: v.contiguous() for k, v in found.items() if not k.startswith("head.")}
    net.load_state_dict(weights)
    pictures = torch.randn(2, 3, options.size, options.size)
    with torch.no_grad():
        torch.testing.assert_close(
            net(pictures) @ visual.proj, visual(pictures), atol=1e-4, rtol=1e-4
        )
    return settings, weights


def write_settings(target: Path, values: dict[str, Any]) -> None:
    """A settings file for `--config`."""
    with atomic_open(target) as stream:
        tomli_w.dump(values, stream)


def main() -> None:
    """Train, and write both forms of the weights."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--dataset", required=True, help="a prepared data set")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--without", default="", help="a split whose unseen classes it never sees")
    parser.add_argument("--edges", type=float, default=0.0, help="share of edge maps, 0 to 1")
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--patch", type=int, default=8)
    parser.add_argument("--width", type=int, default=128)
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--augment", default="standard", choices=["standard", "strong"])
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    store = Store.open(options.dataset)
    left_out = split_for(store, options.without).unseen if options.without else ()
    classes = tuple(c for c in store.items.classes if c not in left_out)
    photos = Photos.of(store, classes, options.edges > 0)
    backbone = architecture(options)
    torch.manual_seed(seed_for(options.seed, "weights"))
    clip = build_clip(backbone)
    import open_clip

    prompts = [SETTINGS.template.format(text_of_class(name)) for name in classes]
    tokens = open_clip.get_tokenizer(backbone.name)(prompts, context_length=CONTEXT)
    clip.train()
    texts = part_texts(clip, tokens)
    accuracy = train_images(clip, photos, texts, options)
    clip.eval()
    options.out.mkdir(parents=True, exist_ok=True)
    named = {"name": backbone.name, "pretrained": backbone.pretrained, **backbone.extra}
    normalisation = {"size": options.size, "mean": SETTINGS.mean, "std": SETTINGS.std}
    save_file(
        {k: v.contiguous() for k, v in clip.state_dict().items()}, options.out / "clip.safetensors"
    )
    write_settings(options.out / "clip.toml", {**normalisation, "backbone": named})
    settings, weights = timm_tower(clip.visual, options)
    save_file(weights, options.out / "tower.safetensors")
    write_settings(options.out / "tower.toml", {**normalisation, "backbone": settings})
    facts = {k: v for k, v in vars(options).items() if k != "out"}
    facts |= {"classes": list(classes), "photos": len(photos.image), "right": round(accuracy, 4)}
    facts |= {"temperature": round(math.exp(-clip.logit_scale.item()), 4)}  # t of Eq. 1
    write_json(options.out / "saw.json", facts)
    print(options.out)


if __name__ == "__main__":
    main()
