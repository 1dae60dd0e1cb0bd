"""What only a GPU shows, measured by one command in under 20 minutes: `make bench-gpu`.

    python benchmarks/gpu.py [--output benchmarks/results/gpu.md] [--only steps embed …]
    python benchmarks/gpu.py --device cpu --tiny --output FILE   # tries every line

Every section has a budget of seconds, and what one leaves the next may use. A section that runs
over is cut and named, with what it printed so far; one that fails ends nothing. The page is written
after each section, so that what is there of an interrupted call is kept.
"""

from __future__ import annotations

import argparse
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from run import HERE, RESNET, header

from sbirctl.core.errors import MissingError

MODELS = ("baseline", "semi3", "ffmln", "drclip", "clipat", "splip", "sake", "zse")
# huggingface/pytorch-image-models, results/benchmark-infer-amp-nchw-pt291-cu128-4090-dynamo.csv
PUBLISHED = (
    "timm's own figures, compiled, float16 by autocast, batch 1,024, on an RTX 4090 with PyTorch "
    "2.9.1 (results/benchmark-infer-amp-nchw-pt291-cu128-4090-dynamo.csv of "
    "huggingface/pytorch-image-models): vit_base_patch32_224 12,162 images/s, "
    "vit_base_patch32_clip_224 12,645, resnet50 8,039. They leave out what is in ours: bytes to "
    "normalised pixels, and the vectors' way to the processor."
)
_STEPS = (
    "Batches as the papers have them. A row beginning with a loss compares 200 steps in fp32 and "
    "in bf16 from one start over the same batches."
)


@dataclass(frozen=True)
class Section:
    """One call of a script.

    Attributes:
        name: what --only takes; sections of one name are printed as one.
        script, arguments: the call; DEVICE stands for the device.
        tiny: arguments of a dry run.
        seconds: that it may take.
        about: printed above what it says.
    """

    name: str
    script: str
    arguments: str
    tiny: str
    seconds: int
    about: str = ""


_WAYS = "--ways bf16 fp16 'compiled bf16' 'compiled fp16'"
_TINY_WAYS = "--ways bf16 'compiled bf16' --images 8 --batch 4 --seconds 0.01 --eager"
_TINY_NET = "--size 32 --set backbone=mobilenetv3_small_050"
SECTIONS = (
    *(
        Section(
            "steps",
            "step_ways.py",
            f"{name} --seconds 4 --curve 200 {'--header' if name == MODELS[0] else ''}",
            f"{name} --seconds 0.01 --curve 4 --tiny {'--header' if name == MODELS[0] else ''}",
            85,
            _STEPS if name == MODELS[0] else "",
        )
        for name in MODELS
    ),
    Section(
        "embed",
        "embed_ways.py",
        f"--set backbone=resnet50 --images 1024 --batch 1024 {_WAYS}",
        f"{_TINY_NET} {_TINY_WAYS}",
        60,
        PUBLISHED,
    ),
    Section(
        "embed",
        "embed_ways.py",
        f"--model clip --images 1024 --batch 1024 {_WAYS}",
        f"{_TINY_NET} {_TINY_WAYS}",
        60,
    ),
    Section(
        "embed",
        "embed.py",
        f"{RESNET} --rounds 1",
        f"{_TINY_NET} --rounds 1 --images 8",
        40,
        "`embed` in batches of 64 from the store, beside the bare forward pass",
    ),
    Section(
        "evaluate",
        "evaluate.py",
        "--size quickdraw --repeats 1 --sample 4",
        "--size small --repeats 1 --sample 2",
        120,
        "the product is the processor's",
    ),
    Section(
        "edges",
        "edges.py",
        "--seconds 10 --count 16",
        "--seconds 0.01 --count 1 --size 48",
        45,
    ),
    Section(
        "loader",
        "loader.py",
        "--size 224 --rounds 1",
        "--size 32 --rounds 1 --batch 16",
        45,
        "what the store gives a training; the step it feeds is in the section after it",
    ),
    Section(
        "train",
        "train.py",
        f"{RESNET} --set batch=64 --steps 16 --rounds 1",
        f"{_TINY_NET} --set batch=16 --steps 2 --rounds 1",
        60,
        "the loop with reading and augmentation beside bare steps in memory",
    ),
)


def main() -> None:
    """Run the sections one after the other and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    names = list(dict.fromkeys(section.name for section in SECTIONS))
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--tiny", action="store_true", help="small networks, a step or two")
    parser.add_argument("--only", nargs="+", choices=names, default=names)
    parser.add_argument("--output", type=Path, default=HERE / "results" / "gpu.md")
    given = parser.parse_args()
    if given.device.startswith("cuda") and not torch.cuda.is_available():
        error = MissingError("There is no GPU here that torch can use, so nothing is measured.")
        print(error.message, file=sys.stderr)
        sys.exit(error.exit_code)
    what = "Tried, not measured: " if given.tiny else ""
    parts, outcomes = [header(command="python benchmarks/gpu.py")], []
    start, allowed = time.perf_counter(), 0.0
    before = ""
    for section in SECTIONS:
        if section.name not in given.only:
            continue
        allowed += section.seconds
        text = section.tiny if given.tiny else section.arguments
        print(f"{section.script} {text}", file=sys.stderr, flush=True)
        left = start + allowed - time.perf_counter()
        said, outcome = run(section.script, text, given.device, left)
        outcomes.append(f"| {section.name} | `{section.script} {text}` | {outcome} |")
        if section.name != before:
            parts.append(f"## {what}{section.name}")
        if section.about:
            parts.append(section.about)
        parts.append(said)
        before = section.name
        took = f"{(time.perf_counter() - start) / 60:.1f} minutes in all."
        table = ["| section | call | outcome |", "|---|---|---|", *outcomes]
        page = [*parts, "## Outcomes", took, "\n".join(table)]
        given.output.write_text(joined(page))
    print(given.output)
    sys.exit(any("failed" in one for one in outcomes))


def run(script: str, text: str, device: str, seconds: float) -> tuple[str, str]:
    """What a script printed, and how it ended.

    Args:
        script: of this folder. text: its arguments.
        device: what it computes on.
        seconds: after which it and all it started are ended.
    """
    import shlex

    start = time.perf_counter()
    command = [sys.executable, str(HERE / script), *shlex.split(text), "--device", device]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    outcome = ""
    try:
        said, errors = process.communicate(timeout=max(1.0, seconds))
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        said, errors = process.communicate()
        outcome = f"cut after {time.perf_counter() - start:.0f} s"
    except BaseException:  # Ctrl-C does not reach a session of its own
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise
    if not outcome and process.returncode:
        why = (errors.strip().splitlines() or ["no reason given"])[-1]
        outcome = f"failed with exit status {process.returncode}: {_cell(why)[:200]}"
    said = said.strip("\n")
    lines = said.splitlines()
    if lines and not all(line.startswith("|") for line in lines):
        said = f"```\n{said}\n```"  # columns of spaces
    return said, outcome or f"done in {time.perf_counter() - start:.0f} s"


def _cell(text: str) -> str:
    """Text for a table's cell: bars escaped, and of paths of this machine the last name alone."""
    return re.sub(r"(?<![\w.])~?(?:/[\w.@+-]+)+/", "…/", text).replace("|", r"\|")


def joined(parts: list[str]) -> str:
    """Parts of a page; rows of one table that several calls printed stay together."""
    page = ""
    for part in filter(None, parts):
        together = part.startswith("|") and page.rstrip("\n").rpartition("\n")[2].startswith("|")
        page = page.rstrip("\n") + ("\n" if together else "\n\n") + part + "\n"
    return page.lstrip("\n")


if __name__ == "__main__":
    main()
