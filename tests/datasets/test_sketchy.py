import os
from collections import Counter

import pytest
from raw_files import EXTENDED, OFFICIAL, write

from sbirctl.core.config import resolve
from sbirctl.core.errors import MismatchError, MissingError, UsageError
from sbirctl.datasets import DATASETS
from sbirctl.datasets.published.counts import compare, published_counts
from sbirctl.datasets.readers.tree import folder_tree
from sbirctl.datasets.sketchy import Sketchy, SketchyOptions
from sbirctl.store.raw import RawItem
from sbirctl.store.reader import Store
from sbirctl.store.writer import StoreSettings, build_store


def read(*roots, **options):
    trees = {"from": [folder_tree(root) for root in roots]}
    return Sketchy().read(trees, resolve(SketchyOptions, options), name="sketchy")


def by_id(source):
    return {item.id: item for item in source.items}


def test_it_is_registered_under_its_name():
    assert "sketchy" in DATASETS.names()
    assert DATASETS.get("sketchy") is Sketchy


@pytest.mark.parametrize("given", ["", "256x256"])
def test_official_layout(tmp_path, given):
    source = read(write(tmp_path, OFFICIAL) / given)
    items = by_id(source)
    assert Counter(item.modality for item in source.items) == {"photo": 5, "sketch": 12}
    sketch, photo = items["sketch/ant/n1_1-10.png"], items["photo/ant/n1_1.jpg"]
    assert sketch.instance == photo.instance == "ant/n1_1"
    assert {item.origin for item in source.items} == {"original"}
    assert "official" in source.layout
    assert "without extended" in source.layout


@pytest.mark.parametrize("split", [True, False], ids=["two inputs", "one input"])
@pytest.mark.parametrize(
    "name", ["EXTEND_image_sketchy", "EXTEND_image_sketchy_ready", "extended_photo"]
)
def test_extended_photos_repeat_the_originals(tmp_path, split, name):
    files = [file.replace("EXTEND_image_sketchy", name) for file in EXTENDED]
    write(tmp_path / "a", OFFICIAL)
    write(tmp_path / ("b" if split else "a"), files)
    roots = [tmp_path / "a", tmp_path / "b" / name] if split else [tmp_path / "a"]
    source = read(*roots)
    items = by_id(source)
    assert sum(item.origin == "extended" for item in source.items) == 11
    assert items["extended/ant/n1_1.jpg"].copy_of == "photo/ant/n1_1.jpg"
    renamed = items["extended/camel/c.jpg"]
    assert renamed.copy_of == "photo/camel/n02437136_5405.jpg"
    assert renamed.instance == "camel/n02437136_5405"
    assert items["extended/ant/ext_1.jpg"].copy_of == ""
    assert (
        source.read(renamed)
        == (roots[-1] if split else tmp_path / "a")
        .joinpath(*renamed.path.decode().split("/"))
        .read_bytes()
    )


def test_gallery_views_can_be_told_from_the_store(tmp_path, monkeypatch):
    """Extended only: the extended folder; both folders: originals once more."""
    monkeypatch.setenv("SBIRCTL_HOME", str(tmp_path / "home"))
    source = read(write(tmp_path / "raw", OFFICIAL + EXTENDED))
    store = Store.open(build_store("sketchy", source, StoreSettings(size=8), workers=1))
    photos = store.items.where("photo")
    extended = photos[store.items.origin[photos] == store.items.origins.index("extended")]
    assert (len(photos), len(extended), store.rows("photo")) == (16, 11, 11)
    assert (store.items.copy_of[extended] >= 0).sum() == 5


def test_extended_can_be_left_out_or_demanded(tmp_path):
    root = write(write(tmp_path, OFFICIAL), EXTENDED)
    assert len(read(root, extended="no").items) == 17
    assert read(root, extended="no").ignored["extended photos"] == 11
    with pytest.raises(MissingError, match="no extended photos"):
        read(root / "256x256", extended="yes")


def test_layout_of_the_repacked_copy(tmp_path):
    files = [name.replace("000/", "000_ready/", 1) for name in OFFICIAL]
    assert len(read(write(tmp_path, files)).items) == 17


def test_one_tree_of_train_and_val(tmp_path):
    files = [
        "sketchy/train/photo/ant/ext_1.jpg",
        "sketchy/train/photo/ant/n1_1.jpg",
        "sketchy/train/sketch/ant/n1_1-1.jpg",
        "sketchy/val/photo/camel/c.jpg",
        "sketchy/val/sketch/camel/n02437136_5405-3.jpg",
    ]
    source = read(write(tmp_path, files))
    assert source.layout.startswith("one tree")
    assert len(source.items) == 5
    assert {i.origin for i in source.items if i.modality == "photo"} == {"extended"}
    items = by_id(source)
    pair = items["extended/camel/c.jpg"], items["sketch/camel/n02437136_5405-3.jpg"]
    assert pair[0].instance == pair[1].instance
    without = [name for name in files if "ext_" not in name]
    assert {i.origin for i in read(write(tmp_path / "x", without)).items} == {"original"}


def test_one_tree_without_train_and_val(tmp_path):
    files = ["photo/ant/ext_1.jpg", "photo/ant/n1_1.jpg", "sketch/ant/n1_1-1.png"]
    source = read(write(tmp_path, files))
    assert source.layout.startswith("one tree of photo and sketch")
    assert len(source.items) == 3


def test_file_lists_say_what_belongs(tmp_path):
    files = [name.replace("000/", "000_ready/", 1) for name in OFFICIAL]
    extended = [name.replace("sketchy/", "sketchy_ready/", 1) for name in EXTENDED]
    root = write(tmp_path, [f"Sketchy/{name}" for name in files + extended])
    listed = {
        "all_photo_filelist_zero.txt": [files[0], extended[0], extended[3]],
        "sketch_tx_000000000000_ready_filelist_zero.txt": [n for n in files if "-1.png" in n],
    }
    write(root, {f"Sketchy/zeroshot0/{name}": "".join(f"{path} 0\n" for path in paths).encode()
                 for name, paths in listed.items()})  # fmt: skip
    source = read(root)
    assert Counter(item.modality for item in source.items) == {"photo": 3, "sketch": 4}
    assert source.ignored["in no file list"] == 21
    assert source.layout.endswith("file lists")


def test_variants(tmp_path):
    other = "tx_000000001110"
    files = [*OFFICIAL, f"256x256/sketch/{other}/ant/n1_1-1.png"]
    root = write(tmp_path, files)
    source = read(root, variant=other)
    assert Counter(item.modality for item in source.items) == {"photo": 5, "sketch": 1}
    assert source.ignored["another variant: sketch tx_000000000000"] == 12
    with pytest.raises(MissingError, match="tx_000100000000") as caught:
        read(root, variant="tx_000100000000")
    assert other in caught.value.hint
    with pytest.raises(UsageError):
        read(root, variant="tx_1")


def test_spellings_become_the_databases_own(tmp_path):
    files = [name.replace("/ant/", "/hot_air_balloon/") for name in OFFICIAL]
    source = read(write(tmp_path, files))
    assert {item.class_name for item in source.items} == {"hot-air_balloon", "camel"}


def test_stray_files_are_counted_and_left_aside(tmp_path):
    write(tmp_path, OFFICIAL)
    write(tmp_path, {"256x256/photo/tx_000000000000/ant/.DS_Store": b"x", "list.txt": b"x",
                     ".ipynb_checkpoints/a.jpg": b"x", "__MACOSX/._b.jpg": b"x",
                     "elsewhere/c.jpg": b"x"})  # fmt: skip
    source = read(tmp_path)
    assert len(source.items) == 17
    assert dict(source.ignored) == {"hidden": 3, "no image": 1, "outside the layout": 1}


def test_names_of_any_bytes(tmp_path):
    write(tmp_path, OFFICIAL)
    folder = tmp_path / "256x256/photo/tx_000000000000/ant"
    os.rename(folder / "n1_1.jpg", os.fsdecode(os.fsencode(folder) + b"/\xff\n\xe4.jpg"))
    items = by_id(read(tmp_path))
    assert items["photo/ant/\\xff\\n\\xe4.jpg"].path.endswith(b"\xff\n\xe4.jpg")


@pytest.mark.parametrize(
    ("files", "error"),
    [
        (["x.jpg"], MissingError),
        (EXTENDED, MissingError),
        ([name for name in OFFICIAL if "sketch/" in name], MissingError),
        ([*OFFICIAL, *(f"again/{name}" for name in OFFICIAL)], MismatchError),
    ],
    ids=["nothing", "extended only", "sketches only", "twice"],
)
def test_what_is_not_enough_or_too_much(tmp_path, files, error):
    with pytest.raises(error) as caught:
        read(write(tmp_path, files))
    assert caught.value.hint


def test_published_counts_add_up():
    counts = published_counts("sketchy")
    assert len(counts) == 125
    total = {k: sum(c[k] for c in counts.values()) for k in ("sketches", "photos", "extended")}
    assert total == {"sketches": 75_481, "photos": 12_500, "extended": 73_002}
    assert {c["photos"] for c in counts.values()} == {100}


class TestComparison:
    PUBLISHED = {
        "ant": {"sketches": 2, "photos": 1, "extended": 3},
        "bat": {"sketches": 1, "photos": 1, "extended": 2},
    }
    NAMES = {"sketches": "sketches", "photos": "photos", "extended": "extended photos"}

    def items(self, **counts):
        made = []
        for class_name, (sketches, photos, extended) in counts.items():
            sides = [("sketch", "original")] * sketches + [("photo", "original")] * photos
            for modality, origin in sides + [("photo", "extended")] * extended:
                made.append(RawItem("", b"", modality, class_name, origin=origin))
        return made

    def lines(self, **counts):
        return compare(self.items(**counts), self.PUBLISHED, self.NAMES).lines

    def test_complete(self):
        (line,) = self.lines(ant=(2, 1, 3), bat=(1, 1, 2))
        assert line == (
            "3 of 3 sketches, 2 of 2 photos, 5 of 5 extended photos, 2 of 2 classes: as published."
        )

    def test_complete_without_the_extension(self):
        (line,) = self.lines(ant=(2, 1, 0), bat=(1, 1, 0))
        assert "none of 5 extended photos" in line
        assert line.endswith("as published.")

    def test_differences_are_named(self):
        lines = self.lines(ant=(1, 1, 4), cow=(1, 0, 0))
        assert "1 of 2 classes: a subset." in lines[0]
        assert "Fewer files than published: ant (1 of 2 sketches)." in lines
        assert "More files than published: ant (4 of 3 extended photos)." in lines
        assert "Classes without any file: bat." in lines
        assert "Classes that are none of the data set's: cow." in lines

    def test_a_small_subset_takes_few_lines(self):
        published = published_counts("sketchy")
        items = self.items(**dict.fromkeys(published, (1, 1, 0)))
        lines = compare(items, published, self.NAMES).lines
        assert len(lines) == 1
        assert lines[0].startswith("125 of 75,481 sketches")
