"""Runs for others: packed into one file and unpacked, pushed to the hub and pulled."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sbirctl.core.errors import MissingError, SbirctlError, UsageError, few, nearest
from sbirctl.core.files import display_path, read_json
from sbirctl.core.forms import NATURAL, Each, Maybe, check_form
from sbirctl.core.home import CHECKPOINT, read_result, run_folders
from sbirctl.core.progress import SILENT, Reporter
from sbirctl.pipeline.evaluate import SCORES
from sbirctl.sharing import hub
from sbirctl.sharing.package import LIST, PUBLISHED_SCORES, README, Package, files_of, package_of
from sbirctl.sharing.packed import ENDING
from sbirctl.sharing.packed import pack as write_file
from sbirctl.sharing.packed import unpack as read_file
from sbirctl.sharing.received import read_origin
from sbirctl.training.checkpoint import Checkpoint, read_checkpoint
from sbirctl.training.find import find_run, receive

_SHOWN = 2
_FIGURES = {
    "metrics": Each(Maybe(float)),
    "chance": Each(Maybe(float)),
    "definitions": Each(str),
    "definition": {"name": str},
    "provenance": dict,
    "queries": NATURAL,
    "gallery": Maybe(NATURAL),
}


@dataclass(frozen=True)
class _Sent:
    """A run and what is sent of it.

    Attributes:
        places: files by the names they get. texts: small ones, the list first.
    """

    run: str
    package: Package
    places: dict[str, Path]
    texts: dict[str, bytes]


def pack(
    run: str,
    output: Path | None = None,
    *,
    licence: str = "",
    onnx: bool = True,
    report: Reporter = SILENT,
) -> tuple[Path, Package]:
    """Write a finished run as one file; gives the file and what it holds.

    Args:
        run: as `training.find_run.find_run` reads it, or its folder.
        output: the file, None for one of the run's name in the current folder.
        licence: of the weights, for the page.
        onnx: with the exported model, which is made where it is not there.

    Raises:
        MissingError: there is no such run, or it is not finished.
        CorruptError: it is damaged.
        UsageError: `output` has another ending.
    """
    folder = _folder(run, report)
    target = (output or Path(f"{folder.name}{ENDING}")).expanduser()
    if not target.name.endswith(ENDING):
        raise UsageError(f"{display_path(target)} does not end with {ENDING}.", "Add it.")
    sent = _sent(folder, target.name, licence, onnx, report)
    write_file(target, sent.texts, sent.places)
    return target, sent.package


def unpack(path: Path, report: Reporter = SILENT) -> Path:
    """The folder, in this home, of the run in a file that `pack` wrote.

    Raises:
        MissingError, CorruptError, SbirctlError: see `sharing.packed.unpack`.
    """
    return receive(lambda: read_file(path, report), display_path(path.name))


def push(
    run: str,
    repository: str,
    *,
    licence: str = "",
    public: bool = False,
    onnx: bool = True,
    report: Reporter = SILENT,
) -> tuple[str, Package]:
    """Put a finished run on the hub; gives its address with the commit, and what was sent.

    Args:
        run, licence, onnx: as `pack`.
        repository: OWNER/NAME, or its address.
        public: a new repository is open to everybody, else private; one that is public already
            is written to only so.

    Raises:
        UsageError: no address of a repository, or one that holds something else.
        As `pack`, and as `sharing.hub.asking`.
    """
    from sbirctl.sharing.upload import upload

    scheme = "" if repository.startswith(hub.SCHEME) else "hf://"
    address = hub.parse(f"{scheme}{repository}")
    if address is None or address.revision != hub.Address(address.repo).revision:
        raise UsageError(f"{repository} names a revision.", "Name the repository: OWNER/NAME.")
    sent = _sent(_folder(run, report), str(address), licence, onnx, report)
    report.note(f"sending {len(sent.places)} files to {address}")
    commit = upload(address, sent.texts, sent.places, run=sent.run, public=public, report=report)
    return str(hub.Address(address.repo, commit)), sent.package


def pull(address: str, report: Reporter = SILENT) -> Path:
    """The folder, in this home, of the run at an address, as it is on the hub now.

    Raises:
        UsageError: it is no address.
        MissingError, CorruptError, SbirctlError: see `sharing.hub.pull`.
    """
    found = hub.parse(address)
    if found is None:
        raise UsageError(f"{address!r} is no address.", "Type hf://OWNER/NAME[@REVISION].")
    return receive(lambda: hub.pull(found, report), str(found))


def _folder(run: str, report: Reporter) -> Path:
    path = Path(run).expanduser()
    folder = path if (path / "config.toml").is_file() else find_run(run, report)
    if folder is None:
        known = [one.name for one in run_folders()]
        raise MissingError(f"There is no run {run!r}.", nearest(run, known))
    read_result(folder)
    return folder


def _sent(folder: Path, place: str, licence: str, onnx: bool, report: Reporter) -> _Sent:
    from sbirctl.models import load_card
    from sbirctl.report.hub_card import Given, hub_card

    if not licence.isprintable():
        raise UsageError(f"{licence[:40]!r} is no licence.", "Type its name, as cc-by-nc-4.0.")
    header = read_checkpoint(folder / CHECKPOINT, tensors=False)
    origin = read_origin(folder)
    run = header.provenance.run or folder.name
    export, why = _exported(folder, onnx, report)
    scores, at = _scores(folder, header, report)
    places = files_of(folder, at, export)
    package = package_of(places, run)
    _warn_of_places(folder, header, report)
    page = hub_card(
        Given(
            run,
            load_card(header.model),
            header.provenance,
            scores,
            tuple((name, one.bytes, one.sha256) for name, one in package.files.items()),
            place,
            licence,
            export is not None,
            why,
            str(origin) if origin else "",
        )
    )
    listed = json.dumps(package.to_json(), ensure_ascii=False, indent=1) + "\n"
    return _Sent(run, package, places, {LIST: listed.encode(), README: page.encode()})


def _exported(folder: Path, onnx: bool, report: Reporter) -> tuple[Path | None, str]:
    """The exported model beside a run, made where it is not there; else None, and why."""
    if not onnx:
        return None, "it was left out."
    from sbirctl.inference.export import ExportError
    from sbirctl.pipeline.export import export_checkpoint

    try:
        return export_checkpoint(folder / CHECKPOINT, report=report), ""
    except ExportError as error:
        report.warn(f"{error} It goes without ONNX files.")
        return None, str(error)


def _scores(
    folder: Path, header: Checkpoint, report: Reporter
) -> tuple[dict[str, Any] | None, Path | None]:
    """The run's figures and their file: its own, else those it came with."""
    for name in (SCORES, PUBLISHED_SCORES):
        path = folder / name
        if not path.is_file():
            continue
        scores = read_json(path)
        if isinstance(scores, dict) and scores.get("checkpoint") == header.digest:
            check_form(scores, _FIGURES, path, f"Type `sbirctl evaluate {folder.name}` first.")
            return scores, path
        report.warn(f"{display_path(path)} is of other weights and is left out.")
    report.warn(
        f"No figures go with it: `sbirctl evaluate {folder.name}` measures them, for another time."
    )
    return None, None


def _warn_of_places(folder: Path, header: Checkpoint, report: Reporter) -> None:
    """Warn of folders of this machine that the run's record names."""
    try:
        config = tomllib.loads((folder / "config.toml").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SbirctlError(f"{display_path(folder / 'config.toml')} cannot be read.") from error
    record = vars(header.data) if header.data else {}
    values = [config, header.settings, header.provenance.to_json(), record]
    found = sorted({text for text in _texts(values) if Path(text).is_absolute()})
    if found:
        report.warn(f"The run's record names places of this machine: {few(found, _SHOWN)}.")


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from _texts(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _texts(one)
