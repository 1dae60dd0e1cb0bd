"""Checks an installed core wheel, without torch: what works there, and what says what it needs."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw


def main(bin_folder: str) -> None:
    """Run the commands of the environment whose `bin` folder is given, far from the checkout."""
    assert importlib.util.find_spec("torch") is None, "this environment must not have torch"
    package = importlib.util.find_spec("sbirctl")
    assert package is not None
    assert package.origin is not None
    assert (Path(package.origin).parent / "py.typed").is_file(), "its type hints are not for others"
    sbirctl = str(Path(bin_folder).absolute() / "sbirctl")
    with tempfile.TemporaryDirectory() as folder:

        def run(*words: str) -> str:
            done = subprocess.run(
                [sbirctl, *words],
                cwd=folder,
                env={**os.environ, "SBIRCTL_HOME": str(Path(folder) / "home")},
                check=True,
                capture_output=True,
                text=True,
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
        _draw(Path(folder))
        run("index", "photos")
        (found,) = run("search", "drawing.png", "-k", "1").splitlines()
        assert Path(found).parent == Path(folder) / "photos", found
        for words in (["train", "baseline"], ["tsne", "e.npz"]):
            refused = subprocess.run(
                [sbirctl, *words], cwd=folder, check=False, capture_output=True, text=True
            )
            assert refused.returncode == 3, refused
            assert "`pip install sbirctl`" in refused.stderr, refused
            assert refused.stderr.count("\n") == 2, refused
    print("the core wheel works without torch")


def _draw(folder: Path) -> None:
    """Three coloured photos, and a pencil drawing on grey paper."""
    (folder / "photos").mkdir()
    for colour in ("red", "green", "blue"):
        Image.new("RGB", (300, 200), colour).save(folder / "photos" / f"{colour}.jpg")
    drawing = Image.new("L", (400, 400), 180)
    ImageDraw.Draw(drawing).ellipse((100, 120, 300, 280), outline=60, width=6)
    drawing.save(folder / "drawing.png")


if __name__ == "__main__":
    main(sys.argv[1])
