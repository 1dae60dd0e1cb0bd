"""A gallery whose making was stopped at any moment is the one that was made at once."""

import contextlib
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from small_gallery import Cells, content, make, photo

from sbirctl.core.progress import Reporter
from sbirctl.galleries import indexing
from sbirctl.galleries.writer import GalleryWriter

PHOTOS = 60


class Stop(Exception):
    pass


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Sixty photos, a few copies and broken files among them, kept by eights."""
    monkeypatch.setattr(indexing, "KEPT", 8)
    monkeypatch.setattr(indexing, "BATCH", 3)
    monkeypatch.setattr(indexing, "_CHUNK", 2)
    for seed in range(PHOTOS):
        photo(tmp_path / "a" / f"{seed:02d}.png", seed % 50)
    for name in ("05x.png", "31x.png"):
        (tmp_path / "a" / name).write_bytes(b"\x89PNG\r\nno picture")
    return tmp_path / "a"


@pytest.mark.parametrize("step", [0, 7, 8, 9, 30, PHOTOS + 1])
def test_stopped_after_some_photos(folder, tmp_path, step):
    left = [step]

    class Stopping(Reporter):
        def bar(self, label, total=None, done=0):
            from contextlib import contextmanager

            @contextmanager
            def bar():
                def advance(steps=1):
                    left[0] -= 1
                    if left[0] < 0:
                        raise Stop

                yield advance

            return bar()

    with pytest.raises(Stop):
        make(tmp_path / "g", [folder], report=Stopping())
    model = Cells()
    make(tmp_path / "g", [folder], model)
    assert model.seen <= 50 - step // 8 * 5  # what was kept is never made again
    make(tmp_path / "h", [folder])
    assert content(tmp_path / "g") == content(tmp_path / "h")


@pytest.mark.parametrize("where", ["_replace_files", "_describe", "_sweep", "_insert"])
def test_stopped_while_it_is_put_together(folder, tmp_path, monkeypatch, where):
    with monkeypatch.context() as patch:
        patch.setattr(GalleryWriter, where, lambda *a, **k: (_ for _ in ()).throw(Stop))
        with pytest.raises(Stop):
            make(tmp_path / "g", [folder])
    make(tmp_path / "g", [folder])
    make(tmp_path / "h", [folder])
    assert content(tmp_path / "g") == content(tmp_path / "h")


CHILD = """
import os, sys, time
from pathlib import Path
from small_gallery import Cells, make
from sbirctl.galleries import indexing
import sbirctl.training.loader
indexing.KEPT, indexing.BATCH, indexing._CHUNK = 8, 3, 2

class Slow(Cells):
    def embed(self, pixels, modality):
        print("batch", flush=True)
        time.sleep(0.01 if self.seen < most else 1000)  # to be killed, however late
        return super().embed(pixels, modality)

for most in map(int, sys.stdin):  # one process imports, its children index and are killed
    child = os.fork()
    if not child:
        make(Path(sys.argv[1]), [Path(sys.argv[2])], Slow())
        os._exit(0)
    print(child, flush=True)
    _, status = os.waitpid(child, 0)
    print("ended", os.waitstatus_to_exitcode(status), flush=True)
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_killed_at_ten_random_moments(folder, tmp_path):
    here = Path(__file__).parent
    command = [sys.executable, "-c", CHILD, str(tmp_path / "g"), str(folder)]
    environment = {**os.environ, "PYTHONPATH": f"{here}{os.pathsep}{here.parent.parent}"}
    rng = random.Random(0)
    ends = []
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as parent:
        for turn in range(11):
            at = rng.randrange(5) if turn < 10 else PHOTOS  # the batch it is killed in, or after
            parent.stdin.write(f"{3 * (at + 2)}\n")
            parent.stdin.flush()
            child = int(parent.stdout.readline())
            for batch, line in enumerate(iter(parent.stdout.readline, "")):
                if line.startswith("ended"):
                    break
                if batch == at:
                    with contextlib.suppress(ProcessLookupError):  # it was done before
                        os.kill(child, signal.SIGKILL)
            ends.append(line)
        parent.stdin.close()
    assert ends.count(f"ended {-signal.SIGKILL}\n") >= 2
    assert ends[-1] == "ended 0\n"
    make(tmp_path / "h", [folder])
    assert content(tmp_path / "g") == content(tmp_path / "h")
