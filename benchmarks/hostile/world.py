"""A small world where everything can be damaged: raw files, a store, a run, a gallery."""

from __future__ import annotations

import io
import json
import os
import pickle
import subprocess
import sys
import tarfile
from dataclasses import asdict
from pathlib import Path

import numpy as np
import py7zr
import torch
from PIL import Image
from safetensors.torch import save_file

from sbirctl.training.checkpointer import SCHEMA, Progress

from .containers import zipped

CLASSES = ("cat", "dog", "cup", "owl")
FORMATS = ("JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP", "AVIF", "PPM", "JPEG2000")
_SETTINGS = ("backbone=mobilenetv2_050", "size=32", "val_fraction=0", "batch=4")
# The smallest training there is: seconds on one core.
TRAIN = (
    *("train", "baseline", "--dataset", "own", "--task", "gzs", "--split", "default"),
    *("--weights", "none", "--workers", "0", "--threads", "1"),
    *(word for setting in _SETTINGS for word in ("--set", setting)),
)
SVG = (
    b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 100 100">'
    b'<defs><g id="d"><circle cx="5" cy="5" r="4"/></g></defs>'
    b'<g transform="translate(5 5) rotate(9)">'
    b'<path d="M10 70 C20 10 40 10 50 70 S80 99 90 70 A5 5 0 1 1 10 10 z"/>'
    b'<rect x="20" y="20" width="60" height="40" rx="3"/><ellipse cx="70" cy="80" rx="10" ry="5"/>'
    b'<polyline points="1,2 3,4 9 9"/><line x1="10px" y1="1mm" x2="90%" y2="9"/>'
    b'<use href="#d" x="40"/><svg x="5" y="5" width="9" height="9" viewBox="0 0 3 3">'
    b'<polygon points="0 0 3 0 3 3"/></svg></g></svg>'
)


def command(*words: object, home: Path, env: dict[str, str] | None = None) -> int:
    """Run `sbirctl` quietly; gives its exit status."""
    own = {**os.environ, "SBIRCTL_HOME": str(home), "OMP_NUM_THREADS": "1", **(env or {})}
    line = [sys.executable, "-m", "sbirctl", "-q", *map(str, words)]
    return subprocess.run(line, env=own, stdout=subprocess.DEVNULL).returncode


def picture(seed: int, *, grey: bool = False, side: int = 48) -> Image.Image:
    """A picture of coloured cells."""
    cells = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    image = Image.fromarray(cells).resize((side, side * 3 // 4), Image.Resampling.BICUBIC)
    return image.convert("L") if grey else image


def encoded(image: Image.Image, kind: str, **how: object) -> bytes:
    """The bytes of an image file."""
    out = io.BytesIO()
    image.save(out, kind, **how)
    return out.getvalue()


def make(folder: Path, *, trained: bool = True) -> Path:
    """Make everything below a folder, unless it is there.

    Args:
        folder: where.
        trained: with a run, its embeddings, a gallery and an exported model.
    """
    if (folder / "made").exists():
        return folder
    raw = folder / "raw"
    _raw(raw)
    sides = ("--photos", raw / "photo", "--sketches", raw / "sketch", "--size", 32)
    few = ("--workers", 1, "--unseen", "owl", "--edges", "canny")
    untrained = ("--weights", "none", "--set", _SETTINGS[0], "--set", _SETTINGS[1])
    steps: list[tuple[object, ...]] = [("prepare", "folder", "--name", "own", *sides, *few)]
    if trained:
        steps += [
            (*TRAIN, "--epochs", 1),
            ("embed",),
            ("evaluate",),
            ("index", raw / "photo", "--gallery", "got"),
            ("export", "baseline", *untrained, "-o", folder / "export"),
        ]
    for step in steps:
        if command(*step, home=folder / "home"):
            sys.exit(f"the world cannot be made: {step}")
    _arrays(folder)
    (folder / "made").touch()
    return folder


def _raw(raw: Path) -> None:
    members: list[tuple[str, bytes]] = []
    for number, modality in enumerate(("photo", "sketch")):
        for label, name in enumerate(CLASSES):
            for i in range(5):
                image = picture(100 * number + 10 * label + i, grey=bool(number))
                members.append((f"{modality}/{name}/{i}.png", encoded(image, "PNG")))
    for name, data in members:
        (raw / name).parent.mkdir(parents=True, exist_ok=True)
        (raw / name).write_bytes(data)
    few = [one for one in members if one[0][-5] in "01"]
    (raw / "some.zip").write_bytes(zipped(few, 8))
    with tarfile.open(raw / "some.tar.gz", "w:gz") as archive:
        for name, data in few:
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    with py7zr.SevenZipFile(raw / "some.7z", "w") as packed:
        for name, data in few:
            packed.writestr(data, name)
    for kind in FORMATS:
        (raw / f"one.{kind.lower()}").write_bytes(encoded(picture(5), kind))
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "a picture"
    (raw / "one.jpeg").write_bytes(encoded(picture(5), "JPEG", exif=exif, progressive=True))
    (raw / "one.svg").write_bytes(SVG)
    strokes = {
        "word": "cat",
        "key_id": "5",
        "recognized": True,
        "drawing": [[[0, 9, 99], [3, 50, 7]]],
    }
    text = "".join(json.dumps(strokes | {"key_id": str(i)}) + "\n" for i in range(5))
    (raw / "quick").mkdir()
    (raw / "quick/cat.ndjson").write_text(text)
    points = {f"/train/{i}_1": np.arange(12.0).reshape(4, 3) for i in range(3)}
    (raw / "coordinates.pkl").write_bytes(pickle.dumps(points))
    _lists(raw / "sketchy")


def _lists(root: Path) -> None:
    lists = (("photo", "all_photo", "jpg"), ("sketch", "sketch_tx_000000000000", "png"))
    for side, name, ending in lists:
        rows = []
        for label, one in enumerate(("cup", "dog")):
            place = f"256x256/{side}/tx_000000000000/{one}"
            (root / place).mkdir(parents=True)
            for i in range(3):
                image = picture(i, grey=side == "sketch")
                image.save(root / place / f"{i}.{ending}")
                rows.append(f"{place}/{i}.{ending} {label}\n")
        (root / f"{name}_filelist_train.txt").write_text("".join(rows[:2] + rows[3:5]))
    (root.parent / "unseen.txt").write_text("# mine\ncat\ndog\n")


def _arrays(folder: Path) -> None:
    rng = np.random.default_rng(0)
    label = np.arange(12) % 3
    query, gallery = (rng.normal(size=(n, 8)).astype("f4") for n in (6, 12))
    names = np.array(["cat", "dog", "café"])
    np.savez(
        folder / "raw/mine.npz",
        query=query,
        gallery=gallery,
        query_label=names[label[:6]],
        gallery_label=names[label],
    )
    state = {"fc.weight": torch.zeros(3, 4), "fc.bias": torch.zeros(3)}
    torch.save({"state_dict": state}, folder / "raw/weights.pt")
    progress = Progress(history=[{"epoch": 1, "val_map@all": 0.5}], losses={"first": {"x": 1.0}})
    saved = {"schema": SCHEMA, "progress": asdict(progress), "model": state, "optimizer": None}
    torch.save(saved, folder / "raw/state.pt")

    save_file(state, folder / "raw/weights.safetensors")
