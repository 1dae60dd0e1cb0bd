"""Starts functions of a test module in two processes that find each other, as torchrun does."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

START = """
import sys
sys.path[:0] = sys.argv[1].split(":")
import torch
torch.set_num_threads(1)
import test_processes
getattr(test_processes, sys.argv[2])(test_processes.Path(sys.argv[3]))
"""
TESTS = Path(__file__).parents[1]


def start(function: str, folder: Path, world: int = 2) -> list[tuple[int, str, str]]:
    """Exit code, stdout and stderr of every process of `test_processes.<function>(folder)`."""
    with socket.socket() as taken:
        # kept until the end, for nobody else to be given the port; a second socket may be bound
        # beside one that does not listen, if both allow it
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", 0))
        return _start(function, folder, world, taken.getsockname()[1])


def _start(function: str, folder: Path, world: int, port: int) -> list[tuple[int, str, str]]:
    paths = f"{TESTS / 'training'}:{TESTS / 'models'}"
    shared = {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "WORLD_SIZE": str(world),
        "LOCAL_WORLD_SIZE": str(world),
    }
    children = [
        subprocess.Popen(
            [sys.executable, "-c", START, paths, function, str(folder)],
            env={**shared, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(world)
    ]
    found = []
    try:
        for child in children:
            out, err = child.communicate(timeout=900)
            found.append((child.returncode, out, err))
    finally:
        for child in children:
            child.kill()
    return found
