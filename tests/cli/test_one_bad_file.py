"""One file that no decoder takes, among many: it is named, and the commands go on."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from sbirctl.cli._app import run
from sbirctl.store.reader import Store
from tests.galleries.small_gallery import left_out, make


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


HEAD = struct.pack(">IIBBBBB", 4, 4, 8, 3, 0, 0, 0)
# A palette of three colours, and what 999 of them let through.
ODD = b"\x89PNG\r\n\x1a\n" + b"".join(
    chunk(kind, data)
    for kind, data in (
        (b"IHDR", HEAD),
        (b"PLTE", bytes(9)),
        (b"tRNS", bytes(999)),
        (b"IDAT", zlib.compress(bytes(20))),
        (b"IEND", b""),
    )
)


@pytest.fixture
def sides(tmp_path):
    rng = np.random.default_rng(0)
    for side in ("photo", "sketch"):
        for name in ("cat", "dog"):
            (tmp_path / side / name).mkdir(parents=True)
            for number in range(3):
                pixels = rng.integers(0, 256, (9, 9, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(tmp_path / side / name / f"{number}.png")
    (tmp_path / "photo/cat/odd.png").write_bytes(ODD)
    return tmp_path


def test_prepare_names_it_and_makes_the_rest(sides, monkeypatch, capfd):
    monkeypatch.setenv("SBIRCTL_HOME", str(sides / "home"))
    folders = ["--photos", str(sides / "photo"), "--sketches", str(sides / "sketch")]
    words = ["prepare", "folder", "--name", "t", *folders, "--size", "16", "--workers", "1"]
    assert run([*words, "--max-bad", "50%"]) == 0
    assert "cat/odd.png" in capfd.readouterr().err
    store = Store.open("t")
    assert len(store.items) == 12
    assert [entry["path"] for entry in store.manifest["skipped"]] == ["cat/odd.png"]


def test_index_lists_it_and_takes_the_rest(sides):
    outcome = make(sides / "g", [sides / "photo"])
    assert outcome.info.photos == 6
    assert list(left_out(sides / "g")) == ["odd.png"]
