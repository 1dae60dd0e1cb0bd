from collections import Counter

import pytest
from raw_files import packed, picture, write

from sbirctl.core.errors import MismatchError, MissingError
from sbirctl.datasets import DATASETS, NoOptions
from sbirctl.datasets.published.counts import published_counts
from sbirctl.datasets.readers.archive import open_tree
from sbirctl.datasets.readers.tree import folder_tree
from sbirctl.datasets.tuberlin import TUBerlin

OFFICIAL = [
    *(f"png/{c}/{i}.png" for i, c in enumerate(["giraffe", "wrist-watch", "mouse (animal)"] * 2)),
    "ImageResized/griaffe/n1.JPEG",
    "ImageResized/griaffe/n2.jpg",
    "ImageResized/wristwatching/n3.JPEG",
    "ImageResized/mouse/n4.JPEG",
]
SAKE = [
    *(f"TUBerlin/png_ready/palm tree/{i}.png" for i in range(3)),
    *(f"TUBerlin/ImageResized_ready/palm tree/p {i}.JPEG" for i in range(3)),
]


def read(*roots):
    return TUBerlin().read({"from": [folder_tree(r) for r in roots]}, NoOptions(), name="tuberlin")


def counts(source):
    return Counter((item.modality, item.class_name) for item in source.items)


def test_both_trees_get_the_sketches_spelling(tmp_path):
    found = counts(read(write(tmp_path, OFFICIAL)))
    assert found == {
        ("sketch", "giraffe"): 2,
        ("sketch", "wrist-watch"): 2,
        ("sketch", "mouse (animal)"): 2,
        ("photo", "giraffe"): 2,
        ("photo", "wrist-watch"): 1,
        ("photo", "mouse (animal)"): 1,
    }


def test_folders_and_archives_of_their_own(tmp_path):
    write(tmp_path, OFFICIAL)
    whole = read(tmp_path)
    apart = read(tmp_path / "png", tmp_path / "ImageResized")
    assert counts(apart) == counts(whole)
    archives = [packed(tmp_path / "png", tmp_path / "sketches_png.zip"),
                packed(tmp_path / "ImageResized", tmp_path / "photos.tar.gz")]  # fmt: skip
    trees = [open_tree(path, tmp_path / "work") for path in archives]
    source = TUBerlin().read({"from": trees}, NoOptions(), name="tuberlin")
    assert counts(source) == counts(whole)
    assert source.read(source.items[0])


@pytest.mark.parametrize("sketches", ["png", "png_ready", "sketches_png/png"])
def test_names_of_the_sketch_folder(tmp_path, sketches):
    files = [name.replace("png/", f"{sketches}/", 1) for name in OFFICIAL]
    assert counts(read(write(tmp_path, files)))["sketch", "giraffe"] == 2


@pytest.mark.parametrize("partition", [("train", "val"), ("train", "test"), ("", "")])
def test_one_tree(tmp_path, partition):
    files = [
        f"{part}/{role}/{name}"
        for part, class_name in zip(partition, ["duck", "rollerblades"], strict=True)
        for role, name in (("sketch", f"{class_name}/5776.jpg"), ("photo", f"{class_name}/1.jpg"))
    ]
    source = read(write(tmp_path, [name.lstrip("/") for name in files]))
    assert len(source.items) == 4
    assert source.layout.startswith("one tree")


def test_sketches_and_images(tmp_path):
    files = ["TU-Berlin/sketches/alarm_clock/1.png", "TU-Berlin/images/alarm_clock/2.jpg"]
    source = read(write(tmp_path, files))
    assert {item.class_name for item in source.items} == {"alarm clock"}
    assert source.layout == "sketches and images"


class TestFileLists:
    def lists(self, tmp_path, more=()):
        write(tmp_path, SAKE)
        folder = "TUBerlin/zeroshot"
        sketches = [f"png_ready/palm tree/{i}.png 0" for i in (0, 2, 9)]
        photos = [f"ImageResized_ready/palm tree/p {i}.JPEG 0" for i in (0, 1)]
        write(tmp_path, {
            f"{folder}/png_ready_filelist_zero.txt": "\n".join(sketches).encode(),
            f"{folder}/ImageResized_ready_filelist_zero.txt": "\n".join([*photos, *more]).encode(),
            f"{folder}/cname_cid_zero.txt": b"palm tree 0 \n",
            "TUBerlin/readme.txt": b"no list\n",
        })  # fmt: skip
        return read(tmp_path)

    def test_decide_which_files_belong(self, tmp_path):
        source = self.lists(tmp_path)
        assert counts(source) == {("sketch", "palm tree"): 2, ("photo", "palm tree"): 2}
        assert source.ignored["in no file list"] == 2
        assert source.layout == "official, file lists"
        assert "2 file lists name 5 files; 4 of them are here." in source.remarks

    def test_labels_are_compared_with_the_names(self, tmp_path):
        source = self.lists(tmp_path, ["ImageResized_ready/palm tree/p 2.JPEG 3"])
        assert counts(source)["photo", "palm tree"] == 3
        (line,) = [line for line in source.remarks if "another label" in line]
        assert line.startswith("1 lines of TUBerlin/zeroshot/ImageResized_ready_filelist_zero.txt")


def test_stray_files(tmp_path):
    write(tmp_path, OFFICIAL)
    write(tmp_path, {"png/filelist.txt": b"png/x/1.png\n", "png/list.png": picture(0)})
    source = read(tmp_path)
    assert len(source.items) == 10
    assert source.ignored == {"no image": 1, "outside the layout": 1}


@pytest.mark.parametrize(
    ("files", "error"),
    [
        ([name for name in OFFICIAL if name.startswith("png")], MissingError),
        ([name for name in OFFICIAL if name.startswith("Image")], MissingError),
        (["256x256/photo/tx_000000000000/ant/a.jpg"], MissingError),
        ([*OFFICIAL, "again/png/giraffe/1.png"], MismatchError),
        ([*OFFICIAL, "train/photo/giraffe/1.png"], MismatchError),
    ],
    ids=["no photos", "no sketches", "another data set", "twice", "two layouts"],
)
def test_what_is_not_enough_or_too_much(tmp_path, files, error):
    with pytest.raises(error) as caught:
        read(write(tmp_path, files))
    assert "--from" in caught.value.hint


def test_published_counts(tmp_path):
    table = published_counts("tuberlin")
    assert len(table) == 250
    assert sum(row["sketches"] for row in table.values()) == 20_000
    known = [row["photos"] for row in table.values() if "photos" in row]
    assert (len(known), sum(known)) == (30, 27_989)
    (line,) = [r for r in read(write(tmp_path, OFFICIAL)).remarks if "of 20,000" in r]
    assert line == "6 of 20,000 sketches, 4 of 204,070 photos, 3 of 250 classes: a subset."
    assert DATASETS.get("tuberlin") is TUBerlin
