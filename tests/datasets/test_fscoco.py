"""FS-COCO's layout: scenes of several people, their photos, captions and lists."""

import zipfile

import pytest
from raw_files import picture, write

from sbirctl.core.errors import MissingError
from sbirctl.datasets import DATASETS
from sbirctl.datasets.fscoco import SceneOptions
from sbirctl.datasets.readers.tree import folder_tree
from sbirctl.pipeline.prepare import prepare
from sbirctl.splits.store_lists import TEST_INSTANCES
from sbirctl.store.captions import CAPTIONS, read_captions, write_captions
from sbirctl.store.reader import Store
from sbirctl.tasks import TASKS, Holdout

# user: numbers of the scenes that this person drew
DRAWN = {"1": ("000000000009", "000000000025"), "2": ("000000000034", "000000000042")}
FILES = {
    f"fscoco/{folder}/{user}/{number}.jpg": picture(int(number) * 10 + len(folder))
    for folder in ("images", "raster_sketches")
    for user, numbers in DRAWN.items()
    for number in numbers
} | {
    **{
        f"fscoco/text/{user}/{number}.txt": f" A dog\n of {user} \n".encode()
        for user, numbers in DRAWN.items()
        for number in numbers[:1]
    },
    "fscoco/vector_sketches/1/000000000009.npy": b"\x93NUMPY",
    "fscoco/val_normal.txt": b"000000000025\n000000000042\n",
    "fscoco/val_unseen_user.txt": b"000000000034\n000000000042\n",
}


def read(root, test="normal", files=FILES):
    tree = folder_tree(write(root, files))
    return DATASETS.get("fscoco")().read({"from": [tree]}, SceneOptions(test), name="fscoco")


def test_a_sketch_is_paired_with_the_photo_of_its_number(tmp_path):
    source = read(tmp_path)
    assert {item.class_name for item in source.items} == {"scene"}
    by_instance = {}
    for item in source.items:
        by_instance.setdefault(item.instance, []).append(item.modality)
    assert by_instance == {
        f"scene/{number}": ["photo", "sketch"] for n in DRAWN.values() for number in n
    }
    assert len({item.id for item in source.items}) == 8
    assert dict(source.ignored) == {"no image": 3}  # the vector sketch, the two lists


def test_captions_belong_to_sketches(tmp_path):
    assert read(tmp_path).captions == {
        "sketch/scene/1-000000000009.jpg": "A dog of 1",
        "sketch/scene/2-000000000034.jpg": "A dog of 2",
    }


def test_captions_of_editors_are_read_and_others_are_named(tmp_path):
    one, two = (f"fscoco/text/{n}" for n in ("1/000000000009.txt", "2/000000000034.txt"))
    source = read(tmp_path, files={**FILES, one: b"\xef\xbb\xbfA dog", two: b"Un caf\xe9"})
    assert source.captions == {"sketch/scene/1-000000000009.jpg": "A dog"}
    assert "Captions left out: 1 are no UTF-8." in source.remarks
    files = {**FILES, one: b" \n", two: b"dog " * 1000}
    source = read(tmp_path / "long", files=files)
    assert {len(text) for text in source.captions.values()} == {2000}
    assert "Captions cut: 1 have more than 2,000 characters." in source.remarks
    assert "Captions left out: 1 are empty." in source.remarks
    assert "4 sketches, 1 of them with a caption." in source.remarks


def test_texts_that_are_no_caption_are_counted_by_what_is_wrong(tmp_path):
    here = FILES["fscoco/text/1/000000000009.txt"]
    files = {
        **FILES,
        "fscoco/text/1/000000000025.txt": "A dog".encode("utf-16-le"),
        "fscoco/text/2/000000000042.npy": here,
        "fscoco/text/2/000000000009.txt": here,
        "fscoco/text/9/000000000009.txt": here,
        "again/text/1/000000000009.txt": b"Another",
    }
    source = read(tmp_path, files=files)
    assert sorted(source.captions) == [
        "sketch/scene/1-000000000009.jpg",
        "sketch/scene/2-000000000034.jpg",
    ]
    assert {line for line in source.remarks if line.startswith("Captions")} == {
        "Captions left out: 1 are no UTF-8.",
        "Captions left out: 2 are of no sketch.",
        "Captions left out: 1 are second ones of a sketch.",
    }
    # vector sketch, two lists, the NumPy file, and the four texts that were not used
    assert dict(source.ignored) == {"no image": 8}


def test_a_mark_at_the_start_of_a_list_is_no_part_of_its_first_number(tmp_path):
    text = b"\xef\xbb\xbf" + FILES["fscoco/val_normal.txt"]
    source = read(tmp_path, files={**FILES, "fscoco/val_normal.txt": text})
    assert source.test_instances == ("scene/000000000025", "scene/000000000042")


@pytest.mark.parametrize(
    ("test", "tested"),
    [
        ("normal", ("scene/000000000025", "scene/000000000042")),
        ("unseen-user", ("scene/000000000034", "scene/000000000042")),
    ],
)
def test_the_lists_say_what_is_tested(tmp_path, test, tested):
    source = read(tmp_path, test)
    assert source.test_instances == tested
    assert not any("trained on are by people" in line for line in source.remarks)


def test_a_list_of_unseen_people_that_leaves_some_of_theirs_is_said(tmp_path):
    files = {**FILES, "fscoco/val_unseen_user.txt": b"000000000034\n"}
    remarks = read(tmp_path, "unseen-user", files).remarks
    assert any(line.startswith("1 sketches that are trained on are by people") for line in remarks)


def test_what_is_missing_is_said(tmp_path):
    files = {name: data for name, data in FILES.items() if "val_normal" not in name}
    del files["fscoco/images/1/000000000009.jpg"]
    remarks = read(tmp_path, files=files).remarks
    assert any("1 sketches have no photo" in line for line in remarks)
    assert any("There is no val_normal.txt" in line for line in remarks)
    with pytest.raises(MissingError, match="raster_sketches"):
        read(tmp_path / "x", files={n: d for n, d in FILES.items() if "raster" not in n})


def test_prepared_from_an_archive_it_is_ranked_as_scenes(tmp_path, monkeypatch):
    monkeypatch.setenv("SBIRCTL_HOME", str(tmp_path / "home"))
    with zipfile.ZipFile(tmp_path / "fscoco.zip", "w") as archive:
        for name, data in FILES.items():
            archive.writestr(name, data)
    folder = prepare(
        "fscoco", {"from": [tmp_path / "fscoco.zip"]}, settings={"size": 16}, workers=1
    )
    assert read_captions(folder)["sketch/scene/1-000000000009.jpg"] == "A dog of 1"
    fg = TASKS.get("fg")
    partition = fg.build(Store.open(folder), None, None, fg.Options(), Holdout(0.0))
    assert partition.test.classes == ("scene/000000000025", "scene/000000000042")
    assert partition.provenance.scope == "all"
    assert partition.provenance.published_queries


def test_a_store_that_counts_as_prepared_has_its_list_and_captions(tmp_path, monkeypatch):
    monkeypatch.setenv("SBIRCTL_HOME", str(tmp_path / "home"))
    there = []

    def killed(path, _):
        there.extend(name for name in (CAPTIONS, TEST_INSTANCES) if (path.parent / name).exists())
        raise OSError("killed")

    monkeypatch.setattr("sbirctl.store.writer.write_manifest", killed)
    with pytest.raises(OSError, match="killed"):
        prepare("fscoco", {"from": [write(tmp_path, FILES)]}, settings={"size": 16}, workers=1)
    assert there == [CAPTIONS, TEST_INSTANCES]


def test_drawn_scenes_have_pairs_and_captions(tmp_path, monkeypatch):
    monkeypatch.setenv("SBIRCTL_HOME", str(tmp_path / "home"))
    options = {"count": "10", "things": "2", "pixels": "48"}
    folder = prepare("scenes", {}, options=options, settings={"size": 16}, workers=1)
    store = Store.open(folder)
    captions = read_captions(folder)
    sketches = {store.items.id[i] for i in store.items.where("sketch")}
    assert set(captions) == sketches
    assert len(sketches) == 10
    assert all(" and a" in text or "scissors" in text for text in captions.values())
    fg = TASKS.get("fg")
    partition = fg.build(store, None, None, fg.Options(), Holdout(0.0))
    assert len(partition.test.sketch) == 2


def test_captions_that_are_gone_are_removed(tmp_path):
    write_captions(tmp_path, {"a": "b"})
    assert read_captions(tmp_path) == {"a": "b"}
    write_captions(tmp_path, {})
    assert not (tmp_path / CAPTIONS).exists()
    assert read_captions(tmp_path) == {}
