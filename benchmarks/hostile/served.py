"""A running server among hostile uploads and photos: answers, how long they take, its memory."""

from __future__ import annotations

import hashlib
import http.client
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from urllib.parse import urlsplit

import numpy as np
import psutil

from .damaged import UNEXPECTED
from .kinds import damage_svg
from .mutations import damage_bytes
from .world import FORMATS, SVG, command, encoded, picture

HOSTILE = "127.0.0.2"  # another address: the server counts requests by address
ATTACKERS = 4
ROUNDS = 10
PACE = 0.055  # seconds between ordinary searches, which keeps below the server's rate


@dataclass
class Served:
    """What was seen.

    Attributes:
        quiet, busy: seconds of each ordinary search, before and among hostile uploads.
        answers: statuses of hostile uploads, and of photos of the gallery that cost much.
        memory: bytes of the server and its processes, after each of the rounds, the first in quiet.
        said: by the server, that should not be.
    """

    quiet: list[float] = field(default_factory=list)
    busy: list[float] = field(default_factory=list)
    answers: Counter[int] = field(default_factory=Counter)
    memory: list[int] = field(default_factory=list)
    said: str = ""

    def asked(self) -> int:
        """How many requests were made."""
        return len(self.quiet) + len(self.busy) + self.answers.total()


@dataclass(frozen=True)
class Server:
    """A running server.

    Attributes:
        pid: its process.
        port: where it listens.
        drawing: of an ordinary search.
        slow: paths of small pictures that cost much to make.
    """

    pid: int
    port: int
    drawing: bytes
    slow: list[str]


def attack(world: Path, count: int, seed: int) -> Served:
    """`count` requests, a tenth of them in quiet, the others among hostile uploads."""
    found = Served()
    with serving(world, found) as server:
        tenth = count // ROUNDS
        in_quiet(server, tenth, found)
        for number in range(1, ROUNDS):
            more = tenth if number > 1 else count - tenth * (ROUNDS - 1)
            among_hostile(server, more, f"{seed} {number}", found)
    return found


@contextmanager
def serving(world: Path, found: Served) -> Iterator[Server]:
    """A server of a gallery with photos that cost much, everything loaded."""
    slow = _gallery(world)
    own = {**os.environ, "SBIRCTL_HOME": str(world / "home"), "OMP_NUM_THREADS": "1"}
    words = [sys.executable, "-m", "sbirctl", "serve", "-g", "served", "--port", "0"]
    log = world / "served"
    with open(log, "w") as stderr:
        server = subprocess.Popen(words, env=own, stdout=subprocess.PIPE, stderr=stderr, text=True)
    try:
        assert server.stdout is not None
        port = urlsplit(server.stdout.readline().strip()).port
        assert port is not None
        drawing = (world / "raw/sketch/cat/0.png").read_bytes()
        for _ in range(20):
            ask(port, drawing)
        yield Server(server.pid, port, drawing, slow)
    finally:
        server.terminate()
        server.wait()
    text = log.read_bytes()
    found.said = "\n".join(line.decode() for line in text.splitlines() if UNEXPECTED.search(line))


def in_quiet(server: Server, count: int, found: Served) -> None:
    """`count` ordinary searches alone."""
    found.quiet += [_timed(server) for _ in range(count)]
    found.memory.append(_memory(server.pid))


def among_hostile(server: Server, count: int, seed: str, found: Served) -> None:
    """`count` requests: ordinary searches, while others send what is hostile."""
    before, end = found.asked(), threading.Event()
    threads = [
        threading.Thread(target=_hostile, args=(server, Random(f"{seed} {number}"), end, found))
        for number in range(ATTACKERS)
    ]
    for thread in threads:
        thread.start()
    try:
        while found.asked() - before < count:
            found.busy.append(_timed(server))
    finally:
        end.set()
        for thread in threads:
            thread.join()
    found.memory.append(_memory(server.pid))


def _gallery(world: Path) -> list[str]:
    """Index photos, some of which take seconds to decode; gives the paths of those."""
    folder = world / "raw/served"
    if not folder.exists():
        shutil.copytree(world / "raw/photo", folder)
    names = []
    for number in range(3):
        data = costly(2000) + bytes([number])
        (folder / f"slow-{number}.jpg").write_bytes(data)
        names.append(f"/thumbnail/{hashlib.sha256(data).hexdigest()}")
    if command("index", folder, "--gallery", "served", home=world / "home"):
        sys.exit("the gallery cannot be made")
    return names


def ask(port: int, body: bytes, address: str = "", path: str = "/api/search?k=3") -> int:
    """The status of one request, an upload where it has a body; 0 where it was cut off."""
    source = (address, 0) if address else None
    line = http.client.HTTPConnection("127.0.0.1", port, timeout=120, source_address=source)
    try:
        line.request("GET" if path.startswith("/thumb") else "POST", path, body)
        answer = line.getresponse()
        answer.read()
        return answer.status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        line.close()


def _timed(server: Server) -> float:
    started = time.perf_counter()
    status = ask(server.port, server.drawing)
    taken = time.perf_counter() - started
    if status != 200:
        sys.exit(f"an ordinary search was answered with {status}")
    time.sleep(max(0.0, PACE - taken))
    return taken


def costly(side: int = 3000, scans: int = 450) -> bytes:
    """A small JPEG whose every scan goes over all pixels: seconds to decode."""
    from PIL import Image

    data = encoded(Image.new("RGB", (side, side), "white"), "JPEG", progressive=True)
    last = [found.start() for found in re.finditer(b"\xff\xda", data)][-1]
    return data[:-2] + data[last:-2] * scans + b"\xff\xd9"


def _hostile(server: Server, rng: Random, end: threading.Event, found: Served) -> None:
    heavy = costly()
    whole = [encoded(picture(5), kind) for kind in FORMATS]
    large = encoded(picture(5, side=5000), "PNG")
    while not end.is_set():
        how = rng.random()
        if how < 0.05:
            body = heavy
        elif how < 0.1:
            body = large
        elif how < 0.4:
            body = damage_svg(rng, SVG)
        elif how < 0.9:
            body = damage_bytes(rng, rng.choice(whole))
        else:
            body = rng.randbytes(rng.choice((0, 1, 5000)))
        path = rng.choice(("/api/search?k=3", "/api/search?k=3&as=photo", "/api/drawing"))
        if rng.random() < 0.03:
            body, path = b"", rng.choice(server.slow)
        found.answers[ask(server.port, body, HOSTILE, path)] += 1


def _memory(pid: int) -> int:
    server = psutil.Process(pid)
    total = 0
    for process in (server, *server.children(recursive=True)):
        try:
            total += process.memory_info().rss
        except psutil.Error:  # it has just been stopped
            continue
    return total


def summary(found: Served) -> list[str]:
    """Lines for the table."""
    quiet, busy = (np.percentile(times, 95) for times in (found.quiet, found.busy))
    mb = ", ".join(f"{size / 1e6:.0f}" for size in found.memory)
    return [
        f"{found.asked()} requests, {found.answers.total()} of them hostile: {dict(found.answers)}",
        f"95th percentile of an ordinary search: {quiet:.3f} s in quiet, {busy:.3f} s among them",
        f"memory of the server and its processes, MB: {mb}",
    ]
