"""File lists choose the same files whatever they went through, or are refused by name."""

import os

import pytest
from raw_files import write

from sbirctl.core.errors import CorruptError, MissingError
from sbirctl.datasets.readers.listfiles import find_lists
from sbirctl.datasets.readers.tree import folder_tree
from sbirctl.datasets.sketchy import Sketchy, SketchyOptions
from sbirctl.datasets.tuberlin import TUBerlin

TX = "256x256/{}/tx_000000000000"
PHOTOS = [f"{TX.format('photo')}/{c}/{i}.jpg" for c in ("cup", "hot air") for i in range(3)]
SKETCHES = [f"{TX.format('sketch')}/{c}/{i}-1.png" for c in ("cup", "hot air") for i in range(3)]
LISTS = {
    "all_photo_filelist_train.txt": PHOTOS,
    "sketch_tx_000000000000_filelist_train.txt": SKETCHES,
}


def listed(
    root, sep=" ", end="\n", before="", after="", slash="/", encoding="utf-8", start="", spelled=str
):
    for name, paths in LISTS.items():
        places = [start + spelled(path).replace("/", slash) for path in paths[::2]]
        rows = [f"{place}{sep}{i // 2}" for i, place in enumerate(places)]
        text = before + end.join(rows) + end + after
        (root / name).write_bytes(text.encode(encoding))


def read(root):
    return Sketchy().read({"from": [folder_tree(root)]}, SketchyOptions(), name="s")


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"end": "\r\n"},
        {"end": "\r\r\n"},
        {"slash": "\\"},
        {"slash": "\\", "end": "\r\n", "encoding": "utf-16"},
        {"after": "\n \t\n"},
        {"encoding": "utf-8-sig"},
        {"encoding": "utf-16"},
        {"sep": "\t"},
        {"sep": "   "},
        {"before": "# mine\n\n"},
        {"encoding": "utf-16-le"},
        {"start": "./"},
        {"start": "/home/me/data/"},
        {"start": "D:\\data\\", "slash": "\\"},
        {"start": "raw/../"},
        {"start": '"', "sep": '" '},
        {"start": "\ufeff"},
        {"slash": "//"},
        {"spelled": str.upper},
        {"spelled": str.title},
    ],
    ids=str,
)
def test_lists_from_elsewhere_choose_the_published_files(tmp_path, how):
    write(tmp_path, [*PHOTOS, *SKETCHES])
    listed(tmp_path, **how)
    source = read(tmp_path)
    assert {item.path.decode() for item in source.items} == {*PHOTOS[::2], *SKETCHES[::2]}
    assert "2 file lists name 6 files; 6 of them are here." in source.remarks


@pytest.mark.parametrize(
    "line", ["only words", "photo/cup/1.jpg", "photo/cup/1.jpg cup", "1.jpg 3"]
)
def test_a_line_that_is_none_is_refused_with_its_number(tmp_path, line):
    write(tmp_path, [*PHOTOS, *SKETCHES])
    listed(tmp_path, before=f"{PHOTOS[0]} 0\n{line}\n")
    with pytest.raises(CorruptError, match="all_photo_filelist_train.txt looks .* line 2 does not"):
        read(tmp_path)


def test_an_empty_list_is_refused(tmp_path):
    write(tmp_path, {"sketch_zero.txt": b"# nothing\n\n"})
    with pytest.raises(CorruptError, match="sketch_zero.txt .* names no file"):
        find_lists([folder_tree(tmp_path)])


def test_a_list_that_leaves_out_a_side_is_named(tmp_path):
    write(tmp_path / "a", [*PHOTOS, *SKETCHES])
    listed(tmp_path / "a")
    (tmp_path / "a/sketch_tx_000000000000_filelist_train.txt").unlink()
    with pytest.raises(MissingError, match="no sketches") as caught:
        read(tmp_path / "a")
    assert "all_photo_filelist_train.txt" in caught.value.hint
    write(tmp_path / "b", ["photo/cup/1.jpg", "sketch/cup/1.png"])
    write(tmp_path / "b", {"all_photo_train.txt": b"photo/cup/1.jpg 0\n"})
    with pytest.raises(MissingError, match="no sketches") as caught:
        TUBerlin().read({"from": [folder_tree(tmp_path / "b")]}, None, name="t")
    assert "all_photo_train.txt" in caught.value.hint


def test_names_that_are_no_utf_8_keep_their_bytes(tmp_path):
    name = b"photo/caf\xe9/1.jpg"
    write(tmp_path, {"sketch_train.txt": name.replace(b"/", b"\\") + b" 7\r\n"})
    (tmp_path / os.fsdecode(name)).parent.mkdir(parents=True)
    (tmp_path / os.fsdecode(name)).write_bytes(b"x")
    lists = find_lists([folder_tree(tmp_path)])
    assert lists.listed == {name}


def test_labels_are_compared_in_any_encoding(tmp_path):
    lines = b"photo/cup/1.jpg 0\nphoto/cup/2.jpg 0\nphoto/owl/3.jpg 1\n"
    write(tmp_path, {"all_photo_train.txt": lines})
    (tmp_path / "cname_cid.txt").write_bytes("cup\t0\r\nant\t1\r\n".encode("utf-16"))
    assert find_lists([folder_tree(tmp_path)]).mislabelled == {"all_photo_train.txt": 1}


def test_a_path_spelled_exactly_means_no_other_file(tmp_path):
    write(tmp_path, [f"photo/{c}/1.jpg" for c in ("cup", "Cup")])
    write(tmp_path, {"ALL_PHOTO_Train.TXT": b"photo/cup/1.jpg 0\n"})
    lists = find_lists([folder_tree(tmp_path)])
    assert lists.found == {b"photo/cup/1.jpg": [(0, b"photo/cup/1.jpg")]}


def test_a_list_of_another_side_or_variant_names_nothing(tmp_path):
    write(tmp_path, ["photo/tx_000000000000/cup/1.png"])
    other = (
        b"256x256/sketch/tx_000000000000/cup/1.png 0\n256x256/photo/tx_000000000010/cup/1.png 0\n"
    )
    write(tmp_path, {"all_photo_train.txt": other})
    assert find_lists([folder_tree(tmp_path)]).found == {}


def test_latin_1_names_of_files_in_utf_8_are_refused(tmp_path):
    write(tmp_path, ["photo/café/1.jpg"])
    write(tmp_path, {"all_photo_train.txt": "photo/café/1.jpg 0\n".encode("latin-1")})
    with pytest.raises(CorruptError, match="no UTF-8 text: line 1"):
        find_lists([folder_tree(tmp_path)])
