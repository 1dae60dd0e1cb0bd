"""Run all benchmarks and write what they print, with machine, versions and date.

    python benchmarks/run.py [--scale small] [--only train embed] [--output benchmarks/results.md]

`--scale small` takes some minutes on two cores; `full` is for a machine with a GPU or with time.
Ratios are measured within one run of a script; on a machine that does other work the ratio of
processor time is the one to read.
"""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import subprocess
import sys
import time
from importlib import metadata
from pathlib import Path

HERE = Path(__file__).parent
PACKAGES = ("torch", "torchvision", "timm", "numpy", "h5py", "pillow", "opencv-python-headless")
RESNET = "--size 224 --set backbone=resnet50"

# (script, arguments); the first word of a script's name is what --only takes.
SMALL = [
    ("startup.py", "--repeats 5"),
    ("prepare.py", "--images 2000 --repeat 2"),
    ("loader.py", "--rounds 1"),
    ("train.py", "--steps 4 --rounds 1"),
    ("train.py", f"{RESNET} --set batch=16 --steps 2 --rounds 1"),
    ("embed.py", "--rounds 1 --images 256"),
    ("embed.py", f"{RESNET} --rounds 1 --images 64"),
    ("evaluate.py", "--size sketchy --repeats 3 --sample 4"),
    ("edges.py", "--seconds 5 --count 4"),
    ("memory.py", "--images 4000 --steps 20"),
]
FULL = [
    ("startup.py", "--repeats 5"),
    ("prepare.py", "--images 20000 --repeat 3"),
    ("loader.py", "--size 224 --device DEVICE"),
    ("train.py", "--steps 20 --device DEVICE"),
    *(
        ("train.py", f"{model} --size 224 --set batch={batch} --steps 20 --device DEVICE")
        for model in (
            "--set backbone=resnet50",
            "--model ffmln --set backbone=resnet50 --set frozen_epochs=0",
            "--model drclip",
        )
        for batch in (64, 256)
    ),
    ("embed.py", "--device DEVICE"),
    ("embed.py", f"{RESNET} --device DEVICE"),
    ("embed.py", "--model clip --size 224 --device DEVICE"),
    ("evaluate.py", "--size sketchy --repeats 3 --device DEVICE"),
    ("evaluate.py", "--size quickdraw --repeats 1 --sample 10 --device DEVICE"),
    ("edges.py", "--seconds 20 --count 16 --device DEVICE"),
    ("memory.py", "--images 145000"),
]


def main() -> None:
    """Run them one after the other; a script that fails is reported and the rest goes on."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scale", choices=("small", "full"), default="small")
    parser.add_argument("--device", default="", help="of --scale full; the GPU if there is one")
    parser.add_argument("--only", nargs="+", default=[], help="train, embed, …")
    parser.add_argument("--output", type=Path, default=HERE / "results.md")
    given = parser.parse_args()
    device = given.device or best_device()
    chosen = SMALL if given.scale == "small" else FULL
    parts = [header(given.scale)]
    failed = 0
    for script, text in chosen:
        if given.only and script.removesuffix(".py") not in given.only:
            continue
        arguments = text.replace("DEVICE", device).split()
        print(f"{script} {' '.join(arguments)}", file=sys.stderr, flush=True)
        section, code = measured(script, arguments)
        failed += code != 0
        parts.append(section)
        given.output.write_text("\n\n".join(parts) + "\n")  # what is there if one is interrupted
    print(given.output)
    sys.exit(failed)


def measured(script: str, arguments: list[str]) -> tuple[str, int]:
    """A section of the page, and the script's exit status."""
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, str(HERE / script), *arguments], capture_output=True, text=True
    )
    took = time.perf_counter() - start
    said = done.stdout.strip("\n")
    if done.returncode:
        said += f"\nfailed with exit status {done.returncode}:\n{done.stderr.strip()[-1500:]}"
    load = f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown"
    title = f"## `{' '.join([script, *arguments])}`"
    return f"{title}\n\n{took:.0f} s, load {load} at the end.\n\n```\n{said}\n```", done.returncode


def header(scale: str = "small", command: str = "") -> str:
    """What it was measured on, and by which command; "" for this script's."""
    command = command or f"python benchmarks/run.py --scale {scale}"
    versions = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    today = datetime.date.today().isoformat()
    return (
        f"# Benchmarks, {today}\n\nWritten by `{command}`. "
        f"{machine()}; Python {platform.python_version()}, {versions}.\n\n{REMAINS}"
    )


REMAINS = (
    "What is left of the slowest stages and why it stays: [training and embedding]"
    "(results/training.md), [evaluation](results/evaluate.md)."
)


def machine() -> str:
    """Processor, how much of it this process may use, and GPUs."""
    name = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.is_file():
        lines = info.read_text().splitlines()
        names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
        name = names[0] if names else name
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    load = f", load {os.getloadavg()[0]:.1f} at the start" if hasattr(os, "getloadavg") else ""
    return f"{name}, {cores} cores, {gpus()}{load}"


def gpus() -> str:
    """Names of the GPUs, for the header."""
    import torch

    names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    return ", ".join(names) or "no GPU"


def best_device() -> str:
    """cuda where there is one."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def version(name: str) -> str:
    """Of a package, or that it is not there."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"


if __name__ == "__main__":
    main()
