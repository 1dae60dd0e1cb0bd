"""Processes that train or embed one thing together, one a device, as `torchrun` starts them.

Who is who comes from the environment (RANK, WORLD_SIZE, LOCAL_RANK, MASTER_ADDR, MASTER_PORT), so
there is nothing to configure; without it a process is alone and nothing here costs anything. The
first process (rank 0) is the only one that speaks and that writes files. torch is imported only
where there is more than one.
"""

from __future__ import annotations

import itertools
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from sbirctl.core.errors import SbirctlError, UsageError

if TYPE_CHECKING:
    import numpy as np
    import torch
    import torch.distributed as dist

T = TypeVar("T")

_NAMES = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
# A process that died is noticed by its closed connections; this is for a network that is silent.
_TIMEOUT = timedelta(minutes=30)
_joins = itertools.count()  # a process may join several times, for one run after the other


def world() -> int:
    """How many processes were started together; 1 without a launcher."""
    return int(os.environ["WORLD_SIZE"]) if all(name in os.environ for name in _NAMES) else 1


def is_first() -> bool:
    """Whether this process is the one that speaks and writes."""
    return world() == 1 or os.environ["RANK"] == "0"


def local_world() -> int:
    """How many of the processes run on this machine."""
    return int(os.environ.get("LOCAL_WORLD_SIZE", "1")) if world() > 1 else 1


@dataclass(frozen=True)
class ProcessGroup:
    """The processes of one stage, seen from one of them.

    Attributes:
        rank: this process's number, 0 for the first.
        world: how many there are.
        device: where this one computes, a device's name.
    """

    rank: int = 0
    world: int = 1
    device: str = "auto"

    @property
    def first(self) -> bool:
        """Whether this process speaks and writes."""
        return self.rank == 0

    def wait(self) -> None:
        """Until all processes are here."""
        if self.world > 1:
            import torch.distributed as dist

            dist.all_reduce(_zero())

    def broadcast_from_first(self, make: Callable[[], T]) -> T:
        """What `make` gives in the first process, in every process; so with its errors.

        Args:
            make: called in the first process only; its result can be pickled.

        Raises:
            SbirctlError: `make` raised it, in all processes.
        """
        if self.world == 1:
            return make()
        import torch.distributed as dist

        box: list[Any] = [None, None]
        if self.first:
            try:
                box[0] = make()
            except SbirctlError as error:
                box[1] = error
        dist.broadcast_object_list(box)
        if box[1] is not None:
            raise box[1]
        made: T = box[0]
        return made

    def all_gather_rows(self, own: np.ndarray, counts: Sequence[int]) -> list[np.ndarray]:
        """The rows of every process, by rank.

        Args:
            own: (counts[rank], dim) float32.
            counts: rows of each process.
        """
        if self.world == 1:
            return [own]
        import torch
        import torch.distributed as dist

        padded = torch.zeros(max(counts), own.shape[1])
        padded[: len(own)] = torch.from_numpy(own)
        found = [torch.empty_like(padded) for _ in counts]
        dist.all_gather(found, padded)
        return [rows[:count].numpy() for rows, count in zip(found, counts, strict=True)]

    @contextmanager
    def first_process_first(self) -> Iterator[None]:
        """The first process of each machine goes ahead, and the others find what it fetched."""
        ahead = self.world == 1 or os.environ.get("LOCAL_RANK", "0") == "0"
        if not ahead:
            self.wait()
        yield
        if ahead:
            self.wait()


SINGLE = ProcessGroup()


@contextmanager
def joined(device: str) -> Iterator[ProcessGroup]:
    """This process's place among those it was started with; alone if it was not.

    Args:
        device: auto, cpu, cuda, …; of many processes each takes the GPU of its local number.

    Raises:
        UsageError: a machine has fewer GPUs than processes.
        SbirctlError: another process ended, or the processes do not find each other.
    """
    count = world()
    if count == 1:
        yield ProcessGroup(device=device)
        return
    import torch.distributed as dist

    own = _own_device(device)
    try:
        store, rank, _ = next(dist.rendezvous("env://", timeout=_TIMEOUT))
        store = dist.PrefixStore(f"sbirctl {next(_joins)}", store)
        backend = "cpu:gloo,cuda:nccl" if own.startswith("cuda") else "gloo"
        dist.init_process_group(backend, store=store, rank=rank, world_size=count, timeout=_TIMEOUT)
    except (RuntimeError, ValueError, OSError) as error:
        raise SbirctlError(
            f"The {count} processes do not find each other: {error}.",
            "Start them with `torchrun --nproc-per-node N -m sbirctl …`.",
        ) from error
    try:
        with _stopping_on_signals():
            yield ProcessGroup(rank, count, own)
            dist.all_reduce(_zero())  # nobody leaves while another still needs it
    except SbirctlError as error:
        error.said = _said(store, error)
        dist.destroy_process_group()
        raise
    except RuntimeError as error:
        if not _is_lost(error):
            raise
        lost = _lost()
        lost.said = _said(store, lost)
        raise lost from error
    dist.destroy_process_group()


def _own_device(wanted: str) -> str:
    """The device of this process: with CUDA the one of its number on this machine."""
    import torch

    if wanted not in ("auto", "cuda") or not torch.cuda.is_available():
        return wanted
    own, there = int(os.environ.get("LOCAL_RANK", "0")), torch.cuda.device_count()
    if local_world() > there:
        raise UsageError(
            f"{local_world()} processes were started on a machine with {there} GPUs.",
            f"Use torchrun --nproc-per-node {there}, or --device cpu.",
        )
    torch.cuda.set_device(own)
    return f"cuda:{own}"


def _zero() -> torch.Tensor:
    import torch

    return torch.zeros(1)


@contextmanager
def _stopping_on_signals() -> Iterator[None]:
    """`torchrun` ends the others when one process fails: let them say so."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, frame: object) -> NoReturn:  # noqa: ARG001
        raise _lost()

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    except BaseException:
        # Being told to stop must not keep this process from saying what went wrong.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise
    signal.signal(signal.SIGTERM, before)


def _lost() -> SbirctlError:
    return SbirctlError(
        "Another process of this run ended before its time.",
        "Look for its message; the same command continues, with as many processes as you like.",
    )


def _is_lost(error: RuntimeError) -> bool:
    import torch.distributed as dist

    text = str(error).lower()
    return isinstance(error, dist.DistError) or any(
        word in text for word in ("gloo", "nccl", "connection closed", "connection reset")
    )


def _said(store: dist.Store, error: SbirctlError) -> bool:
    """Whether another process says this already: what goes wrong in all is said once."""
    try:
        return bool(store.add(f"error: {error.message}", 1) > 1)
    except RuntimeError:  # the store went down with the first process
        return False
