import pytest
from raw_files import packed, write

from sbirctl.core.config import resolve
from sbirctl.core.errors import MismatchError, MissingError, UsageError
from sbirctl.datasets.folder import Folder, FolderOptions
from sbirctl.datasets.readers.archive import open_tree, peek
from sbirctl.datasets.readers.naming import Ids, before_number
from sbirctl.splits import resolve as splits
from sbirctl.splits.store_lists import UnseenChoice, write_split


def read(tmp_path, photos, sketches, name="mine", **options):
    write(tmp_path / "p", photos)
    write(tmp_path / "s", sketches)
    trees = {
        role: [open_tree(peek(tmp_path / role[0]), tmp_path / "work")]
        for role in ("photos", "sketches")
    }
    return Folder().read(trees, resolve(FolderOptions, options), name=name)


def classes(source):
    return sorted({item.class_name for item in source.items})


def instances(source):
    return {item.id: item.instance for item in source.items}


def test_sub_folders_are_classes(tmp_path):
    source = read(
        tmp_path, ["cat/1.jpg", "cat/deep/2.jpg", "dog/1.jpg"], ["cat/a.png", "dog/b.png"]
    )
    assert classes(source) == ["cat", "dog"]
    assert set(instances(source).values()) == {""}
    assert {i.id for i in source.items if i.modality == "photo"} == {
        "photo/cat/1.jpg", "photo/cat/2.jpg", "photo/dog/1.jpg",
    }  # fmt: skip


def test_files_without_sub_folders_are_one_class(tmp_path):
    source = read(tmp_path, ["1.jpg", "2.jpg"], ["1-1.png"])
    assert classes(source) == ["mine"]
    assert source.items[0].id == "photo/mine/1.jpg"
    other = read(tmp_path / "x", ["1.jpg", "2.jpg"], ["shoe/1-1.png"])
    assert classes(other) == ["shoe"]
    with pytest.raises(MismatchError, match="2 class folders"):
        read(tmp_path / "y", ["1.jpg"], ["cat/1.png", "dog/1.png"])


def test_files_beside_class_folders_are_left_aside(tmp_path):
    source = read(tmp_path, ["cat/1.jpg", "cover.jpg"], ["cat/a.png"])
    assert len(source.items) == 2
    assert source.ignored["beside the class folders"] == 1
    assert any("beside" in remark for remark in source.remarks)


def test_classes_of_one_side_are_said(tmp_path):
    source = read(tmp_path, ["cat/1.jpg", "dog/1.jpg"], ["cat/1.png", "owl/1.png"])
    assert "Classes without sketches: dog." in source.remarks
    assert "Classes without photos: owl." in source.remarks
    with pytest.raises(MismatchError, match="No class has both"):
        read(tmp_path / "x", ["dog/1.jpg"], ["owl/1.png"])
    with pytest.raises(MissingError, match="no images"):
        read(tmp_path / "y", ["dog/1.jpg"], {"dog/readme.txt": b"x"})


def test_pairs_split_at_the_last_sign(tmp_path):
    photos = ["c/00140128_v1.png", "c/00140128.png", "c/7.png", "c/lone.png"]
    sketches = ["c/00140128_v1_12.png", "c/7-1.png", "c/7.jpg", "c/00140128_1.png", "c/other_1.png"]
    source = read(tmp_path, photos, sketches, pairs="stem")
    found = instances(source)
    assert found["sketch/c/00140128_v1_12.png"] == "c/00140128_v1"
    assert found["sketch/c/00140128_1.png"] == "c/00140128"
    assert found["sketch/c/7-1.png"] == found["sketch/c/7.jpg"] == found["photo/c/7.png"] == "c/7"
    assert found["photo/c/lone.png"] == "c/lone"
    assert found["sketch/c/other_1.png"] == ""
    assert any(remark.startswith("1 of 5 sketches") for remark in source.remarks)
    with pytest.raises(MismatchError, match="No sketch is named after a photo"):
        read(tmp_path / "x", ["c/1.png"], ["c/a-1.png"], pairs="stem")


def test_pairs_stay_within_a_class(tmp_path):
    source = read(tmp_path, ["a/1.png", "b/2.png"], ["a/1-1.png", "b/1-1.png"], pairs="stem")
    assert instances(source)["sketch/b/1-1.png"] == ""


@pytest.mark.parametrize(
    ("text", "photo"),
    [("a-1", "a"), ("a_b-2", "a_b"), ("a-b_2", "a-b"), ("-1", ""), ("a", ""), ("", "")],
)
def test_before_number(text, photo):
    assert before_number(text) == photo


def test_ids_are_unique_and_printable():
    ids = Ids()
    made = [ids.new("photo", "c", name) for name in (b"a", b"a", b"a~2", b"a", b"\xff", b"\x00")]
    assert made[:4] == [f"photo/c/{name}" for name in ("a", "a~2", "a~2~2", "a~3")]
    assert len(set(made)) == 6
    assert all(one.isprintable() for one in made)


def test_the_archives_own_folder_is_no_class(tmp_path):
    write(tmp_path / "photos", ["cat/1.jpg", "dog/2.jpg"])
    write(tmp_path / "flat", ["1.jpg"])
    for source, expected in (("photos", ["cat", "dog"]), ("flat", ["flat"])):
        tree = open_tree(packed(tmp_path / source, tmp_path / f"{source}.zip"), tmp_path / "w")
        found = Folder().read({"photos": [tree], "sketches": [tree]}, FolderOptions(), name="mine")
        assert classes(found) == expected


class TestUnseen:
    CLASSES = tuple(f"class {i}" for i in range(10))

    def split(self, folder, **choice):
        path = write_split(folder, "mine", self.CLASSES, UnseenChoice(**choice))
        assert path == folder / "splits" / "default.txt"
        return splits.find("mine", folders=[path.parent], classes=self.CLASSES)

    def test_named(self, tmp_path):
        found = self.split(tmp_path, names=("class 3", "class_1"))
        assert found.unseen == ("class 3", "class 1")
        assert len(found.seen) == 8

    def test_from_a_file(self, tmp_path):
        (tmp_path / "list.txt").write_text("# mine\nclass 2\n\nclass 7\n")
        assert self.split(tmp_path, file=tmp_path / "list.txt").unseen == ("class 2", "class 7")

    def test_a_fraction_depends_on_the_seed_alone(self, tmp_path):
        one = self.split(tmp_path, fraction=0.3)
        assert len(one.unseen) == 3
        assert self.split(tmp_path, fraction=0.3).unseen == one.unseen
        assert len({self.split(tmp_path, fraction=0.3, seed=s).unseen for s in range(8)}) > 3
        assert len(self.split(tmp_path, fraction=0.001).unseen) == 1
        assert len(self.split(tmp_path, fraction=0.999).unseen) == 9

    @pytest.mark.parametrize(
        ("choice", "error"),
        [
            ({"names": ("class 99",)}, MismatchError),
            ({"names": CLASSES}, MismatchError),
            ({"names": ("class 1",), "fraction": 0.5}, UsageError),
            ({"fraction": 1.5}, UsageError),
            ({}, UsageError),
        ],
    )
    def test_refused(self, tmp_path, choice, error):
        with pytest.raises(error):
            self.split(tmp_path, **choice)
        assert not (tmp_path / "splits").exists()

    def test_a_list_that_is_not_there(self, tmp_path):
        with pytest.raises(MissingError):
            self.split(tmp_path, file=tmp_path / "nope.txt")

    def test_one_class_cannot_be_split(self, tmp_path):
        with pytest.raises(MismatchError, match="1 class cannot"):
            write_split(tmp_path, "mine", ("shoe",), UnseenChoice(fraction=0.5))
