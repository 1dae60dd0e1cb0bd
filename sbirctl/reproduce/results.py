"""What was made of a paper's exhibits, kept as files: a stopped call, or a later one, finds it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sbirctl import __version__
from sbirctl.core.config import environment_layer
from sbirctl.core.errors import SbirctlError
from sbirctl.core.files import atomic_open, digest_json, read_json, write_json
from sbirctl.core.home import RESULT, datasets_dir
from sbirctl.reproduce.exhibits import Exhibit
from sbirctl.reproduce.layout import FORMATS
from sbirctl.reproduce.measured import TableResult
from sbirctl.reproduce.plan import Planner
from sbirctl.store.reader import EDGE_INDEX, MANIFEST

SCHEMA = 1
_ENDINGS = {"latex": "tex"}


@dataclass(frozen=True)
class MadeExhibit:
    """One exhibit as it was made.

    Attributes:
        id, name, title: of the exhibit.
        table: for a table. pictures: (file in the folder, caption) of a figure.
        notes: what stands beneath.
        runs: folders of the runs it rests on.
        whole: whether nothing was missing.
    """

    id: str
    name: str
    title: str
    table: TableResult | None = None
    pictures: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()
    runs: tuple[str, ...] = ()
    whole: bool = True


def fingerprint(exhibit: Exhibit, planner: Planner) -> str:
    """Equal while neither the plan, the card, the data nor the program changed; without torch."""
    stores = [place.store for place in planner.places([exhibit])]
    if exhibit.kind == "counts":
        stores += planner.stores.names
    folders = [datasets_dir() / store for store in stores]
    read = (MANIFEST, EDGE_INDEX) if planner.edges else (MANIFEST,)
    stamps = [_stamp(folder / name) for folder in folders for name in read]
    sources = [source.key for source in planner.sources(exhibit)]
    about = [__version__, planner.paper.digest, planner.seeds, environment_layer()]
    return digest_json([SCHEMA, about, sources, stamps])


def read_made(exhibit: Exhibit, mark: str, folder: Path) -> MadeExhibit | None:
    """An exhibit that was made to the end with this fingerprint and is still all there."""
    try:
        value = read_json(folder / f"{exhibit.stem}.json")
        made = _made(value["made"])
        files = [folder / name for name, _ in made.pictures]
        files += [Path(run) / RESULT for run in made.runs]
        same = value["fingerprint"] == mark and made.whole
    except (SbirctlError, LookupError, TypeError, AttributeError):
        return None
    return made if same and all(file.is_file() for file in files) else None


def write_made(exhibit: Exhibit, made: MadeExhibit, mark: str, folder: Path) -> None:
    """Keep an exhibit: its values as JSON, a table in the other formats, too."""
    if made.table is not None:
        for form, write in FORMATS.items():
            with atomic_open(folder / f"{exhibit.stem}.{_ENDINGS.get(form, form)}", "w") as stream:
                stream.write(write(made.table))
    value = {"schema": SCHEMA, "fingerprint": mark, "made": asdict(made)}
    write_json(folder / f"{exhibit.stem}.json", value)


def all_made(exhibits: Sequence[Exhibit], folder: Path) -> list[MadeExhibit]:
    """What there is of some exhibits, made now or before, in their order."""
    found = []
    for exhibit in exhibits:
        try:
            found.append(_made(read_json(folder / f"{exhibit.stem}.json")["made"]))
        except (SbirctlError, LookupError, TypeError):
            continue
    return found


def _made(value: Mapping[str, Any]) -> MadeExhibit:
    table = value["table"]
    listed = {key: tuple(value[key]) for key in ("notes", "runs")}
    return MadeExhibit(
        **{
            **value,
            **listed,
            "table": None if table is None else TableResult.from_json(table),
            "pictures": tuple((name, text) for name, text in value["pictures"]),
        }
    )


def _stamp(path: Path) -> tuple[int, int] | None:
    """Size and time of a file: reading a large manifest would take longer than all the rest."""
    try:
        about = path.stat()
    except OSError:
        return None
    return about.st_size, about.st_mtime_ns
