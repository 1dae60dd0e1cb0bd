"""`tasks`: what tasks there are, and what may be chosen about one."""

from __future__ import annotations

from sbirctl.core.config import describe
from sbirctl.tasks import TASKS


def rows() -> list[dict[str, object]]:
    """One row a task: name, whether it takes a split and a second data set, what it is."""
    tasks = [TASKS.get(name) for name in TASKS.names()]
    return [
        {"name": t.name, "split": t.split, "target": t.target, "summary": t.summary} for t in tasks
    ]


def options(name: str) -> list[dict[str, object]]:
    """One row an option of a task: key, default, choices, help.

    Raises:
        UsageError: there is no such task.
    """
    found = describe(TASKS.get(name).Options)
    return [
        {"option": one.key, "default": one.default, "choices": list(one.choices), "help": one.help}
        for one in found
    ]
