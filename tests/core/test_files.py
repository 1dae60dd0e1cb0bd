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


def test_what_a_kill_left_is_removed_a_day_later(tmp_path):
    code = (
        "import os, signal, sys; from pathlib import Path; from sbirctl.core import files\n"
        "with files.atomic_open(Path(sys.argv[1]) / 'a.txt', 'w') as stream:\n"
        "    stream.write('half'); stream.flush(); os.kill(os.getpid(), signal.SIGKILL)"
    )
    for folder in (tmp_path / "now", tmp_path / "later"):
        folder.mkdir()
        assert subprocess.run([sys.executable, "-c", code, folder]).returncode == -9
        (left,) = folder.iterdir()
        (folder / ".mine").write_text("a file of somebody")
        if folder.name == "later":
            for path in folder.iterdir():
                os.utime(path, (0, path.stat().st_mtime - 25 * 3600))
        with files.atomic_open(folder / "b.txt", "w") as stream:
            stream.write("whole")
        names = {".mine", "b.txt"} | ({left.name} if folder.name == "now" else set())
        assert set(os.listdir(folder)) == names


def test_names_of_any_length_can_be_written(tmp_path):
    for name in ("x" * 255, "\U0001f431" * 63, "é" * 127):
        with files.atomic_open(tmp_path / name, "w") as stream:
            stream.write("x")
        assert (tmp_path / name).read_text() == "x"


def test_a_file_where_a_folder_should_be_is_said(tmp_path):
    (tmp_path / "a").write_text("no folder")
    with pytest.raises(SbirctlError, match="Cannot write"), files.atomic_open(tmp_path / "a/b/c"):
        pass


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
    with pytest.raises(SbirctlError, match="Input/output error"), files.disk_advice(tmp_path):
        raise RuntimeError(text.format(errno.EIO))
    again = "Can't decrement id ref count (slist already enabled?)"  # when it is closed afterwards
    with pytest.raises(SbirctlError, match="Cannot write"), files.disk_advice(tmp_path):
        raise RuntimeError(again)
    with pytest.raises(RuntimeError, match="decrement"), files.disk_advice(tmp_path):
        raise RuntimeError("Can't decrement id ref count (it is closed)")


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
    (tmp_path / "own").mkdir()
    with pytest.raises(KeyError), files.lock(tmp_path / "own/.lock", busy="x"):
        raise KeyError
    assert os.listdir(tmp_path / "own") == [".lock"]  # it was there before
    with files.lock(tmp_path / "c/.lock", busy="x"):
        pass
    assert os.listdir(tmp_path / "c") == [".lock"]


LIMITED = """
import resource, sys
from pathlib import Path
import numpy as np
from sbirctl.core.errors import SbirctlError
from sbirctl.core.files import atomic_path
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
target, kind = Path(sys.argv[1]), sys.argv[2]
try:
    with atomic_path(target) as temporary:
        if kind == "safetensors":
            from safetensors.numpy import save_file
            save_file({"a": np.ones(100_000)}, temporary)
        elif kind == "npz":
            with open(temporary, "wb") as stream:
                np.savez(stream, a=np.ones(100_000))
        elif kind == "h5":
            import h5py
            with h5py.File(temporary, "w") as file:
                file["a"] = np.ones(100_000)
        elif kind == "torch":
            import torch
            with open(temporary, "wb") as stream:
                torch.save({"a": torch.ones(100_000)}, stream)
        else:
            temporary.write_bytes(bytes(100_000))
except SbirctlError as error:
    print(error.message)
"""


@pytest.mark.parametrize("kind", ["safetensors", "npz", "h5", "torch", "plain"])
def test_a_limit_on_file_sizes_is_said_by_every_writer(tmp_path, kind):
    command = [sys.executable, "-c", LIMITED, str(tmp_path / "x"), kind]
    done = subprocess.run(command, capture_output=True, text=True)
    assert "allows for one file" in done.stdout, done.stderr
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_every_way_to_say_that_it_is_full_is_understood(tmp_path, number):
    class Foreign(Exception):
        pass

    said = f"Error while serializing: I/O error: {os.strerror(number)} (os error {number})"
    for error in (OSError(number, "x"), RuntimeError(f"errno = {number}"), Foreign(said)):
        said = pytest.raises(SbirctlError, match="No space left|allows for one file")
        with said, files.disk_advice(tmp_path):
            raise error
    with pytest.raises(SbirctlError, match="Input/output error"), files.disk_advice(tmp_path):
        raise Foreign("another thing (os error 5)")
    with pytest.raises(Foreign), files.disk_advice(tmp_path):
        raise Foreign("another thing, of no number")


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EPERM])
def test_a_disk_without_locks_is_named(tmp_path, monkeypatch, number):
    def refuse(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("fcntl.flock", refuse)
    with pytest.raises(SbirctlError) as caught, files.lock(tmp_path / "l", busy="x"):
        pass
    assert ("file locks" in caught.value.hint) is (number != errno.EPERM)


@pytest.mark.parametrize("data", [b"[" * 100_000, b"{", b"\xff", b"", b"1" * 5000, b'{"a":' * 9999])
def test_damaged_json_is_corrupt(tmp_path, data):
    (tmp_path / "x.json").write_bytes(data)
    with pytest.raises(CorruptError):
        files.read_json(tmp_path / "x.json")


def test_a_folder_in_a_json_files_place_is_corrupt(tmp_path):
    with pytest.raises(CorruptError, match="is a folder"):
        files.read_json(tmp_path)
    (tmp_path / "f").touch()
    with pytest.raises(MissingError):
        files.read_json(tmp_path / "f/x.json")


def test_text_that_is_no_unicode_can_be_written_and_read(tmp_path):
    files.write_json(tmp_path / "x.json", {"caf\udce9": "é"})
    assert files.read_json(tmp_path / "x.json") == {"caf\udce9": "é"}


def test_a_pipe_in_a_records_place_is_damage_and_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "result.json")
    with pytest.raises(CorruptError, match="no regular file"):
        files.read_json(tmp_path / "result.json")
