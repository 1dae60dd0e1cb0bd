"""What a program writes to a terminal."""

import fcntl
import os
import pty
import struct
import subprocess
import termios


def on_terminal(command, columns, env, cwd=None):
    """(all that it writes, exit status)."""
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    process = subprocess.Popen(
        command, stdin=follower, stdout=follower, stderr=follower, cwd=cwd, env=env
    )
    os.close(follower)
    written = b""
    while piece := _read(leader):
        written += piece
    os.close(leader)
    return written.decode(), process.wait()


def _read(leader):
    try:
        return os.read(leader, 65536)
    except OSError:  # the other end is closed
        return b""
