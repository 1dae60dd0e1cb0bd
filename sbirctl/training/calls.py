"""Which calls of `train` a finished run answers: typed again, they need no torch.

A run's name comes from its resolved settings, which the models' files declare, and those import
torch. So a call that found a finished run is remembered with it, by all that the name depends on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from sbirctl.core.distributed import world
from sbirctl.core.errors import SbirctlError
from sbirctl.core.files import digest_file, digest_json
from sbirctl.core.home import RESULT, runs_dir
from sbirctl.core.kept import code_digest, file_states
from sbirctl.models import MODELS
from sbirctl.store.reader import Store
from sbirctl.tasks import TASKS
from sbirctl.training.find import find_checkpoint
from sbirctl.training.inputs import Found

if TYPE_CHECKING:
    from sbirctl.training.config import Flags

CALLS = "calls"


def call_digest(
    model: str, layers: Sequence[Mapping[str, object]], found: Found, **flags: Unpack[Flags]
) -> str | None:
    """A call, by what the name of its run depends on; None for one that is not remembered.

    Those are calls of several processes, and of models or tasks of one's own, whose code may change
    without this program's changing.

    Args:
        model: registry name.
        layers: settings and options, as `core.config.read_layers` gives them.
        found: the data it names.
        flags: see `training.config.Flags`.
    """
    if world() > 1 or not MODELS.is_own(model) or not TASKS.is_own(found.task.name):
        return None
    init = flags.get("init", "")
    weights = Path(flags.get("weights") or "pretrained").expanduser()
    return digest_json(
        [
            code_digest(),
            model,
            layers,
            {key: str(value) for key, value in sorted(flags.items())},
            [_store(store) for store in (found.source, found.target) if store],
            found.split.digest if found.split else "",
            digest_file(weights) if weights.is_file() else "",
            digest_file(find_checkpoint(init)) if init else "",
        ]
    )


def _store(store: Store) -> list[object]:
    """A data set with its splits and edge maps, by their files."""
    return [store.name, store.digest, file_states(store.folder)]


def finished_run(digest: str) -> Path | None:
    """The finished run that the call found before, None where there is none."""
    for place in runs_dir().glob(f"*/{CALLS}/{digest}"):
        folder = place.parent.parent
        if (folder / RESULT).is_file():
            return folder
    return None


def remember(folder: Path, digest: str) -> None:
    """Keep with a finished run that the call finds it."""
    with suppress(SbirctlError, OSError):  # a run that cannot be written is found the slow way
        (folder / CALLS).mkdir(exist_ok=True)
        (folder / CALLS / digest).touch()
