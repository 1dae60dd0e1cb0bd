"""Values of settings as files, flags and variables give them, to the types that are declared."""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping
from typing import Any, TypeVar, get_args, get_origin

from sbirctl.core.errors import UsageError, nearest

T = TypeVar("T")


def guess(value: T) -> T | int | float | bool:
    """A typed value for a key nobody declared: number, truth value or text."""
    if not isinstance(value, str):
        return value
    if value.lower() in ("true", "false"):
        return value.lower() == "true"
    for kind in (int, float):
        try:
            return kind(value)
        except ValueError:
            pass
    return value


def convert(value: Any, kind: Any, key: str) -> Any:
    """A value as its declared type.

    Args:
        value: as a file, flag or variable gives it.
        kind: the type hint.
        key: the setting, for messages.

    Raises:
        UsageError: it does not fit.
    """
    origin, inner = get_origin(kind), get_args(kind)
    if origin in (typing.Union, types.UnionType):
        return _convert_union(value, inner, key)
    if origin is typing.Literal:
        for choice in inner:
            if value == choice or str(value) == str(choice):
                return choice
        raise UsageError(f"{key}={value} is no choice.", nearest(str(value), map(str, inner)))
    if origin is tuple:
        parts = value.split(",") if isinstance(value, str) else value
        if not isinstance(parts, list | tuple):
            parts = [parts]
        parts = [p for p in parts if p != ""]
        return tuple(convert(p.strip() if isinstance(p, str) else p, inner[0], key) for p in parts)
    if origin is dict or kind is dict:
        return dict(value)
    if kind is typing.Any:
        return guess(value)
    return _convert_scalar(value, kind, key)


def _convert_union(value: object, inner: tuple[object, ...], key: str) -> Any:
    if type(None) in inner and (
        value is None or (isinstance(value, str) and value in ("none", ""))
    ):
        return None
    problem: UsageError | None = None
    for choice in inner:
        if choice is type(None):
            continue
        try:
            return convert(value, choice, key)
        except UsageError as error:
            problem = error
    assert problem is not None
    raise problem


def _convert_scalar(value: Any, kind: type, key: str) -> Any:
    if kind is bool:
        text = str(value).lower()
        if text in ("true", "yes", "on", "1"):
            return True
        if text in ("false", "no", "off", "0"):
            return False
    elif kind is str and not isinstance(value, Mapping):
        return str(value)
    elif kind in (int, float) and not isinstance(value, bool):
        try:
            number = kind(value)
        except (TypeError, ValueError, OverflowError):
            number = None
        if number is not None and not (
            kind is int and isinstance(value, float) and value != number
        ):
            return number
    name = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}
    example = {bool: "true", int: "10", float: "0.5"}.get(kind, "text")
    raise UsageError(
        f"{key}={value} is not {name.get(kind, kind.__name__)}.", f"Write it like {key}={example}."
    )
