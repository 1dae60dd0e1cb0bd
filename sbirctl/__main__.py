"""The command `sbirctl` (also `python -m sbirctl`)."""

from __future__ import annotations

import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and end the process with its exit code."""
    try:
        from sbirctl.cli import _completion

        if _completion.asked():
            sys.exit(_completion.answer())
        _completion.begin_source()
        from sbirctl.cli import _signals

        _signals.install()
        from sbirctl.cli._app import run
    except KeyboardInterrupt:
        sys.exit(130)
    sys.exit(run(sys.argv[1:] if arguments is None else list(arguments)))


if __name__ == "__main__":
    main()
