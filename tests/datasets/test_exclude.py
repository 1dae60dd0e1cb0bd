"""Thumbnails, bins and excluded files among photos are left out with a count of their own."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st
from raw_files import packed, picture, write

from sbirctl.core.config import resolve
from sbirctl.core.errors import MissingError, UsageError
from sbirctl.datasets.folder import Folder, FolderOptions
from sbirctl.datasets.readers import tree
from sbirctl.datasets.readers.archive import open_tree, peek
from sbirctl.datasets.readers.exclude import check_patterns, excluded
from sbirctl.galleries.walk import walk
from sbirctl.store.images import ImageFault

HEIC_BYTES = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + b"x" * 99
LEFT = {
    "@eaDir/a.jpg/SYNOPHOTO_THUMB_M.jpg": "thumbnails of a network disk",
    "cat/@eaDir/a.jpg/SYNOPHOTO_THUMB_M.jpg": "thumbnails of a network disk",
    "#recycle/old.jpg": "bin of deleted files",
    "cat/$RECYCLE.BIN/$R1.jpg": "bin of deleted files",
    "private/b.jpg": "folder with .nomedia",
    "private/deep/b.jpg": "folder with .nomedia",
    "cat/._1.jpg": "hidden",
    "cat/c.heic": ImageFault.HEIC,
    "cat/c.dat": ImageFault.HEIC,
}
KEPT = ["cat/1.jpg", "cat/jpeg.heic", "dog/1.jpg", "dog/photo.avif.bak"]


@pytest.fixture(autouse=True)
def without_the_extra(monkeypatch):
    monkeypatch.setattr(tree, "can_be_read", lambda: False)


@pytest.fixture
def photos(tmp_path):
    root = write(tmp_path / "p", [*LEFT, *KEPT])
    for name in ("cat/c.heic", "cat/c.dat"):
        (root / name).write_bytes(HEIC_BYTES)
    (root / "private/.nomedia").touch()
    (root / ".nomedia").touch()  # of the folder that is named itself it says nothing
    return root


@pytest.mark.parametrize("kind", ["", ".zip", ".tar.gz"])
def test_a_tree_counts_what_it_leaves(photos, tmp_path, kind):
    if kind:
        (photos / ".nomedia").unlink()  # in an archive it would be one of a folder inside
    source = packed(photos, tmp_path / f"x{kind}") if kind else photos
    tree = open_tree(peek(source), tmp_path / "work")
    top = "p/" if kind else ""
    assert {file.path.decode() for file in tree.files} == {top + name for name in KEPT}
    expected = {reason: list(LEFT.values()).count(reason) for reason in LEFT.values()}
    expected["hidden"] += 1 if kind else 2  # the .nomedia themselves
    assert dict(tree.ignored) == expected


def test_a_walk_lists_what_it_leaves(photos):
    found = walk([os.fsencode(photos)])
    assert {os.path.relpath(os.fsdecode(f.path), photos) for f in found.files} == set(KEPT)
    left = {os.path.relpath(os.fsdecode(p), photos): reason for p, reason in found.left}
    assert left["@eaDir"] == left["cat/@eaDir"] == "thumbnails of a network disk"
    assert left["#recycle"] == left["cat/$RECYCLE.BIN"] == "bin of deleted files"
    assert left["private"] == "folder with .nomedia"
    assert left["cat/c.heic"] == left["cat/c.dat"] == ImageFault.HEIC


def test_a_folder_with_nomedia_that_is_named_is_walked(photos):
    found = walk([os.fsencode(photos / "private"), os.fsencode(photos / "#recycle")])
    names = {os.path.basename(file.path) for file in found.files}
    assert names == {b"b.jpg", b"old.jpg"}


@pytest.mark.parametrize(
    "pattern, path, fits",
    [
        ("screen*", "x/screens/a.jpg", True),
        ("screen*", "x/screen.png", True),
        ("screen*", "x/my screen.png", False),
        ("trips/2019*", "trips/2019/a.jpg", True),
        ("trips/2019*", "old/trips/2019/a.jpg", False),
        ("trips", "trips/2019/a.jpg", True),
        ("trips/", "trips/2019/a.jpg", True),
        ("*.gif", "a/b.gif", True),
        ("*.gif", "a/b.GIF", False),
    ],
)
def test_patterns(pattern, path, fits):
    assert excluded(path.encode(), check_patterns([pattern])) is fits


@given(st.binary().map(lambda b: b.replace(b"\0", b"")), st.text())
def test_any_pattern_meets_any_path(path, pattern):
    try:
        patterns = check_patterns([pattern])
    except (UsageError, UnicodeEncodeError):
        return
    assert excluded(path, patterns) in (True, False)


def test_a_walk_leaves_out_what_is_excluded(photos):
    patterns = check_patterns(["cat", "*.bak"])
    found = walk([os.fsencode(photos)], patterns)
    assert [os.path.relpath(os.fsdecode(f.path), photos) for f in found.files] == ["dog/1.jpg"]
    left = {os.path.relpath(os.fsdecode(p), photos): reason for p, reason in found.left}
    assert left["cat"] == left["dog/photo.avif.bak"] == "excluded"


def test_prepare_folder_leaves_out_what_is_excluded(tmp_path):
    write(tmp_path / "p", ["cat/1.jpg", "dog/1.jpg", "old/1.jpg"])
    write(tmp_path / "s", ["cat/1.png", "dog/1.png", "dog/bad.png"])
    trees = {
        role: [open_tree(peek(tmp_path / role[0]), tmp_path)] for role in ("photos", "sketches")
    }
    options = resolve(FolderOptions, {"exclude": ["old", "bad.*"]})
    source = Folder().read(trees, options, name="m")
    assert {item.path.decode() for item in source.items} == {
        "cat/1.jpg", "dog/1.jpg", "cat/1.png", "dog/1.png",
    }  # fmt: skip
    assert source.ignored["excluded"] == 2
    plain = Folder().read(trees, FolderOptions(), name="m")
    assert plain.identity != source.identity
    assert "exclude" not in plain.facts["options"]


def test_an_empty_pattern_is_refused():
    with pytest.raises(UsageError, match="empty pattern"):
        check_patterns(["a", ""])


def test_a_picture_of_one_kind_named_as_another_is_read(tmp_path):
    write(tmp_path, {"a/x.heic": picture(1, "JPEG")})
    assert len(open_tree(peek(tmp_path), tmp_path / "w").files) == 1


def test_pictures_of_other_kinds_are_named_and_not_called_no_image(tmp_path):
    names = {"a.jxl": "JPEG XL", "b.CR3": "raw picture", "c.psd": "a kind that is not read"}
    write(tmp_path / "p", {f"cat/{name}": b"other bytes" for name in names})
    tree = open_tree(peek(tmp_path / "p"), tmp_path)
    assert all(any(said in reason for reason in tree.ignored) for said in names.values())
    assert "no image" not in tree.ignored


@pytest.mark.parametrize("name", ["#snapshot", "@Recently-Snapshot", "~snapshot", "@SynoEAStream"])
def test_earlier_states_and_streams_of_a_network_disk_are_no_photos(tmp_path, name):
    write(tmp_path / "p", [f"cat/{name}/1.jpg", "cat/1.jpg"])
    assert [f.path for f in open_tree(peek(tmp_path / "p"), tmp_path).files] == [b"cat/1.jpg"]


def test_a_mark_against_media_counts_in_any_case(tmp_path):
    write(tmp_path / "p", ["cat/1.jpg", "dog/1.jpg"])
    (tmp_path / "p/dog/.NoMedia").touch()
    assert [f.path for f in open_tree(peek(tmp_path / "p"), tmp_path).files] == [b"cat/1.jpg"]
    assert len(walk([os.fsencode(tmp_path / "p")]).files) == 1
    for kind in (".zip", ".tar.gz"):
        tree = open_tree(peek(packed(tmp_path / "p", tmp_path / f"x{kind}")), tmp_path / "work")
        assert [f.path for f in tree.files] == [b"p/cat/1.jpg"], kind


def test_a_side_without_images_says_what_was_left_aside(tmp_path):
    write(tmp_path / "p", ["cat/1.jpg"])
    (tmp_path / "s").mkdir()
    (tmp_path / "s/cat").symlink_to(tmp_path / "p/cat")
    trees = {
        role: [open_tree(peek(tmp_path / role[0]), tmp_path)] for role in ("photos", "sketches")
    }
    with pytest.raises(MissingError, match="1 links to folders, which are not followed"):
        Folder().read(trees, FolderOptions(), name="m")
    with pytest.raises(MissingError, match="left aside: 1 excluded"):
        Folder().read(trees, resolve(FolderOptions, {"exclude": ["cat"]}), name="m")
