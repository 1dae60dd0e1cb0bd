"""`sbirctl index` and `sbirctl search` as typed, with a small model as it comes."""

import io
import json
import os
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image, ImageDraw

from sbirctl.cli import _app
from sbirctl.galleries.gallery import find_gallery
from sbirctl.store import bounded

SMALL = ("backbone=squeezenet1_1", "size=32", "dim=8", "mirror=false")
MODEL = ["--model", "baseline", "--weights", "none", *(w for s in SMALL for w in ("--set", s))]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A home with a gallery of five photos, one with an odd name, and a drawing."""
    root = tmp_path_factory.mktemp("searching")
    folder = root / "photos"
    folder.mkdir()
    for number in range(5):
        image = Image.new("RGB", (40, 30), (50 * number, 90, 200 - 40 * number))
        ImageDraw.Draw(image).ellipse((number, 3, 30, 25), fill="white")
        name = b"line\nbreak \xff.png" if number == 4 else b"%d.png" % number
        with open(os.path.join(bytes(folder), name), "wb") as stream:
            image.save(stream, "PNG")
    (folder / "broken.png").write_bytes(b"\x89PNG\r\n")
    drawing = Image.new("L", (64, 64), 255)
    ImageDraw.Draw(drawing).ellipse((5, 8, 58, 55), outline=0, width=3)
    drawing.save(root / "drawing.png")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SBIRCTL_HOME", str(root / "home"))
        assert _app.run(["index", str(folder), "--gallery", "mine", *MODEL]) == 0
    return root


@pytest.fixture
def run(place, monkeypatch, capfdbinary):
    monkeypatch.setenv("SBIRCTL_HOME", str(place / "home"))
    monkeypatch.chdir(place)

    def run(*words):
        capfdbinary.readouterr()
        code = _app.run(list(words))
        said = capfdbinary.readouterr()
        return code, said.out, said.err.decode()

    return run


def test_index_prints_the_gallery_and_says_what_was_left_out(run, place):
    code, out, err = run("index", "photos", "--gallery", "mine")
    assert (code, out) == (0, bytes(place / "home" / "galleries" / "mine") + b"\n")
    assert "5 photos, 0 of them new" in err
    assert "Left out: 1 broken (listed in left-out.tsv)." in err
    code, out, _ = run("index", "--json")
    found = json.loads(out)
    assert (found["gallery"], found["photos"], found["embedded"]) == ("mine", 5, 0)


def test_paths_one_a_line_or_ended_by_nul(run, place):
    code, out, _ = run("search", "drawing.png", "-k", "3", "-g", "mine")
    assert code == 0
    assert len(out.replace(b"line\nbreak", b"").splitlines()) == 3
    code, out, _ = run("search", "drawing.png", "--print0")
    paths = out.split(b"\0")[:-1]
    assert len(set(paths)) == 5
    assert all(os.path.isfile(path) for path in paths)


def test_scores_and_json_agree(run):
    _, out, _ = run("search", "drawing.png", "drawing.png", "-k", "2", "--scores")
    header, *rows = [line.split("\t") for line in out.decode().splitlines()]
    assert header == ["drawing", "rank", "score", "path"]
    assert [(row[0], row[1]) for row in rows] == [("drawing.png", n) for n in "1212"]
    _, out, _ = run("search", "drawing.png", "-k", "2", "--json")
    (answer,) = json.loads(out)["rows"]
    found = [(p["path"], f"{p['score']:.4f}") for p in answer["photos"]]
    assert found == [(row[3], row[2]) for row in rows[:2]]
    assert all(len(p["id"]) == 64 for p in answer["photos"])


@pytest.mark.parametrize("how", ["--scores", "--json", "--print0"])
def test_of_copies_the_one_that_is_left_is_printed(run, place, how):
    folder = place / "doubled"
    folder.mkdir(exist_ok=True)
    for name in ("a.png", "b.png"):
        (folder / name).write_bytes((place / "photos" / "3.png").read_bytes())
    run("index", "doubled", *MODEL)
    (folder / "a.png").unlink()
    _, out, _ = run("search", "drawing.png", "-g", "doubled", how)
    run("galleries", "rm", "doubled")
    assert b"b.png" in out
    assert b"a.png" not in out


def test_help_names_what_is_repeated_once(run):
    assert b"[FOLDER]..." in run("index", "--help")[1]
    _, out, _ = run("search", "--help")
    assert b"[DRAWING|-]..." in out
    assert b"[[" not in out


def test_a_drawing_from_stdin_is_the_drawing(run, place, monkeypatch):
    _, expected, _ = run("search", "drawing.png")
    data = (place / "drawing.png").read_bytes()
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(data)))
    assert run("search", "-")[:2] == (0, expected)


def test_a_photo_alone_and_with_weights(run, place):
    _, out, _ = run("search", "--photo", "photos/2.png", "-k", "1")
    assert out == bytes(place / "photos" / "2.png") + b"\n"
    words = ["drawing.png", "--photo", "photos/1.png", "-k", "1"]
    _, out, _ = run("search", *words, "--weight", "sketch=0")
    assert out == bytes(place / "photos" / "1.png") + b"\n"


@pytest.mark.parametrize("ending", ["png", "pdf"])
def test_a_sheet_of_what_was_found(run, place, ending):
    target = place / f"found.{ending}"
    words = ["search", "drawing.png", "-k", "3", "--sheet", str(target)]
    assert run(*words)[0] == 0
    if ending == "png":
        image = Image.open(target)
        assert image.width > 4 * 144
        assert len(image.getcolors(1 << 20)) > 50
    else:
        assert target.read_bytes().startswith(b"%PDF")


@pytest.mark.parametrize(
    ("words", "code", "what"),
    [
        ([], 2, "nothing to search with"),
        (["--text", "a dog"], 2, "no text tower"),
        (["missing.png"], 3, "missing.png"),
        (["photos/broken.png"], 5, "broken.png"),
        (["--photo", "photos/broken.png"], 5, "broken.png"),
        (["drawing.png", "-g", "nobody"], 3, "'nobody'"),
        (["drawing.png", "--weight", "sktch=2"], 2, "sktch"),
        (["drawing.png", "--sheet", "x.gif"], 2, "x.gif"),
        (["drawing.png", "-k", "0"], 2, "-k"),
    ],
)
def test_errors_are_two_lines(run, words, code, what):
    found, out, err = run("search", *words)
    lines = [line for line in err.splitlines() if line.startswith(("error", "  →"))]
    assert (found, out, len(lines)) == (code, b"", 2)
    assert what in lines[0]


@pytest.mark.parametrize(
    ("words", "code", "what"),
    [
        (["nowhere"], 3, "nowhere"),
        (["/dev/null"], 2, "neither a folder nor a file"),
        (["photos", "--gallery", "a/b"], 2, "'a/b'"),
        (["photos", "--gallery", "mine", "--engine", "exat"], 2, "'exat'"),
        (["photos", "--gallery", "mine", "--engine", "faiss:hnws"], 2, "'hnws'"),
        (["photos", "--gallery", "two\nlines"], 2, "cannot name"),
        (["photos", "--gallery", "n" * 300], 2, "cannot name"),
        (["photos/broken.png", "--gallery", "empty"], 3, "left out: 1 broken"),
        (["photos", "--gallery", "mine", "--model", "nothing"], 3, "nothing"),
        (["photos", "--gallery", "mine", "--forget", "home"], 2, "home"),
        (["photos", "--gallery", "mine", "--set", "size=64"], 2, "size=64"),
        (["home", "--gallery", "empty", *MODEL], 3, "no photo"),
    ],
)
def test_errors_of_index_are_two_lines(run, words, code, what):
    found, out, err = run("index", *words)
    lines = [line for line in err.splitlines() if line.startswith(("error", "  →"))]
    assert (found, out, len(lines)) == (code, b"", 2)
    assert what in lines[0]


def test_a_drawing_that_cannot_be_read_costs_itself(run, place):
    (place / "torn.png").write_bytes((place / "drawing.png").read_bytes()[:60])
    code, out, err = run("search", "torn.png", "drawing.png", "-k", "1", "--json", "-g", "mine")
    assert code == 0
    assert [row["drawing"] for row in json.loads(out)["rows"]] == ["drawing.png"]
    assert "warning: The drawing 'torn.png' cannot be read" in err
    assert run("search", "torn.png", "torn.png", "-g", "mine")[0] == 5


def test_a_drawing_that_may_be_costly_is_read_where_it_can_be_stopped(run, place, monkeypatch):
    Image.open(place / "drawing.png").convert("RGB").save(place / "drawing.webp", lossless=True)
    calls = []
    within = bounded.within_bounds
    monkeypatch.setattr(bounded, "within_bounds", lambda one: (calls.append(one), within(one))[1])
    wanted = run("search", "drawing.png", "-k", "3", "-g", "mine")
    assert calls == []
    assert run("search", "drawing.webp", "-k", "3", "-g", "mine") == wanted
    assert len(calls) == 1
    (place / "torn.webp").write_bytes((place / "drawing.webp").read_bytes()[:60])
    code, _, err = run("search", "torn.webp", "-g", "mine")
    assert code == 5
    assert "The drawing 'torn.webp' cannot be read" in err


def test_vectors_that_are_no_numbers_are_damage_and_no_empty_answer(run, place):
    run("index", "photos", "--gallery", "nan", *MODEL)
    vectors = place / "home" / "galleries" / "nan" / "vectors-1.f32"
    vectors.write_bytes(np.full(vectors.stat().st_size // 4, np.nan, "<f4").tobytes())
    code, out, err = run("search", "drawing.png", "-g", "nan")
    assert (code, out) == (5, b"")
    assert "no numbers" in err
    assert run("index", "--gallery", "nan", "--fresh")[0] == 0
    assert run("search", "drawing.png", "-g", "nan")[0] == 0
    run("galleries", "rm", "nan")


def test_folders_are_added_and_forgotten(run, place):
    (place / "more").mkdir(exist_ok=True)
    Image.new("RGB", (20, 20), "red").save(place / "more" / "red.png")
    run("index", "more", "--gallery", "mine")
    assert json.loads(run("index", "--json")[1])["photos"] == 6
    assert run("index", "--forget", "more")[0] == 0
    assert json.loads(run("index", "--json")[1])["photos"] == 5


def test_galleries_are_listed_and_removed(run, place):
    run("index", "photos", "--gallery", "other", *MODEL)
    _, out, _ = run("galleries")
    rows = [line.split("\t") for line in out.decode().splitlines()]
    assert [row[:3] for row in rows[1:]] == [["other", "5", "baseline"], ["mine", "5", "baseline"]]
    assert run("galleries", "rm", "other", "nobody")[0] == 3
    code, out, _ = run("galleries", "rm", "other")
    assert (code, out) == (0, bytes(place / "home" / "galleries" / "other") + b"\n")
    names = [info["name"] for info in json.loads(run("galleries", "--json")[1])["rows"]]
    assert names == ["mine"]
    assert (place / "photos" / "0.png").is_file()


def test_a_gallery_of_the_same_name_but_another_folder_is_not_mixed_up(run, place):
    other = place / "elsewhere" / "mine"
    other.mkdir(parents=True, exist_ok=True)
    code, _, err = run("index", str(other))
    assert code == 2
    assert "of another folder" in err


def test_help_needs_no_torch():
    code = (
        "import sys; from sbirctl.cli import _app; _app.build(); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_what_is_excluded_stays_so(run, place):
    words = ["index", "photos", "--gallery", "less", *MODEL]
    _, out, _ = run(*words, "--exclude", "1.*", "--json")
    assert json.loads(out)["left_out"]["excluded"] == 1
    _, out, _ = run("index", "--gallery", "less", "--exclude", "2.*", "--json")
    assert json.loads(out)["left_out"]["excluded"] == 2
    assert find_gallery("less").exclude == (b"1.*", b"2.*")
    assert run("index", "--gallery", "less", "--include", "3.*")[0] == 2
    _, out, _ = run("index", "--gallery", "less", "--include", "1.*", "--json")
    assert json.loads(out)["left_out"]["excluded"] == 1
    assert find_gallery("less").exclude == (b"2.*",)
    run("galleries", "rm", "less")


def test_a_refused_index_leaves_nothing(run, place):
    code, _, _ = run("index", "photos", "--gallery", "none", "--exclude", "*", *MODEL)
    assert code == 3
    assert not (place / "home/galleries/none").exists()
