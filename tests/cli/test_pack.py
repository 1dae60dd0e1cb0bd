"""A run as one file: what is in it, and files from strangers."""

import hashlib
import json
import os
import stat
import struct
import zipfile

import pytest
import yaml

from tests.cli.test_hub import two  # noqa: F401


@pytest.fixture
def packed(two):  # noqa: F811
    path = two.root / "run.sbirctl.zip"
    status, out, err = two.sender("runs", "pack", two.run, path, "--licence", "mit", "--no-onnx")
    assert (status, out) == (0, f"{path}\n"), err
    return path


def members(path):
    with zipfile.ZipFile(path) as archive:
        return {one.filename: archive.read(one) for one in archive.infolist()}


def write(path, files, how=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", how) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def listed(members, **changed):
    """The files with a list that says something else."""
    about = json.loads(members["sbirctl.json"])
    return {**members, "sbirctl.json": json.dumps({**about, **changed}).encode()}


def with_one_more(members, name):
    about = json.loads(members["sbirctl.json"])["files"]
    more = {name: {"bytes": 1, "sha256": "0" * 64}}
    return listed({**members, name: b"x"}, files={**about, **more})


def with_other(members, name, data=b"[1e999]"):
    """The files with other bytes under a name, which the list agrees with."""
    about = json.loads(members["sbirctl.json"])["files"]
    entry = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    return listed({**members, name: data}, files={**about, name: entry})


def received(two):  # noqa: F811
    return list((two.root / "receiver" / "runs").iterdir())


def test_it_holds_the_run_and_is_the_same_each_time(packed, two):  # noqa: F811
    assert list(members(packed)) == [
        "sbirctl.json",
        "README.md",
        "checkpoint.safetensors",
        "config.toml",
        "result.json",
        "log.jsonl",
        "published_scores.json",
    ]
    before = packed.read_bytes()
    two.sender("runs", "pack", two.run, packed, "--licence", "mit", "--no-onnx")
    assert packed.read_bytes() == before


def test_it_is_a_run_for_others_and_twice_the_same(packed, two):  # noqa: F811
    status, out, err = two.receiver("runs", "unpack", packed)
    assert status == 0, err
    assert two.receiver("runs", "unpack", packed)[1] == out
    (folder,) = received(two)
    own = json.loads(two.sender("evaluate", two.run, "--json")[1])
    status, out, _ = two.receiver("evaluate", two.run, "--json")
    assert json.loads(out)["metrics"] == own["metrics"]
    # its own figures do not take the place of those it came with
    assert two.receiver("evaluate", folder.name)[0] == 0
    assert json.loads(two.receiver("runs", "--json")[1])["rows"][0]["origin"] == packed.name


def test_the_page_has_figures_with_definitions_and_terms(packed):
    page = members(packed)["README.md"].decode()
    _, head, body = page.split("---\n", 2)
    about = yaml.safe_load(head)
    assert about["license"] == "mit"
    assert about["library_name"] == "sbirctl"
    assert about["pipeline_tag"] == "image-feature-extraction"
    assert about["datasets"] == ["demo"]
    (result,) = about["model-index"][0]["results"]
    scores = json.loads(members(packed)["published_scores.json"])
    assert {m["type"]: m["value"] for m in result["metrics"]} == scores["metrics"]
    for name, text in scores["definitions"].items():
        assert f"| {name} | {scores['metrics'][name]:.4f} |" in body
        assert text in body
    assert scores["provenance"]["store_digest"] in body
    assert "## Terms of the training data" in body
    assert "They started from random values." in body


def test_the_exported_model_goes_along(two, monkeypatch):  # noqa: F811
    folder = two.root / "sender" / "runs" / two.run / "onnx-0123456789ab"
    folder.mkdir()
    (folder / "photo.onnx").write_bytes(b"a network")
    monkeypatch.setattr("sbirctl.pipeline.export.export_checkpoint", lambda *a, **k: folder)
    path = two.root / "with.sbirctl.zip"
    assert two.sender("runs", "pack", two.run, path)[0] == 0
    assert "uses the ONNX files" in members(path)["README.md"].decode()
    assert two.receiver("runs", "unpack", path)[0] == 0
    (run,) = received(two)
    assert (run / folder.name / "photo.onnx").read_bytes() == b"a network"


def test_a_model_that_cannot_be_exported_goes_without(two, monkeypatch):  # noqa: F811
    from sbirctl.inference.export import ExportError

    def refuse(*args, **more):
        raise ExportError("This network has no such form.")

    monkeypatch.setattr("sbirctl.pipeline.export.export_checkpoint", refuse)
    path = two.root / "with.sbirctl.zip"
    status, _, err = two.sender("runs", "pack", two.run, path)
    assert status == 0
    assert "goes without ONNX files" in err
    assert "This network has no such form." in members(path)["README.md"].decode()


def test_a_licence_with_signs_that_yaml_has_none_for(two):  # noqa: F811
    path = two.root / "a run's.sbirctl.zip"
    words = ("runs", "pack", two.run, path, "--no-onnx", "--licence")
    assert two.sender(*words, "mine\u2028\ud800")[0] == 2
    assert two.sender(*words, "mine: #'\"\\ | é")[0] == 0
    page = members(path)["README.md"].decode()
    assert yaml.safe_load(page.split("---\n")[1])["license"] == "mine: #'\"\\ | é"
    assert "sbirctl runs unpack 'a run'\"'\"'s.sbirctl.zip'" in page


@pytest.mark.parametrize("sign", ["\x7f", "\x85", "\u2028", "\ufeff", "\uffff", "\U0001f600"])
def test_metadata_is_yaml_whatever_a_name_holds(sign):
    from sbirctl.report.hub_card import _json

    assert yaml.safe_load(f"a: {_json([f'x{sign} y'])}\n") == {"a": [f"x{sign} y"]}


def test_figures_that_are_no_numbers_are_refused(two):  # noqa: F811
    place = two.root / "sender" / "runs" / two.run / "scores.json"
    scores = json.loads(place.read_text())
    name = next(iter(scores["metrics"]))
    scores["metrics"][name] = float("nan")
    place.write_text(json.dumps(scores))
    status, _, err = two.sender("runs", "pack", two.run, "--no-onnx")
    assert status == 5
    assert f"{name} is not a finite number" in err


def test_scores_of_other_weights_stay_here(two):  # noqa: F811
    place = two.root / "sender" / "runs" / two.run / "scores.json"
    place.write_text(json.dumps({**json.loads(place.read_text()), "checkpoint": "0" * 64}))
    path = two.root / "run.sbirctl.zip"
    status, _, err = two.sender("runs", "pack", two.run, path, "--no-onnx")
    assert status == 0
    assert "of other weights" in err
    assert "None were measured." in members(path)["README.md"].decode()


def test_a_run_that_is_not_finished_is_not_packed(two):  # noqa: F811
    (two.root / "sender" / "runs" / two.run / "result.json").unlink()
    assert two.sender("runs", "pack", two.run)[0] == 3
    assert two.sender("runs", "pack", "nothing")[0] == 3


HOSTILE = {
    "a path outside": lambda files: with_one_more(files, "../x"),
    "a name outside": lambda files: listed(files, run="../../x"),
    "a hidden name": lambda files: listed(files, run=".ssh"),
    "a pickle": lambda files: with_one_more(files, "checkpoint.pt"),
    "a path outside an export": lambda files: with_one_more(files, "onnx-0123456789ab/../x"),
    "no list": lambda files: {k: v for k, v in files.items() if k != "sbirctl.json"},
    "a list that is none": lambda files: {**files, "sbirctl.json": b"[" * 100_000},
    "a huge list": lambda files: {**files, "sbirctl.json": b" " * (2 << 20)},
    "a newer list": lambda files: listed(files, schema=2),
    "an option's name": lambda files: listed(files, run="-x"),
    "an address's name": lambda files: listed(files, run="hf:x"),
    "a checkpoint that is none": lambda files: with_other(files, "checkpoint.safetensors"),
    "a result that is none": lambda files: with_other(files, "result.json"),
    "a missing file": lambda files: {k: v for k, v in files.items() if k != "config.toml"},
    "another file": lambda files: {**files, "config.toml": b"size = 8\n"},
    "a longer file": lambda files: {**files, "config.toml": files["config.toml"] * 2},
    "names that differ in capitals": lambda files: with_one_more(
        with_one_more(files, "onnx-0123456789ab/a"), "onnx-0123456789ab/A"
    ),
    "many members": lambda files: {**files, **{f"x{i}": b"" for i in range(200)}},
}


@pytest.mark.parametrize("what", HOSTILE)
def test_a_file_from_a_stranger_is_refused_and_leaves_nothing(packed, two, what):  # noqa: F811
    path = write(two.root / "bad.sbirctl.zip", HOSTILE[what](members(packed)))
    status, out, err = two.receiver("runs", "unpack", path)
    assert (status, out) == (5, ""), err
    assert len(err.splitlines()) == 2
    assert received(two) == []
    left = (two.root / "receiver" / "receiving").rglob("*")
    assert [one for one in left if not one.name.endswith(".lock")] == []


def test_another_file_is_refused_with_both_digests(packed, two):  # noqa: F811
    files = members(packed)
    path = write(two.root / "bad.sbirctl.zip", {**files, "config.toml": b"size = 8\n"})
    err = two.receiver("runs", "unpack", path)[2]
    wanted = json.loads(files["sbirctl.json"])["files"]["config.toml"]["sha256"]
    assert wanted[:12] in err
    assert "has SHA-256" in err


def test_a_bomb_is_refused(packed, two):  # noqa: F811
    files = {**members(packed), "config.toml": b"\0" * 10_000_000}
    path = write(two.root / "bomb.sbirctl.zip", files, zipfile.ZIP_DEFLATED)
    status, _, err = two.receiver("runs", "unpack", path)
    assert status == 5
    assert "compressed" in err


@pytest.mark.parametrize("at", [0.1, 0.5, 0.999])
def test_a_cut_file_is_damage(packed, two, at):  # noqa: F811
    data = packed.read_bytes()
    path = two.root / "cut.sbirctl.zip"
    path.write_bytes(data[: int(len(data) * at)])
    assert two.receiver("runs", "unpack", path)[0] == 5
    assert received(two) == []


def test_an_end_that_claims_millions_of_members_is_not_read(packed, two):  # noqa: F811
    data = bytearray(packed.read_bytes())
    at = data.rfind(b"PK\x05\x06")
    struct.pack_into("<H", data, at + 10, 60_000)
    path = two.root / "many.sbirctl.zip"
    path.write_bytes(data)
    status, _, err = two.receiver("runs", "unpack", path)
    assert status == 5
    assert "60000 members" in err


def test_an_end_that_claims_a_place_behind_it_is_damage(packed, two):  # noqa: F811
    data = bytearray(packed.read_bytes())
    at = data.rfind(b"PK\x05\x06")
    _, start = struct.unpack_from("<II", data, at + 12)
    struct.pack_into("<I", data, at + 16, start + 1000)  # the first member would begin at -1000
    path = two.root / "behind.sbirctl.zip"
    path.write_bytes(data)
    status, _, err = two.receiver("runs", "unpack", path)
    assert status == 5, err
    assert received(two) == []


def test_an_end_close_to_the_beginning_is_damage(two):  # noqa: F811
    data = bytearray(64)
    data[40:44], data[28:32] = b"PK\x05\x06", b"PK\x06\x06"
    path = two.root / "short.sbirctl.zip"
    path.write_bytes(data)
    assert two.receiver("runs", "unpack", path)[0] == 5


def test_the_same_run_packed_by_another_version_is_the_same_run(packed, two):  # noqa: F811
    folder = two.receiver("runs", "unpack", packed)[1]
    write(packed, listed(members(packed), sbirctl="9.9"))
    assert two.receiver("runs", "unpack", packed)[:2] == (0, folder)
    status, _, err = two.receiver("evaluate", two.run)
    assert status == 0, err


def test_a_folder_of_that_name_that_is_another_run_is_left_alone(packed, two):  # noqa: F811
    two.receiver("runs", "unpack", packed)
    (folder,) = received(two)
    (folder / "origin.json").unlink()  # as of a run that was trained here
    before = sorted(path.name for path in folder.iterdir())
    status, _, err = two.receiver("runs", "unpack", packed)
    assert status == 5
    assert "is in the way" in err
    assert sorted(path.name for path in folder.iterdir()) == before


def test_a_link_in_it_leads_nowhere(packed, two):  # noqa: F811
    files = members(packed)
    path = two.root / "link.sbirctl.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            member = zipfile.ZipInfo(name)
            if name == "config.toml":
                member.external_attr = (stat.S_IFLNK | 0o777) << 16
                data = b"/etc/passwd"
            archive.writestr(member, data)
    assert two.receiver("runs", "unpack", path)[0] == 5


def test_places_of_this_machine_are_said(two):  # noqa: F811
    config = two.root / "sender" / "runs" / two.run / "config.toml"
    config.write_text(config.read_text().replace('init = ""', f'init = "{os.sep}data{os.sep}x"'))
    _, _, err = two.sender("runs", "pack", two.run, "--no-onnx")
    assert "names places of this machine: /data/x" in err
