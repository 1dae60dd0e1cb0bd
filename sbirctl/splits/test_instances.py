"""The published test side of a fine-grained data set, as a list in its store."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sbirctl.core.files import atomic_open
from sbirctl.splits import listfile

LISTED = "splits/test-instances.txt"


def write_test_instances(
    folder: Path, dataset: str, listed: Sequence[str], instances: Sequence[str]
) -> None:
    """Write the list the task `fg` tests on; without any listed, an older list is removed.

    Args:
        folder: the store's folder.
        dataset: the store's name.
        listed: test instances, "<class>/<photo stem>".
        instances: those the store has; a photo that could not be read is not among them.
    """
    target = folder / LISTED
    here = set(instances)
    names = sorted(name for name in listed if name in here)
    if not names:
        target.unlink(missing_ok=True)
        return
    header = {
        "dataset": dataset,
        "kind": "instances",
        "count": str(len(names)),
        "protocol": "the test photos as the data set's folders or lists have them",
    }
    with atomic_open(target, "w") as stream:
        stream.write(listfile.write(header, names))
