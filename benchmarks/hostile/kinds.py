"""The kinds of files the program reads, how each is damaged, and what then reads it."""

from __future__ import annotations

import json
import os
import shutil
import tomllib
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from random import Random

import tomli_w

from . import containers as inside
from .mutations import DEEP, damage_bytes, damage_json, damage_lines, damage_tree
from .world import FORMATS, TRAIN

CHEAP = 10  # so many more damaged files of a kind that is read in a millisecond
Read = Callable[[Path], int]  # of the damaged file; gives the exit status


@dataclass(frozen=True)
class Kind:
    """A kind of file.

    Attributes:
        name: for the table.
        place: of the whole file, below the world's folder.
        damage: makes a damaged one of its bytes; None for a database, damaged where it lies.
        read: reads a file at that place of a copy of the world.
        share: of all damaged files, compared with the other kinds.
    """

    name: str
    place: str
    damage: Callable[[Random, bytes], bytes] | None
    read: Read
    share: int = 1


def run(*words: object) -> int:
    """A command line in this process."""
    from sbirctl.cli import _app

    return _app.run(["-q", *map(str, words)])


_SVG_VALUES = (
    b"", b"1e999", b"nan", b"-1", b"M0 0" + b"L9 9" * 20_000, b"a(" * 20_000, b"url(#d)", b"#d",
    b"9" * 500, b"M0 0A0 0 0 0 0 1e300 1e300", b"rotate(1e308)", b"matrix(0 0 0 0 0 0)",
    b"0 0 0 0", b"1e-300 0 1e300 5", b"M" * 5000, b"5parsec", b"scale(1e200) scale(1e200)",
)  # fmt: skip


def kinds(world: Path) -> list[Kind]:
    """All kinds; `world` as `world.make` leaves it."""
    runs = [path.parent for path in (world / "home/runs").glob("*/config.toml")]
    trained = runs[0].relative_to(world) if runs else "none"
    found = [
        Kind(f"image, {name}", f"raw/one.{name.lower()}", damage_bytes, _image, CHEAP)
        for name in FORMATS
    ]
    safetensors = inside.damage_safetensors
    found += [
        Kind("SVG", "raw/one.svg", damage_svg, _drawing, CHEAP),
        Kind("Quick, Draw! strokes", "raw/quick/cat.ndjson", damage_lines, _drawing, CHEAP),
        Kind("Quick, Draw! data set", "raw/quick/cat.ndjson", _damage_ndjson, _quickdraw),
        Kind("coordinates", "raw/coordinates.pkl", inside.damage_pickle, _coordinates, CHEAP),
        Kind("archive, zip", "raw/some.zip", inside.damage_zip_members, _archive),
        Kind("archive, tar", "raw/some.tar.gz", inside.damage_tar, _archive),
        Kind("archive, 7z", "raw/some.7z", damage_bytes, _archive),
        Kind("file list", "raw/sketchy/all_photo_filelist_train.txt", damage_lines, _file_list),
        Kind("class list", "raw/unseen.txt", damage_lines, _class_list),
        Kind("split", "home/datasets/own/splits/default.txt", damage_lines, _split),
        Kind("store, manifest", "home/datasets/own/manifest.json", damage_json, _store),
        Kind("store, pixels", "home/datasets/own/images.h5", inside.damage_hdf5, _store),
        Kind("store, edge index", "home/datasets/own/edges.json", damage_json, _store),
        Kind("embeddings, HDF5", f"{trained}/embeddings.h5", inside.damage_hdf5, _evaluate),
        Kind("embeddings, NPZ", "raw/mine.npz", inside.damage_npz, _evaluate),
        Kind("run, result", f"{trained}/result.json", damage_json, _runs),
        Kind("run, embedding record", f"{trained}/embeddings.json", damage_json, _runs),
        Kind("run, scores", f"{trained}/scores.json", damage_json, _report),
        Kind("run, log", f"{trained}/log.jsonl", _damage_log, _log),
        Kind("run, settings", f"{trained}/config.toml", _damage_toml, _settings, CHEAP),
        Kind("checkpoint", f"{trained}/checkpoint.safetensors", safetensors, _checkpoint),
        Kind("training state", "raw/state.pt", inside.damage_torch, _state, CHEAP),
        Kind("weights, torch", "raw/weights.pt", inside.damage_torch, _weights, CHEAP),
        Kind("weights, safetensors", "raw/weights.safetensors", safetensors, _weights, CHEAP),
        Kind("gallery, database", "home/galleries/got/gallery.sqlite", None, _gallery),
        Kind("gallery, vectors", "home/galleries/got/vectors-1.f32", damage_bytes, _gallery),
        Kind("exported card", "export/card.toml", _damage_toml, _exported, CHEAP),
        Kind("exported network", "export/photo.onnx", damage_bytes, _network, CHEAP),
    ]  # fmt: skip
    found.sort(key=lambda kind: -kind.share)
    return [kind for kind in found if (world / kind.place).exists()]


def damage(kind: Kind, rng: Random, whole: bytes, target: Path) -> None:
    """Put a damaged file in place."""
    if kind.damage is None:
        target.write_bytes(whole)
        inside.damage_sqlite(rng, target)
        return
    try:
        target.write_bytes(kind.damage(rng, whole))
    except Exception:  # of the library that writes such files, which refuses what is asked of it
        target.write_bytes(damage_bytes(rng, whole))


def damage_svg(rng: Random, data: bytes) -> bytes:
    """An SVG with an attribute nobody expects, nested too deeply, or with too many parts."""
    if rng.random() < 0.4:
        return damage_bytes(rng, data)
    parts = data.split(b'"')
    place = rng.randrange(len(parts) // 2) * 2 + 1
    parts[place] = rng.choice(_SVG_VALUES)
    text = b'"'.join(parts)
    how = rng.randrange(6)
    if how == 0:
        return b"<g>" * 3000 + text
    if how == 1:
        return text.replace(b"<path", b"<g>" * rng.choice((20, 40, 5000)) + b"<path", 1)
    if how == 2:
        return text.replace(b"</g></svg>", b'<use href="#d"/>' * 20_000 + b"</g></svg>")
    return text


def _damage_ndjson(rng: Random, data: bytes) -> bytes:
    lines = data.splitlines(keepends=True)
    place = rng.randrange(len(lines))
    if rng.random() < 0.5:
        lines[place] = damage_json(rng, lines[place]).replace(b"\n", b" ") + b"\n"
        return b"".join(lines)
    return damage_lines(rng, data)


_damage_log = _damage_ndjson


def _damage_toml(rng: Random, data: bytes) -> bytes:
    if rng.random() < 0.6:
        try:
            text = tomli_w.dumps(damage_tree(rng, tomllib.loads(data.decode())))
            return text.replace(f'"{DEEP}"', "[" * 5000 + "]" * 5000).encode()
        except (TypeError, ValueError):  # no TOML can hold it
            pass
    return damage_lines(rng, data) if rng.random() < 0.5 else damage_bytes(rng, data)


def _image(path: Path) -> int:
    from sbirctl.store.images import load_image

    data = path.read_bytes()
    load_image(data, "photo", 32)
    load_image(data, "sketch", 32)
    return 0


def _drawing(path: Path) -> int:
    from sbirctl.drawings.reading import read_drawing

    read_drawing(path.read_bytes())
    return 0


def _coordinates(path: Path) -> int:
    from sbirctl.datasets.readers.coordinates import FRAME, read_coordinates, strokes_of
    from sbirctl.drawings.strokes import Pen, render

    for points in read_coordinates(path.read_bytes()).values():
        render(strokes_of(points), Pen(), FRAME)
    return 0


def _made(name: str, *words: object) -> int:
    """Prepare a store of that name, and remove it again."""
    try:
        return run(
            "prepare", *words, "--name", name, "--size", 16, "--workers", 1, "--max-bad", "90%"
        )
    finally:
        folder = Path(os.environ["SBIRCTL_HOME"], "datasets", name)
        shutil.rmtree(folder, ignore_errors=True)


def _archive(path: Path) -> int:
    return _made("archive", "tuberlin", "--from", path)


def _quickdraw(path: Path) -> int:
    return _made("quick", "quickdraw", "--from", path.parent)


def _file_list(path: Path) -> int:
    return run("prepare", "sketchy", "--from", path.parent, "--dry-run")


def _class_list(path: Path) -> int:
    sides = ("--photos", path.parent / "photo", "--sketches", path.parent / "sketch")
    return run("prepare", "folder", "--name", "x", *sides, "--unseen-file", path, "--dry-run")


def _split(path: Path) -> int:
    return run("splits", "show", path) or run("splits", "show", "own/default")


def _store(_: Path) -> int:
    from sbirctl.store.reader import Store

    status = run("datasets", "verify", "own") or run("datasets")
    store = Store.open("own")
    for modality in ("photo", "sketch"):
        store.read(modality, store.items.row[store.items.where(modality)])
    if store.edges is not None:
        store.read_edges(store.items.row[store.items.where("photo")])
    return status


def _evaluate(path: Path) -> int:
    return run("evaluate", path, "--metric", "map@all") or run("audit", path)


def _runs(path: Path) -> int:
    return run("runs") or run("evaluate", path.parent.name, "--metric", "map@all")


def _report(_: Path) -> int:
    return run("report") or run("runs")


def _log(path: Path) -> int:
    return run("curves", "--training", path, "-o", path.parent / "curves.svg")


def _settings(path: Path) -> int:
    from sbirctl.core.config import read_layers
    from sbirctl.training.config import training_config

    training_config(TRAIN[1], read_layers(path, ()), task="gzs", dataset="own")
    return run("runs")


def _checkpoint(path: Path) -> int:
    from sbirctl.galleries.torch_models import from_checkpoint

    from_checkpoint(path, device="cpu")
    return 0


def _state(path: Path) -> int:
    from torch import nn

    from sbirctl.models import Model
    from sbirctl.training.checkpointer import load_state

    class Tiny(nn.Module):  # of a model only what a state is put into
        checkpoint_state, load_checkpoint_state = (
            Model.checkpoint_state,
            Model.load_checkpoint_state,
        )

        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(4, 3)

    load_state(path, Tiny())  # type: ignore[arg-type]
    return 0


def _weights(path: Path) -> int:
    from torch import nn

    from sbirctl.models._weights import load_state, read_state

    load_state(nn.ModuleDict({"fc": nn.Linear(4, 3)}), read_state(path), source=path.name)
    return 0


def _gallery(path: Path) -> int:
    from sbirctl.galleries.gallery import Gallery

    status = run("galleries")
    with closing(Gallery.open(path.parent)) as gallery:
        gallery.records()
        gallery.files(gallery.photo_ids().astype(str).tolist())
        gallery.changed()
    return status or run("search", path.parents[3] / "raw/sketch/cat/0.png", "-g", "got", "-k", 2)


def _exported(path: Path) -> int:
    from sbirctl.inference.onnx import read_card

    json.dumps(dict(read_card(path.parent)))
    return _network(path)


def _network(path: Path) -> int:
    import numpy as np

    from sbirctl.inference.onnx import OnnxEncoder

    OnnxEncoder(path.parent, threads=1).embed(np.zeros((1, 32, 32, 3), np.uint8), "photo")
    return 0
