"""The process that `forked.python` starts: imports modules, then forks for everyone who asks.

python fork_server.py SOCKET MODULE…
"""

import atexit
import contextlib
import gc
import importlib
import marshal
import os
import runpy
import select
import signal
import socket
import sys
import threading
import traceback


def main() -> None:
    """Serve until stdin is closed."""
    address, *modules = sys.argv[1:]
    for name in modules:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()  # what is shared stays shared
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(address)
    listening.listen(64)
    waking, woken = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(woken, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    os.write(1, b"ready\n")
    asking: dict[int, socket.socket] = {}  # the process that works for it
    while True:
        ready, _, _ = select.select([0, listening, waking, *asking.values()], [], [])
        if 0 in ready:
            break
        if waking in ready:
            os.read(waking, 4096)
            reply(asking)
        for process, client in list(asking.items()):
            if client in ready:  # it went away: it was killed
                os.kill(process, signal.SIGKILL)
        if listening in ready:
            client, _ = listening.accept()
            streams, words, folder, environment = received(client)
            process = os.fork()
            if not process:
                signal.set_wakeup_fd(-1)
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                for one in (listening, client, *asking.values()):
                    one.close()
                for one in (waking, woken):
                    os.close(one)
                work(streams, words, folder, environment)
            for stream in streams:
                os.close(stream)
            asking[process] = client
    for process in asking:
        os.kill(process, signal.SIGKILL)


def received(client: socket.socket) -> tuple[list[int], list[str], str, dict[str, str]]:
    """Streams, words, folder and environment of who asks."""
    size, streams, _, _ = socket.recv_fds(client, 8, 3)
    with client.makefile("rb") as sent:
        words, folder, environment = marshal.loads(sent.read(int.from_bytes(size, "big")))
    return streams, words, folder, environment


def reply(asking: dict[int, socket.socket]) -> None:
    """Tell those whose process has ended how it did."""
    for process in list(asking):
        found, status = os.waitpid(process, os.WNOHANG)
        if found:
            client = asking.pop(process)
            with contextlib.suppress(OSError):  # it was killed
                client.sendall(os.waitstatus_to_exitcode(status).to_bytes(4, "big", signed=True))
            client.close()


def work(streams: list[int], words: list[str], folder: str, environment: dict[str, str]) -> None:
    """Be the process that was asked for, to its end."""
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stdout, sys.stderr = (
        open(number, "w", encoding="utf-8", errors=errors, closefd=False)  # noqa: SIM115
        for number, errors in ((1, "strict"), (2, "backslashreplace"))
    )
    sys.stderr.reconfigure(line_buffering=True)
    sys.__stdin__, sys.__stdout__, sys.__stderr__ = sys.stdin, sys.stdout, sys.stderr
    more = environment.get("PYTHONPATH", "").split(os.pathsep)
    sys.path[0] = folder if words[0] == "-m" else ""
    sys.path[1:1] = [path for path in more if path and path not in sys.path]
    status = 0
    try:
        how, what, *rest = words
        sys.argv = [how, *rest]
        if how == "-m":
            runpy.run_module(what, run_name="__main__", alter_sys=True)
        elif how == "-c":
            module = type(sys)("__main__")
            sys.modules["__main__"] = module
            exec(compile(what, "<string>", "exec"), module.__dict__)
        else:
            raise ValueError(f"neither -m nor -c: {how}")
    except SystemExit as error:
        status = error.code if isinstance(error.code, int) else int(error.code is not None)
        if isinstance(error.code, str):
            print(error.code, file=sys.stderr)
    except BaseException:
        traceback.print_exc()
        status = 1
    threading._shutdown()
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            status = status or 120  # as Python itself has it
    os._exit(status & 255)


if __name__ == "__main__":
    main()
