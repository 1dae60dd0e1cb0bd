"""Checks an installed wheel without torch: `sbirctl splits` and `sbirctl evaluate` on an NPZ."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np


def main(bin_folder: str) -> None:
    """Run the commands of the environment whose `bin` folder is given, far from the checkout."""
    assert importlib.util.find_spec("torch") is None, "this environment must not have torch"
    sbirctl = str(Path(bin_folder).absolute() / "sbirctl")
    with tempfile.TemporaryDirectory() as folder:

        def run(*words: str) -> str:
            done = subprocess.run(
                [sbirctl, *words], cwd=folder, check=True, capture_output=True, text=True
            )
            return done.stdout

        assert "sketchy/imagenet21" in run("splits")
        assert len(run("splits", "show", "sketchy/imagenet21").split("\n")) >= 21
        rng = np.random.default_rng(0)
        labels = np.arange(40) % 4
        vectors = np.eye(4)[labels] + 0.1 * rng.standard_normal((40, 4))
        np.savez(
            Path(folder) / "e.npz",
            query=vectors[:10],
            gallery=vectors[10:],
            query_label=labels[:10],
            gallery_label=labels[10:],
        )
        scores = json.loads(run("evaluate", "e.npz", "--metric", "map@all", "--json"))
        assert scores["metrics"]["map@all"] > 0.95, scores
    print("the wheel's splits and evaluate work without torch")


if __name__ == "__main__":
    main(sys.argv[1])
