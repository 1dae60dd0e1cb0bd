import errno
import os
import stat
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sbirctl.core import files
from sbirctl.core.errors import CorruptError, MissingError, SbirctlError, UsageError


def test_an_error_while_writing_leaves_the_old_file_and_no_litter(tmp_path):
    target = tmp_path / "a.txt"
    target.write_text("old")
    with pytest.raises(RuntimeError), files.atomic_open(target, "w") as stream:
        stream.write("new")
        raise RuntimeError
    assert target.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_a_folder_is_not_written_over(tmp_path):
    with pytest.raises(UsageError, match="is a folder"), files.atomic_open(tmp_path, "w"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_new_file_has_the_usual_permissions(tmp_path):
    target = tmp_path / "sub" / "a"
    with files.atomic_open(target) as stream:
        stream.write(b"x")
    plain = tmp_path / "plain"
    plain.write_bytes(b"")
    assert stat.S_IMODE(target.stat().st_mode) == stat.S_IMODE(plain.stat().st_mode)


def test_a_full_disk_is_said_in_words(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    with (
        pytest.raises(SbirctlError, match="No space left") as caught,
        files.atomic_open(tmp_path / "a"),
    ):
        pass
    assert "SBIRCTL_HOME" in caught.value.hint
    assert os.listdir(tmp_path) == []


def test_a_disk_that_hdf5_finds_full_is_said_in_words(tmp_path):
    text = "Can't decrement id ref count (file write failed, errno = {}, offset = 0)"
    with pytest.raises(SbirctlError, match="No space left"), files.disk_advice(tmp_path):
        raise RuntimeError(text.format(errno.ENOSPC))
    with pytest.raises(RuntimeError, match="decrement"), files.disk_advice(tmp_path):
        raise RuntimeError(text.format(errno.EIO))


def test_json(tmp_path):
    path = tmp_path / "a.json"
    files.write_json(path, {"ü": [1, None]})
    assert files.read_json(path) == {"ü": [1, None]}
    path.write_text("{")
    with pytest.raises(CorruptError):
        files.read_json(path)
    with pytest.raises(MissingError):
        files.read_json(tmp_path / "b.json")
    with pytest.raises(ValueError, match="JSON"):
        files.write_json(path, float("nan"))


def test_digests_are_sha256(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"abc")
    known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert files.digest_file(path) == files.digest_bytes(b"abc") == known
    assert files.digest_json({"b": 1, "a": 2}) == files.digest_json({"a": 2, "b": 1})


def test_a_lock_keeps_another_process_out(tmp_path):
    code = (
        "import sys; from pathlib import Path; from sbirctl.core.files import lock\n"
        "from sbirctl.core.errors import SbirctlError\n"
        "try:\n"
        "    with lock(Path(sys.argv[1]), busy='it is being made'): print('free')\n"
        "except SbirctlError as e: print(e.message)\n"
    )

    def other():
        command = [sys.executable, "-c", code, str(tmp_path / "l")]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    with files.lock(tmp_path / "l", busy="x"):
        assert "it is being made" in other()
    assert other() == "free\n"


@given(st.binary(max_size=30))
def test_any_path_can_be_shown(name):
    shown = files.display_path(name)
    assert shown.isprintable()
    shown.encode("utf-8")


@pytest.mark.parametrize(
    "count, text",
    [(0, "0 B"), (999, "999 B"), (1500, "1.5 kB"), (2.5e9, "2.5 GB"), (3e12, "3.0 TB")],
)
def test_sizes_for_people(count, text):
    assert files.human_bytes(count) == text


def test_a_lock_of_a_failed_call_leaves_no_empty_folder(tmp_path):
    with pytest.raises(KeyError), files.lock(tmp_path / "a/.lock", busy="x"):
        raise KeyError
    assert not (tmp_path / "a").exists()
    with pytest.raises(KeyError), files.lock(tmp_path / "b/.lock", busy="x"):
        (tmp_path / "b/work").touch()
        raise KeyError
    assert sorted(os.listdir(tmp_path / "b")) == [".lock", "work"]
    with files.lock(tmp_path / "c/.lock", busy="x"):
        pass
    assert os.listdir(tmp_path / "c") == [".lock"]
