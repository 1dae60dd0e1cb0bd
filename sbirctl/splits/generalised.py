"""Which seen classes join the test side of the generalised zero-shot task.

20 % of the seen classes, rounded (Dr. CLIP, Sec. 4.1 and Table 1: Sketchy-G has 21 + 21 test
classes, TU-Berlin-G 30 + 44). Its authors published no list; those in `splits/*/<split>-G.txt` are
drawn here.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sbirctl.core.errors import MismatchError, UsageError
from sbirctl.core.seeds import rng_for
from sbirctl.splits.resolve import ClassSplit, find

FRACTION = 0.2


def draw(split: ClassSplit) -> tuple[str, ...]:
    """The seen classes that join, sorted; the draw depends on the sorted seen classes alone.

    Raises:
        MismatchError: the split leaves fewer than two seen classes, so none would stay seen only.
    """
    seen = split.seen
    count = max(1, round(FRACTION * len(seen)))
    if count >= len(seen):
        raise MismatchError(
            f"Split {split.name} has {len(seen)} seen classes; the generalised task needs two."
        )
    chosen = rng_for(0, "generalised").permutation(len(seen))[:count]
    return tuple(seen[i] for i in sorted(chosen))


def added(split: ClassSplit, folders: Sequence[Path] = ()) -> tuple[tuple[str, ...], str]:
    """The seen classes that join the test side, and where that was decided.

    Args:
        split: the split whose seen classes are meant.
        folders: further places a list `<name>-G.txt` may lie in.

    Returns:
        Class names and the published list's name, or "drawn" where there is no list.

    Raises:
        MismatchError: the list names classes that are not seen.
    """
    stem = split.name.rpartition("/")[2]
    try:
        listed = find(split.dataset, f"{stem}-G", folders=folders, classes=split.classes)
    except UsageError:
        return draw(split), "drawn"
    wrong = sorted(set(listed.unseen) - set(split.seen))
    if listed.kind != "generalised" or wrong:
        raise MismatchError(
            f"List {listed.name} does not fit split {split.name}: "
            + (f"{wrong[0]!r} is not seen." if wrong else f"its kind is {listed.kind}."),
            "Rename or remove it; the classes are then drawn.",
        )
    return tuple(sorted(listed.unseen)), listed.name
