"""What people say of their sketches, beside a store: `captions.json`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from sbirctl.core.errors import CorruptError
from sbirctl.core.files import read_json, write_json
from sbirctl.core.forms import Each, check_form

CAPTIONS = "captions.json"
_SCHEMA = 1
_FORM = {"schema": int, "captions": Each(str)}


def write_captions(folder: Path, captions: Mapping[str, str]) -> None:
    """Keep captions by the sketch's id; without any, an older file is removed."""
    if captions:
        write_json(
            folder / CAPTIONS, {"schema": _SCHEMA, "captions": dict(sorted(captions.items()))}
        )
    else:
        (folder / CAPTIONS).unlink(missing_ok=True)


def read_captions(folder: Path) -> dict[str, str]:
    """Captions by the sketch's id, {} where the data set has none.

    Raises:
        CorruptError: the file is damaged, or of another schema.
    """
    path = folder / CAPTIONS
    if not path.is_file():
        return {}
    found = read_json(path)
    hint = "Prepare the data set again."
    check_form(found, _FORM, path, hint)
    if found["schema"] != _SCHEMA:
        raise CorruptError(f"{path.name} has schema {found['schema']}, not {_SCHEMA}.", hint)
    captions: dict[str, str] = found["captions"]
    return captions
