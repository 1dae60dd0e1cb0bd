from collections import Counter

import pytest
from raw_files import picture, write

from sbirctl.datasets import DATASETS
from sbirctl.datasets.readers.qmul import PairOptions
from sbirctl.datasets.readers.qmul_sides import Sides
from sbirctl.datasets.readers.tree import folder_tree
from sbirctl.pipeline.prepare import prepare
from sbirctl.store.reader import Store

# The stems of chairs hold the signs that also divide photo and number.
STEMS = ["00140128_v1", "CHABRA003GRY-UK_v1_PearlGrey", "chair-with.dot_7"]
FILES = {
    f"ChairV2/{side}/{role}/{stem}/{stem}{tail}.png": picture(len(stem) * 100 + len(tail))
    for side, stem in (("train", STEMS[0]), ("val", STEMS[1]), ("train", STEMS[2]))
    for role, tail in (("photo", ""), ("sketch", "_1"), ("sketch", "_12"))
}


@pytest.mark.parametrize("stem", STEMS)
def test_names_are_divided_at_the_last_underscore(tmp_path, stem):
    reader = DATASETS.get("chairv2")()
    tree = folder_tree(write(tmp_path, FILES))
    source = reader.read({"from": [tree]}, PairOptions(), name="chairv2")
    own = Counter(item.modality for item in source.items if item.instance == f"chair/{stem}")
    assert own == {"photo": 1, "sketch": 2}
    assert source.test_instances == (f"chair/{STEMS[1]}",)


def test_the_store_has_the_list_of_test_instances(tmp_path, monkeypatch):
    monkeypatch.setenv("SBIRCTL_HOME", str(tmp_path / "home"))
    root = write(tmp_path / "raw", FILES)
    folder = prepare("chairv2", {"from": [root]}, settings={"size": 16}, workers=1)
    listed = (folder / "splits/test-instances.txt").read_text().splitlines()
    assert listed[-1] == f"chair/{STEMS[1]}"
    assert "# kind: instances" in listed
    from sbirctl.tasks import TASKS, Holdout

    fg = TASKS.get("fg")
    partition = fg.build(Store.open(folder), None, None, fg.Options(), Holdout(0.0))
    assert len(partition.test.sketch) == 2
    assert partition.test.classes == (f"chair/{STEMS[1]}",)


def test_published_numbers_are_recognised(tmp_path, monkeypatch):
    counts = {"photos": 400, "sketches": 1275, "sketches_train": 952, "sketches_test": 323}
    monkeypatch.setattr(Sides, "counts", lambda self: counts)
    reader = DATASETS.get("chairv2")()
    tree = folder_tree(write(tmp_path, FILES))
    remarks = reader.read({"from": [tree]}, PairOptions(), name="chairv2").remarks
    matching = [line for line in remarks if line.startswith("As in")]
    assert len(matching) == 2
    assert "on-the-fly" in matching[0]
    assert "Dr. CLIP" in matching[1]
