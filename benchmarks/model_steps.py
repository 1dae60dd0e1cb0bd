"""A full-size training step of every model: seconds an image, and the most memory.

    python benchmarks/model_steps.py [MODEL …] [--device cpu] [--seconds 20]

Settings are the paper's where the card states them, else the default ones; weights are random, for
speed does not depend on them. A step augments, encodes, computes all losses, goes backward and
moves the optimiser, over drawn images of 224 pixels; on a processor its batch is small
(`sbirctl.reproduce.step_rate`). Each model has a process of its own: the memory is all that this
holds, libraries and weights included (on CUDA what torch holds there). It prints TOML, as
sbirctl/report/measured.toml keeps it.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import sys

import torch
from _data import drawn_home

from sbirctl.models import MODELS, PAPER, load_card
from sbirctl.reproduce.step_rate import measure
from sbirctl.training.config import training_config

SETTINGS = {"sake": {"semantics": "names"}}  # the paper's needs WordNet; a step costs the same


def paper_layers(name: str) -> list[dict[str, str]]:
    """The settings of the paper where the card states them, else the default ones."""
    stated = PAPER in load_card(name).presets
    return [{"preset": PAPER} if stated else {}, SETTINGS.get(name, {})]


def step(name: str, device: str, seconds: float) -> dict[str, str | float]:
    """The entry of one model, measured in this process."""
    layers = paper_layers(name)
    config = training_config(name, layers, dataset="demo")
    rate = measure(config, config.open().partition.train, device, seconds)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    if torch.device(device).type == "cuda":
        memory = torch.cuda.max_memory_allocated()
    return {
        "model": name,
        "preset": layers[0].get("preset", ""),
        "images": rate.images_per_step,
        "seconds": float(f"{1 / rate.images_per_second:.2g}"),
        "gigabytes": round(memory / 1e9, 1),
    }


def main() -> None:
    """Print one entry a model."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    trained = [name for name in MODELS.names() if MODELS.get(name).trainable]
    parser.add_argument("models", nargs="*", metavar="MODEL", help=", ".join(trained))
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--seconds", type=float, default=20.0, help="of steps, a model")
    options = parser.parse_args()
    fresh = multiprocessing.get_context("spawn")
    with drawn_home(224, 8, edges=True):
        for name in options.models or trained:
            with fresh.Pool(1) as pool:
                found = pool.apply(step, (name, options.device, options.seconds))
            values = {k: f'"{v}"' if isinstance(v, str) else v for k, v in found.items()}
            lines = [f"{key} = {value}" for key, value in values.items()]
            print("[[steps]]", *lines, "", sep="\n", flush=True)
    print(f"# torch {torch.__version__}, {torch.get_num_threads()} threads", file=sys.stderr)


if __name__ == "__main__":
    main()
