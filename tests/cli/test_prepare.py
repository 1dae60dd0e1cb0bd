"""`sbirctl prepare` and `sbirctl datasets`, run as a person runs them."""

import io
import json
import os
import signal
import subprocess
import sys
import tarfile
import time
import unicodedata
import zipfile

import numpy as np
import pytest
from PIL import Image

from sbirctl.cli._app import run
from sbirctl.splits.resolve import find
from sbirctl.store.reader import Store


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("SBIRCTL_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def picture(seed):
    stream = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 256, (9, 9, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


def write(root, names):
    for seed, name in enumerate(names):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(picture(seed))
    return root


@pytest.fixture
def sketchy(tmp_path):
    names = [f"photo/tx_000000000000/{c}/n{i}.jpg" for c in ("ant", "bat") for i in range(3)]
    names += [
        f"sketch/tx_000000000000/{c}/n{i}-{k}.png"
        for c in ("ant", "bat")
        for i in range(3)
        for k in (1, 2)
    ]
    return write(tmp_path / "256x256", names)


@pytest.fixture
def own(tmp_path):
    write(tmp_path / "p", [f"{c}/{i}.jpg" for c in ("cat", "dog", "owl") for i in range(4)])
    write(tmp_path / "s", [f"{c}/{i}_1.png" for c in ("cat", "dog", "owl") for i in range(4)])
    return ["folder", "--name", "mine", "--photos", f"{tmp_path}/p", "--sketches", f"{tmp_path}/s"]


def sbirctl(*words):
    return run([str(word) for word in words])


def prepare(*words):
    return sbirctl("prepare", *words, "--size", 16, "--workers", 1)


def test_stdout_has_the_path_and_nothing_else(sketchy, home, capfdbinary):
    assert prepare("sketchy", "--from", sketchy) == 0
    out, err = capfdbinary.readouterr()
    path = home / "datasets" / "sketchy"
    assert out == os.fsencode(path) + b"\n"
    assert b"12 of 75,481 sketches" in err
    assert b"2 of 125 classes: a subset" in err
    assert len(err.splitlines()) < 8
    assert len(Store.open("sketchy").items) == 18
    assert prepare("sketchy", "--from", sketchy, "--print0") == 0  # it is there: said at once
    out, err = capfdbinary.readouterr()
    assert out == os.fsencode(path) + b"\0"
    assert err == b"sketchy is prepared already.\n"


def test_a_finished_store_is_not_made_again(sketchy, home, capfd):
    prepare("sketchy", "--from", sketchy)
    images = home / "datasets/sketchy/images.h5"
    os.utime(images, (1, 1))
    assert prepare("sketchy", "--from", sketchy) == 0
    assert prepare("sketchy") == 0
    assert images.stat().st_mtime == 1
    assert prepare("sketchy", "--from", sketchy, "--fresh") == 0
    assert images.stat().st_mtime > 1


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--size", "32"], "size=16, not 32"),
        (["--variant", "tx_000000000010"], "variant=tx_000000000000"),
        (["--max-pixels", "99"], "max_pixels=80000000, not 99"),
    ],
)
def test_another_wish_is_not_taken_for_the_same(sketchy, capfd, words, says):
    prepare("sketchy", "--from", sketchy)
    capfd.readouterr()
    size = [] if "--size" in words else ["--size", 16]
    command = ["prepare", "sketchy", "--from", sketchy, "--workers", 1, *size, *words]
    assert sbirctl(*command) == 4
    out, err = capfd.readouterr()
    assert not out
    assert says in err
    assert "--fresh" in err


def test_a_changed_source_is_noticed(sketchy, capfd):
    prepare("sketchy", "--from", sketchy)
    write(sketchy, ["photo/tx_000000000000/ant/more.jpg"])
    assert prepare("sketchy", "--from", sketchy) == 4
    assert "have changed" in capfd.readouterr().err
    assert prepare("sketchy", "--from", sketchy, "--fresh") == 0
    assert len(Store.open("sketchy").items) == 19


def test_an_archive_gives_the_same_store(sketchy, home, tmp_path):
    prepare("sketchy", "--from", sketchy)
    archive = tmp_path / "raw.zip"
    with zipfile.ZipFile(archive, "w") as made:
        for path in sketchy.rglob("*.*g"):
            made.write(path, path.relative_to(tmp_path))
    assert prepare("sketchy", "--from", archive, "--name", "packed") == 0
    one, other = Store.open("sketchy"), Store.open("packed")
    assert one.digest == other.digest
    images = [home / "datasets" / name / "images.h5" for name in ("sketchy", "packed")]
    assert images[0].read_bytes() == images[1].read_bytes()
    assert sorted(p.name for p in other.folder.iterdir()) == [
        ".lock", "images.h5", "manifest.json",
    ]  # fmt: skip


def test_nothing_given_and_nothing_to_be_had(capfd, monkeypatch):
    monkeypatch.setenv("SBIRCTL_MIRROR", "http://127.0.0.1:9/closed")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    assert prepare("sketchy") == 3
    out, err = capfd.readouterr()
    assert not out
    *_notes, first, second = err.splitlines()
    assert "cannot be fetched from 127.0.0.1:9" in first
    assert "sbirctl prepare sketchy --from PATH" in second


def test_a_folder_that_gives_nothing_is_named(sketchy, tmp_path, capfd):
    (tmp_path / "more").mkdir()
    (tmp_path / "more/photo").symlink_to(sketchy)
    assert prepare("sketchy", "--from", sketchy, "--from", tmp_path / "more") == 0
    err = capfd.readouterr().err
    assert f"Nothing was taken from {tmp_path / 'more'}" in err
    assert f"Nothing was taken from {sketchy}" not in err
    assert "links to folders, which are not followed: 1" in err


def test_own_folders_are_never_fetched(capfd):
    assert prepare("folder", "--name", "own") == 3
    assert "--photos PATH --sketches PATH" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["skechy"], 2),
        (["sketchy", "--photos", "x"], 2),
        (["folder", "--photos", "x", "--name", "m"], 2),
        (["folder", "--photos", "x", "--sketches", "y"], 2),
        (["sketchy", "--from", "x", "--max-bad", "many"], 2),
        (["sketchy", "--from", "x", "--encoding", "raw"], 2),
        (["demo", "--variant", "tx_000000000000"], 2),
        (["sketchy", "--from", "nowhere"], 3),
        (["sketchy", "--from", "/dev/zero"], 2),
        (["folder", "--photos", "/dev/zero", "--sketches", "/dev/zero", "--name", "m"], 2),
        (["folder", "--photos", "x", "--sketches", "y", "--name", "../m"], 2),
        (["folder", "--photos", "x", "--sketches", "y", "--name", "m" * 300], 2),
    ],
)
def test_typed_wrongly(words, code, capfd):
    assert prepare(*words) == code
    out, err = capfd.readouterr()
    assert not out
    assert err.startswith("error: ")


def test_own_folders_with_pairs_and_a_split(own, home, capfd):
    assert prepare(*own, "--pairs", "stem", "--unseen", "owl") == 0
    items = Store.open("mine").items
    assert items.classes == ("cat", "dog", "owl")
    assert (items.instance >= 0).all()
    assert len(items.instances) == 12
    split = home / "datasets/mine/splits/default.txt"
    assert split.read_text().splitlines()[-1] == "owl"
    assert prepare(*own, "--pairs", "stem", "--unseen-fraction", 0.4, "--seed", 3) == 0
    assert "# count: 1" in split.read_text()
    assert prepare(*own, "--pairs", "stem", "--unseen", "cow") == 4
    assert "--unseen" in capfd.readouterr().err


def test_bad_files_count_only_beyond_the_limit(own, tmp_path, capfd):
    (tmp_path / "p/cat/0.jpg").write_bytes(b"")
    (tmp_path / "s/cat/0_1.png").write_bytes(picture(1)[:40])
    assert prepare(*own) == 5
    out, err = capfd.readouterr()
    assert not out
    assert "2 of 24 files could not be read" in err
    for limit in ("2", "10%", "0.09"):
        assert prepare(*own, "--max-bad", limit) == 0
    for limit in ("1", "8%", "0.08"):
        assert prepare(*own, "--max-bad", limit) == 5
    skipped = Store.open("mine").manifest["skipped"]
    assert [entry["path"] for entry in skipped] == ["cat/0.jpg", "cat/0_1.png"]
    assert all(entry["reason"] for entry in skipped)
    assert len(Store.open("mine").items) == 22


def test_a_dry_run_writes_nothing(sketchy, home, capfd):
    assert prepare("sketchy", "--from", sketchy, "--dry-run") == 0
    out, err = capfd.readouterr()
    assert not out
    assert "Nothing was written." in err
    assert not home.exists()


def test_drawn_data_sets_are_prepared_alike(capfd):
    words = ["demo", "--set", "per_class=1", "--set", "pixels=64"]
    assert prepare(*words) == 0
    assert prepare(*words) == 0
    assert "prepared already" in capfd.readouterr().err
    assert prepare("demo", "--set", "per_class=2", "--set", "pixels=64") == 4
    assert len(Store.open("demo").items.classes) > 11


def test_listing(sketchy, capfd):
    prepare("sketchy", "--from", sketchy)
    capfd.readouterr()
    assert sbirctl("datasets", "--json") == 0
    listed = {one["name"]: one for one in json.loads(capfd.readouterr().out)["rows"]}
    assert listed["sketchy"]["state"] == "prepared"
    assert listed["sketchy"]["photos"] == 6
    assert listed["sketchy"]["sketches"] == 12
    assert listed["sketchy"]["classes"] == 2
    assert listed["demo"]["state"] == ""
    assert listed["demo"]["folder"] is None
    assert sbirctl("datasets") == 0
    assert capfd.readouterr().out.startswith("name\tstate\t")


def test_listing_tells_the_unfinished_the_old_and_the_damaged(home, capfd):
    (home / "datasets/old").mkdir(parents=True)
    (home / "datasets/old/manifest.json").write_text('{"schema": 1}')
    (home / "datasets/half/unfinished").mkdir(parents=True)
    (home / "datasets/bad").mkdir()
    (home / "datasets/bad/manifest.json").write_text("{")
    assert sbirctl("datasets", "--json") == 0
    listed = {one["name"]: one["state"] for one in json.loads(capfd.readouterr().out)["rows"]}
    assert (listed["half"], listed["bad"]) == ("unfinished", "damaged")
    assert listed["old"] == "of another version"


def test_verify(sketchy, home, capfd):
    prepare("sketchy", "--from", sketchy)
    capfd.readouterr()
    assert sbirctl("datasets", "verify", "sketchy") == 0
    assert capfd.readouterr().out.strip() == str(home / "datasets/sketchy")
    images = home / "datasets/sketchy/images.h5"
    data = bytearray(images.read_bytes())
    data[-50] ^= 1
    images.write_bytes(data)
    assert sbirctl("datasets", "verify", "sketchy") == 5
    out, err = capfd.readouterr()
    assert not out
    assert "--fresh" in err
    assert sbirctl("datasets", "verify", "nothing") == 3


@pytest.mark.skipif(os.name != "posix", reason="kills a process")
def test_killed_with_its_workers_and_continued(tmp_path, home, monkeypatch):
    """A command with worker processes, killed by a signal that cannot be caught."""
    few = [picture(seed) for seed in range(7)]
    for side in ("p", "s"):
        (tmp_path / side / "cat").mkdir(parents=True)
        for number in range(800):
            (tmp_path / side / "cat" / f"{number}.png").write_bytes(few[number % 7])
    words = ["folder", "--name", "m", "--photos", f"{tmp_path}/p", "--sketches", f"{tmp_path}/s"]
    command = ["prepare", *words, "--workers", "2"]
    waiting = (
        "import sys, time\nfrom sbirctl.cli._app import run\nfrom sbirctl.store import writer\n"
        "writer.finish = lambda *more: time.sleep(1000)  # to be killed, however late\n"
        "run(sys.argv[1:])"
    )
    process = subprocess.Popen([sys.executable, "-c", waiting, *command], stderr=subprocess.DEVNULL)
    store = home / "datasets/m"
    while not list((store / "unfinished").glob("*.json")) and process.poll() is None:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    command = [sys.executable, "-m", "sbirctl", *command]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0
    assert "Continuing: " in done.stderr
    stopped = {name: (store / name).read_bytes() for name in ("images.h5", "manifest.json")}
    monkeypatch.setenv("SBIRCTL_HOME", str(tmp_path / "other"))
    assert sbirctl("prepare", *words, "--workers", "1") == 0
    for name, data in stopped.items():
        assert (tmp_path / "other/datasets/m" / name).read_bytes() == data


def test_help_needs_nothing_heavy():
    code = (
        "import sys\nfrom sbirctl.cli._app import run\nrun(['prepare', '--help'])\n"
        "run(['datasets', '--help'])\n"
        "print([m for m in ('numpy', 'h5py', 'PIL', 'torch') if m in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stderr.strip() == "[]"


@pytest.mark.parametrize(
    "words",
    [["--unseen", "cat", "--unseen", "dog"], ["--unseen", "cat, dog"], ["--unseen", "dog,cat"]],
)
def test_unseen_classes_add_up(own, home, words):
    assert prepare(*own, *words) == 0
    lines = (home / "datasets/mine/splits/default.txt").read_text().splitlines()
    assert {line for line in lines if not line.startswith("#")} == {"cat", "dog"}


@pytest.mark.parametrize(
    "words", [["--unseen", "cta"], ["--unseen", ","], ["--unseen", "cat,dog,owl"]]
)
@pytest.mark.parametrize("dry", [[], ["--dry-run"]])
def test_wrong_unseen_classes_are_refused_before_any_work(own, home, capfd, words, dry):
    assert prepare(*own, *words, *dry) in (2, 4)
    assert len(capfd.readouterr().err.splitlines()) == 2
    assert not list(home.glob("datasets/*"))  # nothing that looks unfinished


def test_a_refused_archive_leaves_nothing(sketchy, tmp_path, home, capfd):
    with tarfile.open(tmp_path / "raw.tar", "w") as made:
        made.add(sketchy, "256x256")
    assert prepare("sketchy", "--from", tmp_path / "raw.tar", "--unseen", "x") == 4
    assert not list(home.glob("datasets/*"))


def test_unseen_names_may_have_any_letters(tmp_path, home):
    names = ["#1", "a,b", "-x", "café", "end ", "plain"]
    write(tmp_path / "p", [f"{name}/1.png" for name in names])
    sides = [unicodedata.normalize("NFD", name) for name in names]
    write(tmp_path / "s", [f"{name}/1.png" for name in sides])
    own = ["folder", "--name", "m", "--photos", tmp_path / "p", "--sketches", tmp_path / "s"]
    unseen = [
        part for name in names[:-1] for part in ("--unseen", unicodedata.normalize("NFD", name))
    ]
    assert prepare(*own, *unseen) == 0
    store = Store.open("m")
    assert set(store.items.classes) == set(names)
    split = find("m", folders=[store.folder / "splits"], classes=store.items.classes)
    assert split.unseen == tuple(names[:-1])
    assert split.seen == ("plain",)


def test_an_unseen_name_that_is_no_utf_8_is_typed_as_it_lies_on_the_disk(tmp_path):
    for side in ("p", "s"):
        write(tmp_path / side, [os.fsdecode(b"caf\xe9/1.png"), "dog/1.png"])
    own = ["folder", "--name", "m", "--photos", tmp_path / "p", "--sketches", tmp_path / "s"]
    assert prepare(*own, "--unseen", os.fsdecode(b"caf\xe9")) == 0
    store = Store.open("m")
    assert find("m", folders=[store.folder / "splits"]).unseen == ("caf\\xe9",)


def test_a_name_with_a_comma_beside_its_parts_is_refused(tmp_path, capfd):
    for side in ("p", "s"):
        write(tmp_path / side, [f"{name}/1.png" for name in ("a,b", "a", "b", "c")])
    own = ["folder", "--name", "m", "--photos", tmp_path / "p", "--sketches", tmp_path / "s"]
    assert prepare(*own, "--unseen", "a,b") == 4
    assert "--unseen-file" in capfd.readouterr().err


def test_maps_belong_to_photos_in_any_unicode_form(tmp_path):
    write(tmp_path / "p", ["café/é.png"])
    write(tmp_path / "s", ["café/1.png"])
    write(tmp_path / "m", [unicodedata.normalize("NFD", "café/é.png")])
    own = ["folder", "--name", "m", "--photos", tmp_path / "p", "--sketches", tmp_path / "s"]
    assert prepare(*own, "--edges-from", tmp_path / "m") == 0
    assert Store.open("m").edges.method == "folder"
