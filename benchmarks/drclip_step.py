"""A training step of Dr. CLIP beside the bare forward and backward pass of CLIP's image encoder.

    python benchmarks/drclip_step.py [--quadruplets 64] [--backbone ViT-B-32] [--device cpu]
        [--classes 104] [--rounds 2] [--set KEY=VALUE]

Baseline: open_clip's image tower with its LayerNorms and three prompt tokens trained and all else
frozen: the same kinds of parameters, on as many images with as many tokens, which lie normalised
on the device. Ours is the whole step: bytes to pixels, both modalities, reference, text logits,
all losses, backward pass, Adam. The frozen reference's features are known (as from the second epoch
on), or computed anew. Weights are random: speed does not depend on them.

Memory is what the first step of a fresh process needs beyond what lies there before it: on a GPU by
torch's own count, on a processor by the system's (Linux).
"""

from __future__ import annotations

import argparse
import ctypes
import multiprocessing
import resource
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from _data import compare
from torch import Tensor, nn
from torch.nn import functional as F

from sbirctl.core.config import parse_assignments
from sbirctl.core.device import keep_freed_memory
from sbirctl.models import create
from sbirctl.models.drclip import DrClip
from sbirctl.models.layers.clip_towers import build_clip
from sbirctl.sampling.batch import Batch
from sbirctl.training.optim import make_optimizer, set_trainable
from sbirctl.training.step import gradients

BARE, CACHED, UNCACHED = (
    "bare forward and backward",
    "step, reference known",
    "step, reference computed",
)


def made(options: argparse.Namespace) -> DrClip:
    """Dr. CLIP with random weights, as `train` makes it."""
    layers = [{"backbone": options.backbone}, parse_assignments(options.set)]
    names = tuple(f"class {index}" for index in range(options.classes))
    model = create("drclip", device=options.device, weights="none", classes=names, layers=layers)
    assert isinstance(model, DrClip)
    return model


def batch_of(model: DrClip, options: argparse.Namespace) -> Batch:
    """Random quadruplets, as `QuadrupletPlan` orders them, on the model's device."""
    count, side = options.quadruplets, model.settings.size
    draws = torch.Generator().manual_seed(0)
    images = torch.randint(
        0, 256, (4 * count, 3, side, side), dtype=torch.uint8, generator=draws
    ).split(2 * count)
    first = torch.randint(options.classes - 1, (count,), generator=draws)
    label = torch.stack([first, first + 1], dim=1).flatten()
    rows = 2 * torch.arange(count)
    none = torch.full((2 * count,), -1)
    return Batch(
        photo=images[0],
        sketch=images[1],
        edge=None,
        photo_label=label,
        sketch_label=label,
        photo_instance=none,
        sketch_instance=none,
        tuples=torch.stack([rows, rows, rows + 1, rows + 1], dim=1),
        ids=tuple(f"image {index}" for index in range(4 * count)),
    ).to(options.device)


def bare(options: argparse.Namespace) -> Callable[[], int]:
    """The baseline."""
    model = made(options)
    settings = model.settings
    batch = batch_of(model, options)
    assert batch.photo is not None
    assert batch.sketch is not None
    images = torch.cat(
        [model.preprocess(batch.sketch, "sketch"), model.preprocess(batch.photo, "photo")]
    )
    visual: Any = build_clip(settings.backbone).visual.to(options.device).requires_grad_(False)
    width = visual.ln_post.weight.shape[0]
    prompts = nn.Parameter(torch.randn(settings.prompts, width, device=options.device))
    for module in visual.modules():
        if isinstance(module, nn.LayerNorm):
            module.requires_grad_(True)
    visual.train()

    def tokens() -> Tensor:
        patches = visual.conv1(images).flatten(2).transpose(1, 2)
        cls = visual.class_embedding.to(patches.dtype).expand(len(patches), 1, -1)
        found = torch.cat([cls, patches], 1) + visual.positional_embedding.to(patches.dtype)
        more = prompts.to(patches.dtype).expand(len(patches), -1, -1)
        return torch.cat([found, more], 1)

    def work() -> int:
        for parameter in visual.parameters():
            parameter.grad = None
        prompts.grad = None
        with model.autocast():
            features = visual.transformer(visual.ln_pre(tokens()))[:, 0]
            loss = (visual.ln_post(features) @ visual.proj).float().square().mean()
        loss.backward()
        loss.item()
        return len(images)

    return work


def step(options: argparse.Namespace, *, known: bool) -> Callable[[], int]:
    """A step of training as the loop does it."""
    model = made(options)
    batch = batch_of(model, options)
    (stage,) = model.recipe()
    optimizer = make_optimizer(stage, model.settings)
    set_trainable(model, stage, 0)
    model.train()
    model.text_features()  # once a run
    if known:
        values = F.normalize(torch.randn(len(batch.ids), model.dim, device=options.device), dim=-1)
        model._known_reference.update(zip(batch.ids, values, strict=True))

    def work() -> int:
        if not known:
            model._known_reference.clear()
        optimizer.zero_grad(set_to_none=True)
        terms = gradients(model, batch, stage.name, pieces=1, seed=0, autocast=model.autocast())
        optimizer.step()
        terms["total"].item()
        return len(batch.ids)

    return work


WAYS: dict[str, Callable[[argparse.Namespace], Callable[[], int]]] = {
    BARE: bare,
    CACHED: lambda options: step(options, known=True),
    UNCACHED: lambda options: step(options, known=False),
}


def memory(name: str, options: argparse.Namespace) -> float:
    """Bytes that one step needs beyond what lies there before it."""
    work = WAYS[name](options)
    if torch.device(options.device).type == "cuda":
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        work()
        return torch.cuda.max_memory_allocated() - before
    ctypes.CDLL(None).malloc_trim(0)  # what building the model freed would hide what a step needs
    resident = Path("/proc/self/statm").read_text().split()[1]
    before = int(resident) * resource.getpagesize()
    work()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before


def main() -> None:
    """Print rates, ratios and memory."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--quadruplets", type=int, default=64, help="of a step")
    parser.add_argument("--backbone", default="ViT-B-32")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--classes", type=int, default=104)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    options = parser.parse_args()
    keep_freed_memory()
    if Path("/proc/self/statm").exists():
        fresh = multiprocessing.get_context("spawn")
        for name in WAYS:
            with fresh.Pool(1) as pool:
                needed = pool.apply(memory, (name, options))
            print(f"{name:34}{needed / 2**20:10,.0f} MiB", flush=True)
    compare(BARE, {name: way(options) for name, way in WAYS.items()}, options.rounds)


if __name__ == "__main__":
    main()
