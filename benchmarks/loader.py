"""Batches a second from the store to the device, beside copying the same pixels in memory.

    python benchmarks/loader.py [--dataset NAME] [--batch 64] [--device cpu]

The baseline indexes arrays that are in memory already. Further lines add the reading threads and
the augmentation, which runs on the device. The last is what the papers do: torchvision's
ImageFolder over files of 256 px, decoded and mirrored by Pillow in worker processes.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import torch
from _data import compare, data
from _image_folder import folder_batches, image_files

from sbirctl.models import Augmentation
from sbirctl.sampling.plans import BalancedPlan
from sbirctl.training.augment import augment
from sbirctl.training.inputs import Data
from sbirctl.training.loader import BatchLoader, to_rgb, to_tensor


def in_memory(opened: Data, plan: BalancedPlan, device: torch.device) -> Callable[[], int]:
    """The baseline: fancy indexing into arrays."""
    part = opened.partition.train
    photos = opened.store.read("photo", part.photo.row)
    sketches = opened.store.read("sketch", part.sketch.row)

    def work() -> int:
        done = 0
        for indices in plan.batches(part, 0, 0):
            photo = to_tensor(photos[indices.photo]).to(device)
            sketch = to_tensor(sketches[indices.sketch]).to(device)
            done += len(photo) + len(sketch)
        return done

    return work


def loaded(
    opened: Data, plan: BalancedPlan, device: torch.device, workers: int, kind: Augmentation
) -> Callable[[], int]:
    """The loader, with augmentation `kind`."""
    part = opened.partition.train

    def work() -> int:
        done = 0
        loader = BatchLoader(part, device, workers)
        for step, batch in enumerate(loader.batches(plan.batches(part, 0, 0))):
            done += len(to_rgb(augment(batch, kind, step)).ids)
        if device.type == "cuda":
            torch.cuda.synchronize()
        return done

    return work


def folder_images(folder: Path, size: int, batch: int) -> int:
    """One pass over the files."""
    return sum(
        len(photo) + len(sketch) for photo, _, sketch, _ in folder_batches(folder, size, batch)
    )


def main() -> None:
    """Print one line a way of loading."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dataset", default="", help="a prepared data set, else drawn images")
    parser.add_argument("--size", type=int, default=128, help="of the drawn images")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    device = torch.device(options.device)
    plan = BalancedPlan(batch=options.batch, per_class=4)
    with data(options.dataset, options.size) as opened:
        ways = {"in memory": in_memory(opened, plan, device)}
        for workers in (0, 1, 2, 4):
            ways[f"store, {workers} threads"] = loaded(opened, plan, device, workers, "none")
        for kind in ("flip", "standard"):
            ways[f"store, 1 thread, {kind}"] = loaded(opened, plan, device, 1, kind)
        with image_files(opened.partition.train) as folder:
            ways["ImageFolder and Pillow, 2 workers"] = lambda: folder_images(
                folder, options.size, options.batch
            )
            compare("in memory", ways, options.rounds, device=options.device)


if __name__ == "__main__":
    main()
