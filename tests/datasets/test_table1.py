import pytest
from raw_files import EXTENDED, OFFICIAL, picture, write

from sbirctl.datasets.published.differences import _against
from sbirctl.pipeline.datasets_table import drclip_table
from sbirctl.pipeline.prepare import prepare
from sbirctl.splits.resolve import known_classes


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("SBIRCTL_HOME", str(tmp_path / "home"))


def rows():
    return {(row.task, row.title): row for row in drclip_table()}


def test_nothing_is_prepared():
    table = rows()
    assert len(table) == 11
    assert all(row.prepared == (None,) * 5 for row in table.values())
    assert table["cd", "S→T(21)"].note == "sketchy and tuberlin: not prepared"


def test_what_is_prepared_is_counted(tmp_path):
    data = picture(0)
    files = {
        f"{form}/{name}/{i}.png": data + bytes([i])
        for name in known_classes("tuberlin")
        for i, form in enumerate(["png", "ImageResized"])
    }
    prepare("tuberlin", {"from": [write(tmp_path / "t", files)]}, settings={"size": 8}, workers=1)
    table = rows()
    assert table["cg", "TU-Berlin Ext"].prepared == (250, 220, 30, 250, 250)
    assert table["gzs", "TU-Berlin-G"].prepared == (250, 220, 74, 250, 250)
    assert table["gzs", "TU-Berlin-G"].published[:3] == (250, 220, 74)
    assert table["cd", "T→S(8)"].note == "sketchy: not prepared"


def test_a_part_of_a_data_set_says_why_there_is_no_number(tmp_path):
    root = write(tmp_path / "s", OFFICIAL + EXTENDED)
    prepare("sketchy", {"from": [root]}, settings={"size": 8}, workers=1)
    row = rows()["cg", "Sketchy Ext"]
    assert row.prepared == (None,) * 5
    assert "imagenet21" in row.note


def test_instances_are_the_classes_of_the_fine_grained_task(tmp_path):
    files = {
        f"ChairV2/{side}/{role}/{stem}/{stem}{tail}.png": picture(i * 10 + len(tail))
        for i, (side, stem) in enumerate([("train", "a_v1"), ("train", "b"), ("val", "c")])
        for role, tail in (("photo", ""), ("sketch", "_1"))
    }
    prepare("chairv2", {"from": [write(tmp_path, files)]}, settings={"size": 8}, workers=1)
    assert rows()["fg", "ChairV2"].prepared == (3, 2, 1, 3, 3)


@pytest.mark.parametrize(
    ("found", "line"),
    [
        ({"sketches": 3, "photos": 2}, "The same as in A: sketches, photos."),
        ({"sketches": 3, "photos": 1}, "Other than in A: 2 photos."),
        ({"sketches": 3}, "The same as in A: sketches."),
    ],
)
def test_a_published_variant_is_recognised(found, line):
    assert _against({"source": "A", "sketches": 3, "photos": 2}, found) == line
