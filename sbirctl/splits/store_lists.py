"""Lists of a prepared data set's own: a person's unseen classes, and published test instances."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sbirctl.core.errors import MismatchError, MissingError, UsageError
from sbirctl.core.files import atomic_open, display_path
from sbirctl.core.seeds import rng_for
from sbirctl.core.text import composed, read_text
from sbirctl.splits import lists
from sbirctl.splits.spellings import match

DEFAULT_SPLIT = "splits/default.txt"
TEST_INSTANCES = "splits/test-instances.txt"


@dataclass(frozen=True)
class UnseenChoice:
    """How a person names the unseen classes: one of three ways.

    Attributes:
        names: the classes as typed; a text may hold several, parted by commas.
        file: a list, one class a line.
        fraction: share of the classes, drawn with `seed`.
        seed: for `fraction`.
    """

    names: tuple[str, ...] = ()
    file: Path | None = None
    fraction: float | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        given = bool(self.names) + (self.file is not None) + (self.fraction is not None)
        if given != 1:
            raise UsageError(
                "The unseen classes are named in more than one way.",
                "Give one of --unseen, --unseen-file and --unseen-fraction.",
            )
        if self.fraction is not None and not 0 < self.fraction < 1:
            raise UsageError(
                f"--unseen-fraction {self.fraction} is no share.", "Give a number between 0 and 1."
            )


def write_split(folder: Path, dataset: str, classes: Sequence[str], choice: UnseenChoice) -> Path:
    """Write the split as the store's default and give its path; an equal one is left alone.

    Args:
        folder: the store's folder.
        dataset: the store's name.
        classes: classes that have both photos and sketches.
        choice: which of them are unseen.

    Raises:
        MismatchError: a name is none of the classes, or no class is left to train on.
        MissingError: there is no such list file.
        CorruptError: the list file cannot be read.
    """
    names, how = choose(classes, choice)
    header = {"dataset": dataset, "kind": "unseen", "count": str(len(names)), "protocol": how}
    text = lists.write(header, names)
    target = folder / DEFAULT_SPLIT
    if not target.is_file() or target.read_text("utf-8") != text:
        with atomic_open(target, "w") as stream:
            stream.write(text)
    return target


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
    target = folder / TEST_INSTANCES
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
        stream.write(lists.write(header, names))


def choose(classes: Sequence[str], choice: UnseenChoice) -> tuple[tuple[str, ...], str]:
    """(the unseen classes, how they were chosen); for the errors see `write_split`."""
    names, how = _choose(classes, choice)
    if len(names) == len(classes):
        raise MismatchError(
            f"All {len(classes)} classes would be unseen.", "Leave some to train on."
        )
    return names, how


def _choose(classes: Sequence[str], choice: UnseenChoice) -> tuple[tuple[str, ...], str]:
    if choice.fraction is not None:
        if len(classes) < 2:
            raise MismatchError(
                f"{len(classes)} class cannot be split into seen and unseen.",
                "Leave out --unseen-fraction; the fg and sbir tasks need no unseen classes.",
            )
        count = min(max(1, round(choice.fraction * len(classes))), len(classes) - 1)
        order = rng_for(choice.seed, "unseen classes").permutation(len(classes))
        names = tuple(sorted(sorted(classes)[i] for i in order[:count]))
        return names, f"{choice.fraction:g} of the classes, drawn with seed {choice.seed}"
    if choice.file is not None:
        try:
            text = read_text(choice.file)
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as error:
            raise MissingError(
                f"There is no file {display_path(choice.file)}.", "Give one class name a line."
            ) from error
        shown = display_path(choice.file)
        return match(lists.parse(text, shown).names, classes, shown), "a list of one's own"
    # Names that are no UTF-8 come from the command line as they do from a disk.
    typed = [name for text in choice.names for name in _parted(display_path(text), classes)]
    if not typed:
        raise UsageError("--unseen names no class.", "Write it as --unseen cat,dog.")
    return match(typed, classes, "--unseen"), "named on the command line"


def _parted(text: str, classes: Sequence[str]) -> list[str]:
    """The names in a text: the whole of it where that is a class, else what commas part."""
    known = {composed(name) for name in classes}
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if composed(text) not in known:
        return parts
    if len(parts) > 1 and all(composed(part) in known for part in parts):
        raise MismatchError(
            f"--unseen {text!r} is one class, and {' and '.join(parts)} are others.",
            "Write the names into a file, one a line, for --unseen-file.",
        )
    return [text]
