"""`sbirctl demo` on a few pictures: every stage runs, and nothing outside its own home is made."""

import json
from pathlib import Path

import pytest
from PIL import Image

from sbirctl.cli import _app


def run(capsys, *words):
    assert _app.run(["demo", "--epochs", "1", "--each", "4", *words]) == 0
    return capsys.readouterr()


@pytest.mark.slow
def test_the_demo_runs_every_stage_in_a_home_of_its_own(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("SBIRCTL_HOME", str(tmp_path))
    first = run(capsys, "--json")
    found = json.loads(first.out)
    assert set(found["metrics"]) == {"untrained", "trained", "chance"}
    for values in found["metrics"].values():
        assert set(values) == {"map@all", "prec@10"}
        assert all(0 < value < 1 for value in values.values())
    assert (found["queries"], found["gallery"], found["classes"]) == (28, 28, 7)
    for name in ("picture", "coordinates", "drawn", "dataset", "run", "recipe"):
        path = Path(found[name])
        assert path.exists()
        assert path.is_relative_to(tmp_path / "demo")
    assert Image.open(found["picture"]).width > 500
    assert "1/5" in first.err

    again = run(capsys)
    assert "finished" in again.err
    lines = [line.split("\t") for line in again.out.splitlines()]
    assert lines[0] == ["network", "map@all", "prec@10"]
    for name, average, precision in lines[1:4]:
        values = found["metrics"][name]
        assert (average, precision) == (f"{values['map@all']:.4f}", f"{values['prec@10']:.4f}")
    assert dict(lines[5:])["picture"] == found["picture"]

    # With the run, everything works on the demo's photos.
    photos, sketches = Path(found["photos"]), Path(found["sketches"])
    assert len(list(photos.glob("*/*.jpg"))) == found["gallery"]
    assert f"index {photos} --gallery demo --model {found['run']}" in again.err
    assert _app.run(["index", str(photos), "--gallery", "demo", "--model", found["run"]]) == 0
    capsys.readouterr()
    assert _app.run(["search", str(sketches / "cup" / "0000.png"), "-k", "5"]) == 0
    hits = capsys.readouterr().out.splitlines()
    assert len(set(hits)) == 5
    assert all(Path(hit).is_relative_to(photos) for hit in hits)

    assert _app.run(["tsne"]) == 3
    assert "no finished run" in capsys.readouterr().err
