"""Settings: a frozen dataclass says what there is; files, environment and flags say what holds.

Settings are nested (`backbone.name`). A nested group whose first field is `name` may be given by
its name alone: `backbone=resnet50` means `backbone.name=resnet50`. A field of type `dict` takes
any key (`backbone.extra.x`); a group with a dict field called `extra` sends keys it does not know
there, so `backbone.pad_type=same` reaches the backbone's own constructor.

Precedence, rising: defaults, preset, `--config` file, environment, `--set`, flags.
"""

from __future__ import annotations

import dataclasses
import difflib
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, TypeVar, cast, get_args, get_origin, get_type_hints

from sbirctl.core.conversion import convert, guess
from sbirctl.core.errors import MissingError, UsageError, few, nearest
from sbirctl.core.files import display_path
from sbirctl.core.progress import SILENT, Reporter
from sbirctl.core.text import parse_toml, read_text

S = TypeVar("S")
ENVIRONMENT_PREFIX = "SBIRCTL_SET_"
RUN_TABLE = "run"  # of a run's config.toml: what the run is besides its settings
_DEEPEST = 20  # dots in a key


# What a file, the environment, `--set` or a record holds, nested.
Plain = str | int | float | bool | None | Sequence["Plain"] | Mapping[str, "Plain"]
Layer = dict[str, Plain]
Kind = Literal["network", "loss", "input", "recipe", "machine"]
METHOD: tuple[Kind, ...] = ("network", "loss", "input")
"""Kinds of settings that the figures of a paper depend on; the others say how it is trained."""


@dataclass(frozen=True)
class Described:
    """A setting in words.

    Attributes:
        key: as a person types it, dotted inside a group.
        default: as a person types it, "" for none.
        help: one line.
        kind: see `setting`.
        choices: of a Literal or bool; () where any value may be.
    """

    key: str
    default: str
    help: str
    kind: Kind
    choices: tuple[str, ...]


def setting(
    default: Any = dataclasses.MISSING,
    *,
    key: str = "",
    help: str = "",
    kind: Kind | None = None,
    aliases: tuple[str, ...] = (),
    least: float | None = None,
    above: float | None = None,
    **more: Any,
) -> Any:
    """A dataclass field with what a settings table needs to know.

    Args:
        default: default value; for mutable ones pass `default_factory=`.
        key: the name a person types where it is no Python name (`lambda`).
        help: one line for `sbirctl models show`.
        kind: "network", "loss" or "input" for what the figures of a paper depend on,
            "recipe" for how it is trained (learning rates, epochs), "machine" for what only the
            machine at hand asks for.
        aliases: names it had in earlier versions; they are understood wherever the key is.
        least: smallest number it may be (each of several), 0 where nothing is said.
        above: number that it (each of several) is larger than, in place of `least`.

    A subclass that gives a field another default inherits what it leaves out here; without any
    declaration the kind is "network".
    """
    about = {"key": key, "help": help, "kind": kind, "aliases": aliases}
    limits = {"least": least, "above": above}
    return dataclasses.field(default=default, metadata=about | limits, **more)


def parse_assignments(texts: Iterable[str]) -> Layer:
    """`["a.b=1", "c=x"]` as a nested dict of strings: {"a": {"b": "1"}, "c": "x"}.

    Raises:
        UsageError: an entry without `=`, one key with two values, or a key in too many parts.
    """
    result: Layer = {}
    given: dict[str, str] = {}
    for text in texts:
        key, sign, value = text.partition("=")
        if not sign or not key.strip():
            raise UsageError(f"{text!r} is not a setting.", "Write it as key=value.")
        key, value = key.strip(), value.strip()
        if given.setdefault(key, value) != value:
            raise UsageError(f"{key} is set to {given[key]} and to {value}.", "Set it once.")
        if key.count(".") > _DEEPEST:
            raise UsageError(f"{key[:40]}… is no setting.", "Write it as key=value.")
        put(result, key.split("."), value)
    return result


def environment_layer(environ: Mapping[str, str] | None = None) -> Layer:
    """Settings from variables: SBIRCTL_SET_BACKBONE__NAME=x is backbone.name=x."""
    result: Layer = {}
    for name, value in sorted((environ if environ is not None else os.environ).items()):
        if name.startswith(ENVIRONMENT_PREFIX):
            key = name.removeprefix(ENVIRONMENT_PREFIX).lower()
            put(result, key.split("__"), value)
    return result


def file_layer(path: Path) -> Layer:
    """Settings from a TOML file.

    Raises:
        MissingError: there is no such file.
        UsageError: it is not TOML.
        CorruptError: it is no UTF-8 text.
    """
    try:
        text = read_text(path)
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as error:
        raise MissingError(
            f"There is no settings file {display_path(path)}.",
            "Give a TOML file, as a run's config.toml.",
        ) from error
    return parse_toml(text, display_path(path))


def read_layers(
    config: Path | None, assignments: Iterable[str], flags: Mapping[str, Any] | None = None
) -> list[Layer]:
    """What a person gave, of rising precedence: a file, the environment, `--set`, flags.

    Args:
        config: a TOML file, or None. The table `run` of a run's own config.toml is no setting.
        assignments: `key=value`.
        flags: settings that have a flag of their own.

    Raises:
        MissingError, UsageError: see `file_layer` and `parse_assignments`.
    """
    file = {} if config is None else file_layer(config)
    file.pop(RUN_TABLE, None)
    return [file, environment_layer(), parse_assignments(assignments), dict(flags or {})]


def resolve(schema: type[S], *layers: Mapping[str, Any], report: Reporter = SILENT) -> S:
    """The settings that hold after all layers, later ones winning.

    Args:
        schema: a frozen dataclass.
        layers: nested values, of rising precedence.
        report: is told of settings that have another name now.

    Raises:
        UsageError: an unknown key (the nearest is named) or a value that does not fit its type.
    """
    merged: Layer = {}
    for layer in layers:
        _merge(merged, _normalise(schema, layer, "", report))
    return _build(schema, merged, "")


def keys(schema: type, *, former: bool = False) -> tuple[str, ...]:
    """Names of the settings of a dataclass as a person types them; of groups only the group's.

    Args:
        schema: the dataclass.
        former: add the names that settings had earlier.
    """
    own = tuple(_key(field) for field in dataclasses.fields(schema))
    return (*own, *_former(schema)) if former else own


def kinds(schema: type) -> dict[str, Kind]:
    """{key: kind} of every setting, nested ones with dotted keys; see `setting`."""
    return {one.key: one.kind for one in describe(schema)}


def to_dict(settings: Any) -> Layer:
    """Settings as a nested dict of plain values under the keys a person types; None is left out."""
    result: Layer = {}
    for field in dataclasses.fields(settings):
        value = getattr(settings, field.name)
        if value is not None:
            result[_key(field)] = _plain(value)
    return result


def describe(schema: type) -> list[Described]:
    """Every setting, nested ones with dotted keys."""
    rows: list[Described] = []
    hints = get_type_hints(schema)
    for field in dataclasses.fields(schema):
        key, hint = _key(field), hints[field.name]
        default = _default(field)
        if dataclasses.is_dataclass(hint) and isinstance(hint, type):
            for inner in describe(hint):
                name = inner.key.replace("lambda", "lambda_")
                own = getattr(default, name, None) if default else None
                shown = inner.default if own is None else _show(own)
                rows.append(replace(inner, key=f"{key}.{inner.key}", default=shown))
        else:
            text = _declared(schema, field, "help") or ""
            kind: Kind = _declared(schema, field, "kind") or "network"
            rows.append(Described(key, _show(default), text, kind, _choices(hint)))
    return rows


def _choices(hint: object) -> tuple[str, ...]:
    if hint is bool:
        return ("true", "false")
    inner = get_args(hint)
    if get_origin(hint) is Literal:
        return tuple(map(str, inner))
    alternatives = [_choices(one) for one in inner if one is not Ellipsis]
    return tuple(choice for found in alternatives for choice in found)


def _key(field: dataclasses.Field[Any]) -> str:
    return str(field.metadata.get("key") or field.name)


def _declared(schema: type[Any], field: dataclasses.Field[Any], what: str) -> Any:
    """What a field, or the field of that name in the nearest base class, says of itself."""
    for owner in schema.__mro__:
        own = vars(owner).get("__dataclass_fields__", {}).get(field.name)
        said = None if own is None else own.metadata.get(what)
        if said not in (None, "", ()):
            return said
    return None


def _former(schema: type) -> dict[str, str]:
    """{earlier name: today's key}."""
    return {
        old: _key(field)
        for field in dataclasses.fields(schema)
        for old in _declared(schema, field, "aliases") or ()
    }


def _default(field: dataclasses.Field[Any]) -> Any:
    if field.default is not dataclasses.MISSING:
        return field.default
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return None


def _show(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple | list):
        return ",".join(map(str, value))
    return "" if value is None or value == {} else str(value)


def _plain(value: object) -> Plain:
    if dataclasses.is_dataclass(value):
        return to_dict(value)
    if isinstance(value, tuple | list):
        return [_plain(v) for v in value]
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    return cast(Plain, value)


def put(tree: Layer, path: list[str], value: Plain) -> None:
    """Set a value in a nested dict, whose groups are made on the way.

    Args:
        tree: is changed.
        path: the key, a part a level.
        value: of a group that is there, its name.
    """
    for part in path[:-1]:
        inner = tree.get(part, {})
        if not isinstance(inner, dict):
            inner = {"name": inner}
        tree[part] = inner
        tree = inner
    held = tree.get(path[-1])
    if isinstance(held, dict) and not isinstance(value, dict):
        held["name"] = value
    else:
        tree[path[-1]] = value


def _merge(base: Layer, top: Mapping[str, Any]) -> None:
    for key, value in top.items():
        held = base.get(key)
        if isinstance(value, Mapping) and isinstance(held, dict):
            _merge(held, value)
        else:
            base[key] = dict(value) if isinstance(value, Mapping) else value


def _normalise(schema: type, layer: Mapping[str, Any], prefix: str, report: Reporter) -> Layer:
    """Check keys and expand the `group=name` shorthand; values stay as they are."""
    hints = get_type_hints(schema)
    fields = {_key(f): f for f in dataclasses.fields(schema)}
    former = _former(schema)
    result: Layer = {}
    for key, value in layer.items():
        if key not in fields and key in former:
            report.note(f"the setting {prefix + key} is called {prefix + former[key]} now")
            key = former[key]
            if key in layer:
                raise UsageError(
                    f"{prefix + key!r} is set twice, once by its earlier name.", "Set it once."
                )
        if key not in fields:
            if "extra" in fields:
                _merge(result, {"extra": {key: guess(value)}})
                continue
            raise UsageError(f"There is no setting {prefix + key!r}.", _meant(schema, key))
        kind = hints[fields[key].name]
        if dataclasses.is_dataclass(kind) and isinstance(kind, type):
            inner = value if isinstance(value, Mapping) else {"name": value}
            if not isinstance(value, Mapping) and "name" not in {
                _key(f) for f in dataclasses.fields(kind)
            }:
                raise UsageError(
                    f"{prefix + key!r} is a group of settings.", f"Set {prefix}{key}.<key>."
                )
            value = _normalise(kind, inner, f"{prefix}{key}.", report)
        elif isinstance(value, Mapping):
            if get_origin(kind) is not dict and kind is not dict:
                raise UsageError(
                    f"{prefix + key!r} is one value, not a group.", f"Set {prefix + key}=VALUE."
                )
            value = {k: guess(v) for k, v in value.items()}
        elif get_origin(kind) is dict or kind is dict:
            raise UsageError(f"{prefix + key!r} is a group.", f"Set {prefix}{key}.<key>=value.")
        _merge(result, {key: value})
    return result


def _meant(schema: type, key: str) -> str:
    """A hint for a key that is none: a near one, one whose help has its words, or all."""
    if not difflib.get_close_matches(key, keys(schema), 1, 0.7) and len(key) > 3:
        words = rf"\b{re.escape(key.replace('_', ' '))}"
        said = [one.key for one in describe(schema) if re.search(words, one.help.lower())]
        if said:
            return f"Did you mean {few(said, 3)}?"
    return nearest(key, keys(schema))


def _check_limits(value: object, least: float, above: float | None, key: str) -> None:
    for number in value if isinstance(value, tuple) else (value,):
        if not isinstance(number, int | float):
            continue
        if not (number >= least if above is None else number > above):  # NaN too
            said = f"{least:g} or more" if above is None else f"above {above:g}"
            raise UsageError(f"{key}={number} cannot be.", f"It is {said}.")


def _build(schema: type[S], values: Mapping[str, Any], prefix: str) -> S:
    hints = get_type_hints(schema)
    made: dict[str, Any] = {}
    for field in dataclasses.fields(schema):  # type: ignore[arg-type]
        key = _key(field)
        if key not in values:
            continue
        kind = hints[field.name]
        if dataclasses.is_dataclass(kind) and isinstance(kind, type):
            default = _default(field)
            inner = to_dict(default) if default is not None else {}
            given = values[key]
            if "name" in given and inner.get("name") not in (None, given["name"]):
                inner.pop("extra", None)  # another backbone does not inherit this one's arguments
            _merge(inner, given)
            made[field.name] = _build(kind, inner, f"{prefix}{key}.")
        else:
            value = made[field.name] = convert(values[key], kind, prefix + key)
            least, above = (_declared(schema, field, limit) for limit in ("least", "above"))
            _check_limits(value, least or 0, above, prefix + key)
    try:
        return schema(**made)
    except (TypeError, ValueError) as error:
        raise UsageError(
            f"These settings do not hold: {error}.", "Change them with --set KEY=VALUE."
        ) from error
