"""The process in which `core.bounded` runs functions: a call on stdin, its answer on stdout."""

from __future__ import annotations

import os
import pickle
import re
import signal
import warnings
from pathlib import Path

from sbirctl.core.bounded import Bounds

_NICE = 5  # whoever asked, and what it does beside, come first


def main() -> None:
    """Answer calls until there are no more."""
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)  # so that nothing a library prints comes between the answers
    os.dup2(null, 1)
    warnings.simplefilter("ignore")
    if hasattr(os, "nice"):
        os.nice(_NICE)
    while True:
        try:
            bounds, function, arguments, keywords = pickle.load(requests)
        except EOFError:
            return
        _limit(bounds)
        try:
            answer = True, function(*arguments, **keywords)
            if bounds is None:  # a module, which is imported and stays here
                answer = True, None
        except Exception as error:
            answer = False, error
        _limit(None)
        pickle.dump(answer, answers, protocol=5)
        answers.flush()


def _limit(bounds: Bounds | None) -> None:
    """Let the system end this process by SIGPROF, and refuse it memory, beyond the bounds."""
    if not hasattr(signal, "setitimer"):  # Windows: the other process looks at its clock
        return
    import resource

    signal.setitimer(signal.ITIMER_PROF, bounds.seconds if bounds else 0)
    if not hasattr(resource, "RLIMIT_DATA"):
        return
    most = resource.getrlimit(resource.RLIMIT_DATA)[1]
    held = _data()
    wanted = most if bounds is None or held is None else held + bounds.memory
    if most != resource.RLIM_INFINITY:
        wanted = most if wanted == resource.RLIM_INFINITY else min(wanted, most)
    resource.setrlimit(resource.RLIMIT_DATA, (wanted, most))


def _data() -> int | None:
    """Bytes of this process that `RLIMIT_DATA` counts; None where the system does not say."""
    try:
        found = re.search(r"^VmData:\s+(\d+) kB", Path("/proc/self/status").read_text(), re.M)
    except OSError:
        return None
    return int(found[1]) * 1024 if found else None
