"""A gallery's files as they may come from elsewhere, or be left by a crash: refused, cut, kept."""

import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from small_gallery import Cells, content, held, make, photo

from sbirctl.core.errors import CorruptError, MissingError, SbirctlError
from sbirctl.galleries import database
from sbirctl.galleries.gallery import Gallery, list_galleries
from sbirctl.galleries.writer import GalleryWriter, writing

JOURNAL_END = bytes.fromhex("d9d505f920a163d7")


@pytest.fixture
def folder(tmp_path):
    for seed in range(8):
        photo(tmp_path / "a" / f"{seed}.png", seed)
    return tmp_path / "a"


@pytest.fixture
def place(folder, tmp_path):
    """A gallery of eight photos in a home's folder."""
    place = tmp_path / "home" / "galleries" / "g"
    make(place, [folder])
    return place


def change(place, *statements):
    with closing(sqlite3.connect(place / "gallery.sqlite")) as opened, opened:
        for statement in statements:
            opened.execute(statement)


def rows(place, query):
    with closing(sqlite3.connect(place / "gallery.sqlite")) as opened:
        return opened.execute(query).fetchall()


def test_the_vector_file_is_the_rows_that_the_database_names(place, folder):
    stored = np.fromfile(place / "vectors-1.f32", dtype="<f4").reshape(-1, 16)
    found = rows(place, "SELECT row, id FROM photos ORDER BY row")
    assert [row for row, _ in found] == list(range(8))
    for row, name in found:
        assert np.array_equal(held(place)[name.hex()], stored[row])
    assert rows(place, "PRAGMA application_id") == [(0x53424952,)]
    assert rows(place, "PRAGMA journal_mode") == [("delete",)]


def test_bytes_that_do_not_count_are_not_seen_and_cut_at_the_next_write(place, folder):
    before = content(place)
    path = place / "vectors-1.f32"
    with open(path, "ab") as stream:
        stream.write(b"x" * 1000)
    assert content(place) == before
    photo(folder / "new.png", 50)
    make(place, [folder])
    assert path.stat().st_size == 9 * 16 * 4
    assert set(before[3].items()) < set(content(place)[3].items())


def test_removed_photos_leave_holes_until_there_are_many(place, folder):
    before = held(place)
    (folder / "0.png").unlink()
    (folder / "1.png").unlink()
    make(place, [folder])
    assert (place / "vectors-1.f32").stat().st_size == 8 * 16 * 4
    gallery = Gallery.open(place)
    assert (gallery.photo_ids() == b"").sum() == 2
    (folder / "2.png").unlink()
    make(place, [folder])
    assert [path.name for path in place.glob("vectors-*")] == ["vectors-2.f32"]
    assert (place / "vectors-2.f32").stat().st_size == 5 * 16 * 4
    left = held(place)
    assert len(left) == 5
    assert all(np.array_equal(before[name], vector) for name, vector in left.items())
    assert gallery.changed()
    assert gallery.vectors.shape == (8, 16)  # what was opened before stays readable
    photo(folder / "new.png", 60)
    make(place, [folder])
    assert (place / "vectors-2.f32").stat().st_size == 6 * 16 * 4


def test_a_hole_is_never_found(place, folder, tmp_path):
    from sbirctl.galleries.engines.exact import Exact

    gone = held(place)
    (folder / "0.png").unlink()
    make(place, [folder])
    engine = Exact.open(Gallery.open(place))
    (name,) = gone.keys() - held(place).keys()
    found = engine.search(gone[name][None], 8)
    assert len(engine) == 7
    assert name.encode() not in found.ids[0]
    assert found.ids[0, 7] == b""
    assert engine.vector(name.encode()) is None


def test_a_photo_that_comes_back_is_embedded_again(place, folder):
    data = (folder / "0.png").read_bytes()
    (folder / "0.png").unlink()
    make(place, [folder])
    (folder / "0.png").write_bytes(data)
    model = Cells()
    assert make(place, [folder], model).embedded == model.seen == 1


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("UPDATE gallery SET rows = 10", "of 8 vectors"),
        ("UPDATE gallery SET rows = 'many'", "a row is"),
        ("UPDATE gallery SET engine_state = '../../../x'", "a state"),
        ("UPDATE gallery SET model = 9", "a row is"),
        ("UPDATE models SET dim = 0", "0 numbers"),
        ("UPDATE models SET dim = 1e300", "a row is"),
        ("UPDATE models SET record = '[]'", "record"),
        ("UPDATE models SET record = replace(record, '\"seed\": 0', '\"seed\": [0]')", "values"),
        ("UPDATE models SET record = printf('%.*c', 100000, '[')", "record"),
        ("UPDATE folders SET path = 5", "a row is"),
        ("PRAGMA application_id = 7", "no gallery's"),
        ("PRAGMA user_version = 1", "an older sbirctl"),
        ("PRAGMA user_version = 3", "has schema 3"),
        ("PRAGMA journal_mode = wal", "write-ahead"),
        ("CREATE VIEW more AS SELECT * FROM files", "other tables"),
        ("CREATE TRIGGER t INSERT ON files BEGIN DELETE FROM files; END", "other tables"),
        ("DROP INDEX files_by_id", "other tables"),
    ],
)
def test_what_a_gallery_cannot_say_is_refused_and_no_other_suffers(
    place, folder, tmp_path, statement, said
):
    make(place.parent / "good", [folder])
    change(place, statement)
    with pytest.raises(CorruptError, match=said):
        Gallery.open(place)
    listed = {info.name: info for info in list_galleries(tmp_path / "home")}
    assert listed["good"].photos == 8
    assert not listed["good"].damaged
    assert said in listed["g"].damaged


def test_older_and_newer_ones_are_told_apart(place):
    change(place, "PRAGMA user_version = 3")
    with pytest.raises(CorruptError) as raised:
        Gallery.open(place)
    assert raised.value.hint == "Install a newer sbirctl."
    (place / "gallery.sqlite").unlink()
    (place / "gallery.json").write_text("{}")
    with pytest.raises(CorruptError, match="older") as raised:
        Gallery.open(place)
    assert "--fresh" in raised.value.hint


@pytest.mark.parametrize("path", ["x'6162'", "x'2f6100'", "5"])
def test_a_path_that_is_none_is_refused(place, path):
    change(
        place, "PRAGMA ignore_check_constraints = 1", f"UPDATE OR IGNORE files SET path = {path}"
    )
    with pytest.raises(CorruptError, match="damaged"):
        Gallery.open(place).records()


@pytest.mark.parametrize("name", ["gallery.sqlite", "vectors-1.f32", ".lock", "."])
def test_links_are_not_followed(place, folder, tmp_path, name):
    path = place if name == "." else place / name
    elsewhere = tmp_path / "elsewhere"
    if path.exists():
        path.rename(elsewhere)
    else:
        elsewhere.write_text("precious")
    before = elsewhere.read_bytes() if elsewhere.is_file() else sorted(elsewhere.iterdir())
    path.symlink_to(elsewhere)
    with pytest.raises(CorruptError, match="a link"), writing(place):
        make(place, [folder])
    if name != ".lock":
        with pytest.raises(CorruptError, match="a link"):
            Gallery.open(place)
    after = elsewhere.read_bytes() if elsewhere.is_file() else sorted(elsewhere.iterdir())
    assert after == before


def test_what_a_gallery_did_not_write_is_never_removed(place, folder, tmp_path):
    documents = tmp_path / "documents"
    documents.mkdir()
    (documents / "thesis.txt").write_text("three years of work")
    (place / "vectors-9.f32").symlink_to(documents / "thesis.txt")
    (place / f"engine-{'a' * 16}").symlink_to(documents)
    (place / f"engine-{'b' * 16}").mkdir()
    (place / f"engine-{'b' * 16}" / "thesis.txt").write_text("three years of work")
    (place / "notes").mkdir()
    photo(folder / "new.png", 50)
    make(place, [folder])
    assert (documents / "thesis.txt").read_text() == "three years of work"
    assert (place / f"engine-{'b' * 16}" / "thesis.txt").is_file()
    assert (place / "notes").is_dir()


def test_a_journal_that_names_another_file_is_refused(place, tmp_path):
    """SQLite would delete the file: the name, its length, its sum, and an end of eight bytes."""
    precious = tmp_path / "thesis.txt"
    precious.write_text("three years of work")
    name = os.fsencode(precious)
    journal = bytes.fromhex("d9d505f920a163d7") + bytes(504) + b"\0\0\0\1" + name
    journal += len(name).to_bytes(4, "big") + sum(name).to_bytes(4, "big") + JOURNAL_END
    (place / "gallery.sqlite-journal").write_bytes(journal)
    with pytest.raises(CorruptError, match="names another file"):
        Gallery.open(place)
    with pytest.raises(CorruptError, match="names another file"):
        GalleryWriter(place, Cells().record, 16)
    assert precious.is_file()


def test_damaged_pages_are_said_to_be(place):
    data = bytearray((place / "gallery.sqlite").read_bytes())
    for start in range(4096, len(data), 4096):
        data[start : start + 300] = b"\xff" * 300
    (place / "gallery.sqlite").write_bytes(data)
    with pytest.raises(CorruptError, match="damaged"):
        Gallery.open(place)
    with pytest.raises(CorruptError, match="damaged"):
        GalleryWriter(place, Cells().record, 16)


def test_read_only_media_are_read_without_locks(place, monkeypatch):
    before = content(place)
    facts = os.statvfs(place)
    read_only = os.statvfs_result((*facts[:8], facts.f_flag | os.ST_RDONLY, facts[9]))
    monkeypatch.setattr(os, "statvfs", lambda path: read_only)
    with closing(sqlite3.connect(place / "gallery.sqlite")) as other:
        other.execute("BEGIN EXCLUSIVE")  # whoever reads with locks waits for it
        monkeypatch.setattr(database, "_WAIT", 0.0)
        assert content(place) == before
        monkeypatch.undo()
        monkeypatch.setattr(database, "_WAIT", 0.0)
        with pytest.raises(SbirctlError, match="by another process"):
            Gallery.open(place)


def test_what_a_killed_call_had_half_written_is_undone_by_who_reads_next(place, monkeypatch):
    before, copy = content(place), place.with_name("killed")
    with closing(sqlite3.connect(place / "gallery.sqlite", isolation_level=None)) as opened:
        opened.execute("PRAGMA cache_size = 1")  # changed pages go to the file at once
        opened.execute("BEGIN IMMEDIATE")
        opened.execute("UPDATE files SET kind = 'damaged', reason = hex(zeroblob(3000))")
        opened.execute("UPDATE photos SET id = zeroblob(32)")
        shutil.copytree(place, copy)  # as a call leaves it that is killed now
    assert (copy / "gallery.sqlite-journal").stat().st_size > 4096
    assert (copy / "gallery.sqlite").read_bytes() != (place / "gallery.sqlite").read_bytes()
    facts = os.statvfs(copy)
    read_only = os.statvfs_result((*facts[:8], facts.f_flag | os.ST_RDONLY, facts[9]))
    with monkeypatch.context() as changed:
        changed.setattr(os, "statvfs", lambda path: read_only)
        with pytest.raises(SbirctlError, match="stopped half way"):
            Gallery.open(copy)
    assert content(copy) == before
    assert not (copy / "gallery.sqlite-journal").exists()


def test_readers_change_nothing(place):
    with closing(database.connect(place)) as opened, pytest.raises(sqlite3.OperationalError):
        opened.execute("DELETE FROM files")


def test_a_second_writer_is_told_who_is_the_first(place):
    with writing(place):
        said = (place / ".writer").read_text()
        code = (
            "import sys; from pathlib import Path; from sbirctl.galleries.writer import writing\n"
            "with writing(Path(sys.argv[1])): pass"
        )
        done = subprocess.run(
            [sys.executable, "-c", code, str(place)], capture_output=True, text=True
        )
    assert said.startswith(f"{os.getpid()} on ")
    assert f"(process {said})" in done.stderr
    assert not (place / ".writer").exists()


def test_readers_see_the_old_state_while_a_call_is_under_way(place, folder):
    before = content(place)
    photo(folder / "new.png", 50)

    class Looking(Cells):
        def embed(self, pixels, modality):
            assert content(place)[:4] == before[:4]
            return super().embed(pixels, modality)

    assert make(place, [folder], Looking()).info.photos == 9


def test_a_gallery_whose_first_call_was_stopped_is_none_yet(folder, tmp_path):
    class Stopping(Cells):
        def embed(self, pixels, modality):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make(tmp_path / "g", [folder], Stopping())
    with pytest.raises(MissingError, match="not indexed to the end"):
        Gallery.open(tmp_path / "g")
    assert Path(tmp_path / "g" / "gallery.sqlite").exists()


def test_a_linked_gallery_is_not_removed_in_part(place, tmp_path, monkeypatch):
    from sbirctl.pipeline.index import remove

    monkeypatch.setenv("SBIRCTL_HOME", str(tmp_path / "home"))
    place.rename(tmp_path / "elsewhere")
    place.symlink_to(tmp_path / "elsewhere")
    before = sorted(path.name for path in (tmp_path / "elsewhere").iterdir())
    with pytest.raises(CorruptError, match="a link"):
        remove(["g"])
    assert sorted(path.name for path in (tmp_path / "elsewhere").iterdir()) == before
