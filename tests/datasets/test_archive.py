import contextlib
import gzip
import io
import os
import pickle
import random
import stat
import tarfile
import zipfile
import zlib

import pytest
from raw_files import packed, picture, write

from sbirctl.core.errors import CorruptError, MissingError, SbirctlError, UsageError
from sbirctl.datasets.readers import _unpack, tree
from sbirctl.datasets.readers.archive import identity_of, open_tree, peek

KINDS = [".zip", ".tar", ".tar.gz", ".tar.xz", ".tar.bz2", ".7z"]
FILES = {
    "top/a/1.png": picture(1),
    "top/a/2.JPG": picture(2),
    "top/b/ä 3.png": picture(3),
    "top/b/wrong.dat": picture(4, "JPEG"),
    "top/list.txt": b"1 2 3",
    "top/.DS_Store": b"x",
}


def everything(root):
    return {p.relative_to(root).as_posix() for p in root.rglob("*") if p.is_file()}


def contents(found):
    return {file.path.decode(): found.read(file.path) for file in found.files}


@pytest.mark.parametrize("kind", KINDS)
def test_an_archive_is_seen_like_its_folder(tmp_path, kind):
    write(tmp_path / "in", FILES)
    archive = packed(tmp_path / "in/top", tmp_path / f"x{kind}")
    folder = open_tree(peek(tmp_path / "in"), tmp_path / "work")
    found = open_tree(peek(archive), tmp_path / "work")
    assert contents(found) == contents(folder)
    assert dict(found.ignored) == dict(folder.ignored) == {"hidden": 1, "no image": 1}
    assert [file.size for file in found.files] == [file.size for file in folder.files]
    again = pickle.loads(pickle.dumps(found.read))  # it goes to worker processes
    assert again(b"top/a/1.png") == FILES["top/a/1.png"]


def test_wrong_endings_do_not_matter(tmp_path):
    write(tmp_path / "top", ["a/1.png"])
    archive = packed(tmp_path / "top", tmp_path / "x.zip").rename(tmp_path / "x.7z")
    assert len(open_tree(peek(archive), tmp_path / "work").files) == 1


def test_unpacking_happens_once_and_not_by_halves(tmp_path, monkeypatch):
    archive = packed(write(tmp_path / "top", ["a/1.png", "a/2.png"]), tmp_path / "x.tar")
    work = tmp_path / "work"
    with monkeypatch.context() as patched:
        patched.setattr(_unpack, "write_json", lambda *a, **k: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            open_tree(peek(archive), work)
    first = contents(open_tree(peek(archive), work))
    monkeypatch.setattr("sbirctl.datasets.readers.archive.untar", lambda *a: 1 / 0)
    assert contents(open_tree(peek(archive), work)) == first


@pytest.mark.skipif(not hasattr(os, "sync"), reason="needs os.sync")
def test_what_is_unpacked_is_on_the_disk_before_it_counts(tmp_path, monkeypatch):
    """Else files could be empty after the system stopped, and be taken for unreadable ones."""
    write(tmp_path / "in", FILES)
    archive = packed(tmp_path / "in/top", tmp_path / "x.tar")
    seen = []
    monkeypatch.setattr(
        _unpack.os, "sync", lambda: seen.append([p.name for p in (tmp_path / "work").iterdir()])
    )
    open_tree(archive, tmp_path / "work")
    ((name,),) = seen
    assert name.startswith(".")


def hostile_tar(path):
    with tarfile.open(path, "w") as archive:

        def add(name, data=picture(1), **facts):
            info = tarfile.TarInfo(name)
            info.size = len(data) if info.isreg() else 0
            for key, value in facts.items():
                setattr(info, key, value)
            archive.addfile(info, io.BytesIO(data))

        add("good/1.png")
        add("../evil.png")
        add("good/../../evil2.png")
        add("/etc/evil3.png")
        add("x" * 300 + "/long.png")
        add("good", b"", type=tarfile.DIRTYPE)
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE):
            add("good/link.png", b"", type=kind, linkname="/etc/passwd", size=0)
    return path


def hostile_zip(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("good/1.png", picture(1))
        archive.writestr("../evil.png", picture(1))
        archive.writestr("/etc/evil3.png", picture(1))
        link = zipfile.ZipInfo("good/link.png")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
    return path


def hostile_seven(path):
    import py7zr

    with py7zr.SevenZipFile(path, "w") as archive:
        archive.writestr(picture(1), "good/1.png")
        archive.writestr(picture(1), "good/evil.png")
        for member in archive.files:
            if member.filename.endswith("evil.png"):
                member._file_info["filename"] = "../evil.png"
    return path


@pytest.mark.parametrize(
    ("make", "kind"), [(hostile_tar, ".tar"), (hostile_zip, ".zip"), (hostile_seven, ".7z")]
)
def test_an_archive_writes_nothing_outside_its_folder(tmp_path, make, kind):
    inner = tmp_path / "deep/er"
    inner.mkdir(parents=True)
    archive = make(inner / f"x{kind}")
    found = open_tree(peek(archive), inner / "work")
    assert contents(found)["good/1.png"] == picture(1)
    assert not any(file.path.endswith(b"link.png") for file in found.files)
    outside = everything(tmp_path) - {f"deep/er/{p}" for p in everything(inner)}
    assert outside == set()
    assert all(p == f"x{kind}" or p.startswith("work/") for p in everything(inner))
    assert not any(p.is_symlink() for p in tmp_path.rglob("*"))
    if kind == ".tar":
        assert found.ignored == {"path leading out of the archive": 2, "link or device": 4}


@pytest.mark.parametrize("kind", KINDS)
def test_truncated_archives_are_refused_and_leave_nothing_that_counts(tmp_path, kind):
    write(tmp_path / "top", [f"a/{i}.png" for i in range(40)])
    archive = packed(tmp_path / "top", tmp_path / f"x{kind}")
    whole = archive.read_bytes()
    step = len(whole) // (10 if kind == ".7z" else 40)  # 7z starts a process each time
    for size in range(600 if kind == ".tar" else 8, len(whole) * 2 // 3, step):
        archive.write_bytes(whole[:size])
        with pytest.raises(CorruptError, match="damaged or incomplete") as caught:
            open_tree(peek(archive), tmp_path / "work")
        assert caught.value.hint
    assert not list((tmp_path / "work").glob("[!.]*"))


@pytest.mark.parametrize("kind", [".tar.gz", ".7z"])
def test_bombs_are_stopped(tmp_path, monkeypatch, kind):
    monkeypatch.setattr(_unpack, "RATIO_FREE_BYTES", 10_000)
    top = write(tmp_path / "top", {f"{i}.png": bytes(3_000_000) for i in range(4)})
    target = tmp_path / f"x{kind}"
    if kind == ".7z":
        import py7zr

        with py7zr.SevenZipFile(target, "w") as archive:
            archive.writeall(top, "top")
    else:
        packed(top, target)
    with pytest.raises(CorruptError, match="times its own size"):
        open_tree(peek(target), tmp_path / "work")
    assert sum(p.stat().st_size for p in (tmp_path / "work").rglob("*.*")) < 3_000_000


def test_no_space_to_unpack(tmp_path, monkeypatch):
    class Full:
        free = 100

    archive = packed(write(tmp_path / "top", ["a/1.png"]), tmp_path / "x.tar")
    monkeypatch.setattr(_unpack.shutil, "disk_usage", lambda folder: Full)
    with pytest.raises(SbirctlError, match="No space to unpack"):
        open_tree(peek(archive), tmp_path / "work")


@pytest.mark.parametrize("kind", [".zip", ".tar"])
def test_giant_members_are_left_out(tmp_path, monkeypatch, kind):
    files = {"a/1.png": picture(1), "a/2.png": bytes(5000)}
    archive = packed(write(tmp_path / "top", files), tmp_path / f"x{kind}")
    for module in (tree, _unpack):
        monkeypatch.setattr(module, "MAX_FILE_BYTES", 4000)
    found = open_tree(peek(archive), tmp_path / "work")
    assert found.read(b"top/a/1.png") == picture(1)
    if kind == ".tar":
        assert len(found.files) == 1
    else:
        with pytest.raises(SbirctlError, match="limit of"):
            found.read(b"top/a/2.png")


def test_a_damaged_zip_member_is_one_bad_file(tmp_path):
    archive = packed(write(tmp_path / "top", ["a/1.png", "a/2.png"]), tmp_path / "x.zip")
    data = bytearray(archive.read_bytes())
    data[80] ^= 0xFF
    archive.write_bytes(data)
    found = open_tree(peek(archive), tmp_path / "work")
    with pytest.raises(CorruptError, match="damaged"):
        found.read(b"top/a/1.png")
    assert found.read(b"top/a/2.png") == picture(1)


def test_an_encrypted_zip_member_is_left_aside(tmp_path):
    archive = packed(write(tmp_path / "top", ["a/1.png"]), tmp_path / "x.zip")
    data = bytearray(archive.read_bytes())
    data[data.rfind(b"PK\x01\x02") + 8] |= 1
    archive.write_bytes(data)
    assert open_tree(peek(archive), tmp_path / "work").ignored == {"encrypted": 1}


def test_what_is_no_archive(tmp_path):
    (tmp_path / "x.html").write_bytes(b"<html>Quota exceeded</html>")
    with pytest.raises(UsageError, match="no archive"):
        open_tree(peek(tmp_path / "x.html"), tmp_path / "work")
    with pytest.raises(MissingError):
        open_tree(peek(tmp_path / "nope"), tmp_path / "work")
    with pytest.raises(MissingError):
        identity_of(tmp_path / "nope")


def test_identity_changes_with_the_source(tmp_path):
    folder = write(tmp_path / "top", ["a/1.png"])
    first = identity_of(peek(folder))
    os.utime(folder / "a/1.png", (1, 1))
    assert identity_of(peek(folder)) == first
    (folder / "a/1.png").write_bytes(b"longer" * 1000)
    assert identity_of(peek(folder)) != first
    archive = packed(folder, tmp_path / "x.zip")
    before = identity_of(archive)
    archive.write_bytes(archive.read_bytes()[:-1] + b"x")
    assert identity_of(archive) != before


@pytest.mark.skipif(os.name != "posix", reason="makes links and pipes")
def test_odd_things_in_a_folder(tmp_path):
    write(tmp_path / "top", ["a/1.png"])
    write(tmp_path / "other", ["b/2.png"])
    (tmp_path / "top/link.png").symlink_to(tmp_path / "other/b/2.png")
    (tmp_path / "top/broken.png").symlink_to(tmp_path / "nowhere")
    (tmp_path / "top/round").symlink_to(tmp_path / "top")
    os.mkfifo(tmp_path / "top/pipe.png")
    found = open_tree(peek(tmp_path / "top"), tmp_path / "work")
    assert [file.path for file in found.files] == [b"a/1.png", b"broken.png", b"link.png"]
    assert found.ignored == {"links to folders, which are not followed": 1}
    assert found.read(b"link.png") == picture(0)
    with pytest.raises(OSError):
        found.read(b"broken.png")
    (tmp_path / "top/a/1.png").unlink()
    os.mkfifo(tmp_path / "top/a/1.png")  # between listing and reading
    with pytest.raises(OSError, match="no regular file"):
        found.read(b"a/1.png")


METHODS = [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]


@pytest.mark.parametrize("method", METHODS)
def test_a_damaged_member_of_any_zip_method_is_one_bad_file(tmp_path, method):
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w", method) as archive:
        for i in range(3):
            archive.writestr(f"a/{i}.png", picture(i))
        start = archive.infolist()[1].header_offset + 30 + len("a/1.png")
    data = bytearray(path.read_bytes())
    for at in range(start + 12, start + 20):
        data[at] ^= 0x5A
    path.write_bytes(data)
    found = open_tree(peek(path), tmp_path / "work")
    with pytest.raises(CorruptError, match="its archive member is damaged"):
        found.read(b"a/1.png")
    assert found.read(b"a/0.png") == picture(0)
    assert found.read(b"a/2.png") == picture(2)


SEVEN_METHODS = ["FILTER_COPY", "FILTER_LZMA2", "FILTER_ZSTD", "FILTER_BZIP2", "FILTER_DEFLATE"]


@pytest.mark.parametrize("method", [*SEVEN_METHODS, "FILTER_PPMD"])
@pytest.mark.parametrize("seed", range(3))
def test_a_damaged_member_of_a_7z_costs_itself_and_what_follows_it(tmp_path, method, seed):
    import py7zr

    path = tmp_path / "x.7z"
    chosen = {"id": getattr(py7zr, method)}
    if method == "FILTER_PPMD":
        chosen |= {"order": 6, "mem": 24}
    with py7zr.SevenZipFile(path, "w", filters=[chosen]) as archive:
        for i in range(300):  # together packed: decoders hand out what comes before the damage
            archive.writestr(noise(i), f"a/{i}.png")
    data = bytearray(path.read_bytes())
    at = int(len(data) * (0.8 + 0.05 * seed))
    data[at : at + 8] = bytes(b ^ 0x5A for b in data[at : at + 8])
    path.write_bytes(data)
    try:
        found = open_tree(peek(path), tmp_path / "work")
    except CorruptError:  # of what is packed as one block nothing comes out
        assert method == "FILTER_BZIP2"
        return
    assert len(found.files) == 300  # nothing vanishes
    whole = [file for file in found.files if readable(found, file)]
    assert all(found.read(file.path) == noise(int(file.path[2:-4])) for file in whole)
    assert 0 < len(whole) < 300


def readable(found, file):
    with contextlib.suppress(CorruptError):
        return bool(found.read(file.path))
    return False


def noise(seed):
    return random.Random(seed).randbytes(2000)


@pytest.mark.parametrize("kind", [".tar.gz", ".tar"])
def test_tens_of_thousands_of_empty_members_make_no_files(tmp_path, monkeypatch, kind):
    monkeypatch.setattr(_unpack, "FREE_MEMBERS", 300)
    path = tmp_path / f"x{kind}"
    with tarfile.open(path, "w:gz" if kind == ".tar.gz" else "w") as archive:
        for i in range(1000):
            archive.addfile(tarfile.TarInfo(f"a/{i}.png"))
        one = tarfile.TarInfo("a/x.png")
        one.size = len(picture(1))
        archive.addfile(one, io.BytesIO(picture(1)))
    if kind == ".tar.gz":
        with pytest.raises(CorruptError, match="more than 300 members"):
            open_tree(peek(path), tmp_path / "work")
    else:
        found = open_tree(peek(path), tmp_path / "work")
        assert [file.path for file in found.files] == [b"a/x.png"]
        assert found.ignored == {"empty": 1000}


@pytest.mark.parametrize("kind", [b"x", b"g", b"L", b"K", b"X"])
def test_a_header_that_claims_gigabytes_is_refused_unread(tmp_path, kind):
    head = tarfile.TarInfo("x")
    head.type, head.size = kind, 3 << 30
    with gzip.open(tmp_path / "x.tar.gz", "wb", 1) as out:
        out.write(head.tobuf(tarfile.GNU_FORMAT) + bytes(10_000))
    with pytest.raises(CorruptError, match="claims a name of 3.2 GB"):
        open_tree(peek(tmp_path / "x.tar.gz"), tmp_path / "work")


def test_members_that_are_passed_over_count_as_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr(_unpack, "RATIO_FREE_BYTES", 10_000)
    monkeypatch.setattr(_unpack, "MAX_FILE_BYTES", 4000)
    top = write(tmp_path / "top", {f"{i}.png": bytes(3_000_000) for i in range(4)})
    with pytest.raises(CorruptError, match="times its own size"):
        open_tree(peek(packed(top, tmp_path / "x.tar.gz")), tmp_path / "work")


def test_a_pack_of_no_archive_is_a_wrong_call(tmp_path):
    (tmp_path / "x.gz").write_bytes(gzip.compress(b"words " * 1000))
    with pytest.raises(UsageError, match="no archive"):
        open_tree(peek(tmp_path / "x.gz"), tmp_path / "work")


def test_a_7z_that_claims_very_many_members_is_a_trap(tmp_path):
    header = b"\x01\x05" + b"\xff" + (2**23).to_bytes(8, "little") + bytes(9 << 20)
    start = bytes(8) + len(header).to_bytes(8, "little") + zlib.crc32(header).to_bytes(4, "little")
    path = tmp_path / "trap.7z"
    magic = b"7z\xbc\xaf\x27\x1c\0\4"
    path.write_bytes(magic + zlib.crc32(start).to_bytes(4, "little") + start + header)
    with pytest.raises(CorruptError, match=r"list of members of .* more than 1.0 GB of memory"):
        open_tree(path, tmp_path / "work")


def test_a_zip_of_windows_with_backslashes_has_folders(tmp_path):
    with zipfile.ZipFile(tmp_path / "w.zip", "w") as archive:
        archive.writestr("photo\\cat\\1.png", b"\x89PNG\r\n one")
        archive.writestr("photo/cat/2.png", b"\x89PNG\r\n two")
        archive.writestr("photo/cat/1.png", b"\x89PNG\r\n three")
    tree = open_tree(tmp_path / "w.zip", tmp_path)
    assert [file.path for file in tree.files] == [b"photo/cat/1.png", b"photo/cat/2.png"]
    assert tree.read(b"photo/cat/1.png").endswith(b"three")
    assert tree.ignored == {"earlier member of the same name": 1}


def test_a_letter_whose_second_byte_is_that_of_a_backslash_is_whole(tmp_path):
    """Names in Shift-JIS, as zips of Japanese Windows hold them without the UTF-8 flag."""
    name = "photo/表/1.png".encode("shift-jis")
    assert b"\\" in name
    with zipfile.ZipFile(tmp_path / "w.zip", "w") as archive:
        archive.writestr("x" * len(name), b"\x89PNG\r\n one")
    whole = (tmp_path / "w.zip").read_bytes().replace(b"x" * len(name), name)
    (tmp_path / "w.zip").write_bytes(whole)
    tree = open_tree(tmp_path / "w.zip", tmp_path)
    assert [file.path for file in tree.files] == [name]


@pytest.mark.parametrize("name", ["x.zip", "x.TAR.GZ", "x.7z", "x.tbz2"])
@pytest.mark.parametrize("content", [b"", b"PK", b"<html>404</html>", b"\x1f"])
def test_what_is_named_as_an_archive_and_is_none_is_corrupt(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(CorruptError, match="empty, cut, damaged or no archive"):
        open_tree(tmp_path / name, tmp_path / "work")
