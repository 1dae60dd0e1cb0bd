"""A Python whose processes are forked from one that has imported what they need.

Starting Python and importing torch takes seconds of the processor, a fork hundredths of one. Tests
of what a command says, writes and how it ends start `forked.python()` as they would start
`sys.executable`: a process of its own with its own streams, environment and folder, in pipes and
shells too. Tests of the process itself (signals, encodings, what is killed) start Python.

With SBIRCTL_TEST_FORK=0, as the continuous checks have it, `python()` is `sys.executable`.
"""

from __future__ import annotations

import atexit
import os
import stat
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

SERVER = Path(__file__).with_name("fork_server.py")
# what every command imports, and nothing that completion may not import
PROGRAM = tuple(f"sbirctl.cli.{name}" for name in ("_app", "_completion", "_signals"))
# what reading a command line takes, and arrays
ARGUMENTS = (*PROGRAM, "typer._adapters", "numpy")
EVERYTHING = (
    *ARGUMENTS,
    *("torchvision", "timm", "open_clip", "sklearn", "matplotlib", "h5py", "cv2"),
    *(f"sbirctl.pipeline.{name}" for name in ("train", "embed", "evaluate", "prepare", "index")),
    *(f"sbirctl.training.{name}" for name in ("run", "embedding", "embedding_target")),
)
CLIENT = """#!{python} -IS
import marshal, os, socket, sys
server = socket.socket(socket.AF_UNIX)
server.connect({address!r})
words = sys.argv[1:]
asked = marshal.dumps((words, os.getcwd(), dict(os.environ)))
socket.send_fds(server, [len(asked).to_bytes(8, "big")], [0, 1, 2])
server.sendall(asked)
status = int.from_bytes(server.recv(4), "big", signed=True)
if status < 0:
    os.kill(os.getpid(), -status)
os._exit(status)
"""


def python(imported: tuple[str, ...] = EVERYTHING) -> str:
    """The path of a program that runs `-m MODULE …` and `-c CODE …`.

    Args:
        imported: modules that its processes find imported already.
    """
    if os.environ.get("SBIRCTL_TEST_FORK") == "0" or not hasattr(os, "fork"):
        return sys.executable
    return _started(imported)


@cache
def _started(imported: tuple[str, ...]) -> str:
    folder = tempfile.TemporaryDirectory(prefix="sbirctl-fork-")
    address = str(Path(folder.name) / "socket")
    server = subprocess.Popen(
        [sys.executable, str(SERVER), address, *imported],
        stdin=subprocess.PIPE,  # it ends when this process does, however that may be
        stdout=subprocess.PIPE,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert server.stdout is not None
    assert server.stdout.readline() == b"ready\n"

    def end() -> None:
        assert server.stdin is not None
        server.stdin.close()
        server.wait()
        folder.cleanup()

    atexit.register(end)
    client = Path(folder.name) / "python"
    client.write_text(CLIENT.format(python=sys.executable, address=address))
    client.chmod(client.stat().st_mode | stat.S_IXUSR)
    return str(client)
