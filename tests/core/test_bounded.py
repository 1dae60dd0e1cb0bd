"""Calls in a process of their own: what they give, and what stops them."""

import operator
import os
import threading
import time

import pytest
from waiting import wait_for

from sbirctl.core.bounded import BoundedProcesses, Bounds, CrashedError, OutOfBoundsError
from sbirctl.core.errors import CorruptError
from sbirctl.store.images import load_image

MB = 1 << 20
ENDLESS = "10 ** 10 ** 8"  # one operation, which nothing in Python can interrupt


@pytest.fixture
def processes():
    made = BoundedProcesses(Bounds(seconds=0.5, memory=100 * MB))
    yield made
    made.close()


def test_a_call_gives_its_result_and_the_process_stays(processes):
    assert [processes.run(pow, 2, n) for n in range(5)] == [1, 2, 4, 8, 16]
    assert processes.run(os.getpid) == processes.run(os.getpid) != os.getpid()


def test_what_a_function_raises_is_raised_here(processes):
    with pytest.raises(ZeroDivisionError):
        processes.run(operator.truediv, 1, 0)
    with pytest.raises(CorruptError) as caught:
        processes.run(load_image, b"", "photo", 8)
    assert caught.value.message == "the file is empty"
    assert caught.value.kind == "empty"


def test_too_much_time_ends_the_call_and_not_the_next_one(processes):
    with pytest.raises(OutOfBoundsError, match=r"more than 0.5 s of processor"):
        processes.run(eval, ENDLESS)
    assert processes.run(abs, -3) == 3


def test_too_much_memory_ends_the_call_and_not_the_next_one(processes):
    assert len(processes.run(bytes, 50 * MB)) == 50 * MB
    with pytest.raises(OutOfBoundsError, match=r"more than 104.9 MB of memory"):
        processes.run(bytes, 200 * MB)
    assert len(processes.run(bytes, 50 * MB)) == 50 * MB  # each call has the whole bound


def test_a_crash_is_told_apart(processes):
    with pytest.raises(CrashedError, match="status -6"):
        processes.run(os.abort)
    assert processes.run(abs, -3) == 3


def test_what_a_library_prints_comes_into_no_answer(processes):
    assert processes.run(os.write, 1, b"noise") == 5
    assert processes.run(abs, -3) == 3


def test_modules_in_the_working_folder_are_not_imported(processes, tmp_path, monkeypatch):
    (tmp_path / "numpy.py").write_text("raise SystemExit('not this one')")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CorruptError, match="the file is empty"):
        processes.run(load_image, b"", "photo", 8)


def test_the_longest_call_gives_way_where_another_waits():
    processes = BoundedProcesses(Bounds(60, 100 * MB), most=2, patience=0.2)
    said = []

    def hog():
        try:
            processes.run(eval, ENDLESS)
        except OutOfBoundsError as error:
            said.append(error.message)

    hogs = [threading.Thread(target=hog) for _ in range(2)]
    for one in hogs:
        one.start()
    wait_for(lambda: len(processes._busy) == 2)
    time.sleep(0.4)
    assert not said  # nobody waited
    assert processes.run(abs, -3) == 3
    wait_for(lambda: len(said) == 1)
    assert said == ["it takes more than 0.2 s, and others wait"]
    processes.close()
    for one in hogs:
        one.join()
    assert said[1:] == ["the program ends"]
