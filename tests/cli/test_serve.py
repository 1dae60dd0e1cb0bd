"""`sbirctl serve`, the real command: it prints where to look, answers, and ends with Ctrl-C."""

import io
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from functools import partial

import pytest
from PIL import Image, ImageDraw
from waiting import PATIENCE

from sbirctl.cli import _app

TOKEN = "one-of-sixteen-letters"
TINY = ["--set", "backbone=squeezenet1_1", "--set", "size=32"]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A home with a gallery of four photos."""
    folder = tmp_path_factory.mktemp("serve")
    (folder / "photos").mkdir()
    for i, color in enumerate(("red", "green", "blue", "white")):
        Image.new("RGB", (40, 30), color).save(folder / "photos" / f"{i} <b>.png")
    words = ["index", str(folder / "photos"), "--model", "baseline", "--weights", "none", *TINY]
    home = folder / "home"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SBIRCTL_HOME", str(home))
        assert _app.run(["--quiet", *words]) == 0
    return home


@contextmanager
def served(home, *words, **more):
    """The running command and the address it printed."""
    env = {**os.environ, "SBIRCTL_HOME": str(home), "OMP_NUM_THREADS": "1", **more}
    command = [sys.executable, "-m", "sbirctl", "serve", "--port", "0", *words]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    # what a shell runs in the background, tests too, ignores Ctrl-C, and so do its children
    heeding = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    with subprocess.Popen(command, env=env, text=True, preexec_fn=heeding, **pipes) as process:
        try:
            yield process, process.stdout.readline().strip()
        finally:
            process.kill()


def drawing():
    image, stream = Image.new("L", (64, 64), "white"), io.BytesIO()
    ImageDraw.Draw(image).line([(10, 10), (50, 50)], fill="black", width=3)
    image.save(stream, "PNG")
    return stream.getvalue()


def ask(url, data=None, token=TOKEN):
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    request = urllib.request.Request(url, data, headers)
    with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
        return answer.read()


def test_the_page_finds_photos_and_ctrl_c_ends_it(home):
    with served(home, SBIRCTL_TOKEN=TOKEN) as (process, address):
        url, _, given = address.partition("?token=")
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/", url)
        assert given == TOKEN
        assert b"<canvas" in ask(url)
        found = json.loads(ask(f"{url}api/search?k=3", drawing()))["photos"]
        assert len(found) == 3
        photo = Image.open(io.BytesIO(ask(f"{url}photo/{found[0]['id']}")))
        assert photo.size == (40, 30)
        with pytest.raises(urllib.error.HTTPError, match="401"):
            ask(url, token=None)
        process.send_signal(signal.SIGINT)
        out, said = process.communicate(timeout=PATIENCE)
        assert process.returncode == 130
        assert out == ""
        assert "Traceback" not in said
        assert "Ctrl-C" in said


@pytest.fixture
def two(tmp_path, monkeypatch):
    """A home with two galleries that the starter made, of four photos and of one."""
    for name, colors in (("one", ("red", "green", "blue", "white")), ("two", ("black",))):
        (tmp_path / name / "inner").mkdir(parents=True)
        for color in colors:
            Image.new("RGB", (40, 30), color).save(tmp_path / name / "inner" / f"{color}.png")
        Image.new("RGB", (40, 30), "pink").save(tmp_path / name / "pink.png")
        monkeypatch.setenv("SBIRCTL_HOME", str(tmp_path / "home"))
        assert _app.run(["--quiet", "index", str(tmp_path / name)]) == 0
    return tmp_path


def test_galleries_together_and_filters(two):
    with served(two / "home", "--no-index", SBIRCTL_TOKEN=TOKEN) as (_, address):
        url = address.partition("?")[0]
        infos = json.loads(ask(f"{url}api/galleries"))
        assert {one["name"]: one["with"] for one in infos} == {"one": ["two"], "two": ["one"]}
        both = "gallery=one&gallery=two"
        found = json.loads(ask(f"{url}api/search?{both}", drawing()))
        names = sorted(os.path.basename(photo["path"]) for photo in found["photos"])
        assert names == ["black.png", "blue.png", "green.png", "pink.png", "red.png", "white.png"]
        assert found["likely"] in (True, False)
        folders = json.loads(ask(f"{url}api/gallery?{both}"))["folders"]
        tops = [str(two / name) for name in ("one", "two")]
        assert folders == sorted([*tops, *(f"{top}/inner" for top in tops)])
        inner = json.loads(ask(f"{url}api/search?{both}&in={two}/one/inner", drawing()))
        paths = {os.path.relpath(photo["path"], two) for photo in inner["photos"]}
        assert paths == {f"one/inner/{c}.png" for c in ("red", "green", "blue", "white")}
        scores = sorted(photo["score"] for photo in found["photos"])
        some = json.loads(ask(f"{url}api/search?{both}&min={scores[2] + 1e-4}", drawing()))
        assert all(photo["score"] > scores[2] for photo in some["photos"])
        assert len(some["photos"]) < len(scores)
        none = json.loads(ask(f"{url}api/search?since=2020&until=2021-03", drawing()))
        assert none["photos"] == []
        assert "say no day" in none["warnings"][0]
        for wrong in ("in=/etc", "min=x", "min=nan", "since=then", f"{both}&gallery=three"):
            with pytest.raises(urllib.error.HTTPError, match="40[04]"):
                ask(f"{url}api/search?{wrong}", drawing())


def test_photos_that_came_are_found_when_the_page_opens(two, tmp_path):
    Image.new("RGB", (40, 30), "yellow").save(two / "one" / "yellow.png")
    plugin = tmp_path / "own.py"  # leaves a file for each process that loads it
    plugin.write_text(
        "import os, pathlib\npathlib.Path(__file__).with_name(f'{os.getpid()}.seen').touch()\n"
    )
    words = ("-g", "one", "--plugin", str(plugin))
    with served(two / "home", *words, SBIRCTL_TOKEN=TOKEN) as (process, address):
        url = address.partition("?")[0]
        assert json.loads(ask(f"{url}api/galleries"))[0]["photos"] == 5
        ask(f"{url}api/gallery?gallery=one")
        end = time.monotonic() + PATIENCE
        while (now := json.loads(ask(f"{url}api/galleries"))[0])["looking"]:
            assert time.monotonic() < end
            time.sleep(0.05)
        assert now["photos"] == 6
        seen = {int(path.stem) for path in tmp_path.glob("*.seen")}
        assert seen - {process.pid}  # the process that looked for new photos
        process.send_signal(signal.SIGINT)
        assert "one has 6 photos, 1 new." in process.communicate(timeout=PATIENCE)[1]


def test_with_no_index_nothing_is_changed(two):
    Image.new("RGB", (40, 30), "yellow").save(two / "one" / "yellow.png")
    with served(two / "home", "-g", "one", "--no-index", SBIRCTL_TOKEN=TOKEN) as (_, address):
        url = address.partition("?")[0]
        ask(f"{url}api/gallery?gallery=one")
        assert json.loads(ask(f"{url}api/galleries"))[0] == {
            "name": "one",
            "photos": 5,
            "model": "starter",
            "with": [],
            "looking": False,
        }


def run(capsys, home, monkeypatch, *words):
    monkeypatch.setenv("SBIRCTL_HOME", str(home))
    code = _app.run(["serve", *words])
    said = capsys.readouterr()
    assert said.out == ""
    return code, said.err


@pytest.mark.parametrize(
    "words, code, said",
    [
        (["-g", "photo"], 3, "There is no gallery 'photo'"),
        (["--token", "short"], 2, "can be guessed"),
        (["--host", "no.such.host.invalid"], 2, "There is no host"),
        (["--host", "192.0.2.1"], 2, "Cannot listen at 192.0.2.1"),
    ],
)
def test_what_cannot_be_served_is_two_lines(capsys, home, monkeypatch, words, code, said):
    got, text = run(capsys, home, monkeypatch, "--port", "0", *words)
    assert got == code
    first, second = text.splitlines()
    assert said in first
    assert second.startswith("  → ")


def test_a_taken_port_and_an_empty_home(capsys, home, monkeypatch, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, said = run(capsys, home, monkeypatch, "--port", str(port))
    assert code == 2
    assert f"Port {port} is taken" in said
    code, said = run(capsys, tmp_path, monkeypatch, "--port", "0")
    assert code == 3
    assert "sbirctl index FOLDER" in said


def test_without_uvicorn_it_says_what_to_install(capsys, home, monkeypatch):
    for name in [name for name in sys.modules if name.startswith("sbirctl.galleries.server")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    code, said = run(capsys, home, monkeypatch)
    assert code == 3
    assert "pip install starlette uvicorn" in said
