"""Damage of bytes, of lines and of trees of plain values, drawn from a seeded generator."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from copy import deepcopy
from random import Random
from typing import Any

DEEP = "@deep@"  # takes the place of brackets that no writer of JSON would nest so far
_NUMBERS = (0, 1, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 2**31 - 1, 2**31, 2**32 - 1, 2**63 - 1, 2**64 - 1)
VALUES: tuple[Any, ...] = (
    None, True, False, "", "5", "\0", "\ud800", "../../etc/passwd", "/", "a" * 100_000, [], {},
    [[]], [None], {"": None}, -1, 0, 1.5, -(2**63), 2**63, 10**40, float("nan"), float("inf"), DEEP,
)  # fmt: skip
_ENCODINGS = ("utf-16", "utf-16-le", "utf-8-sig", "latin-1", "utf-32")


_LINES = (
    b"", b" ", b"#", b"\t\t\t", b"\xff\xfe\x00", b"../../etc/passwd 1", b"/ 0", b"a" * 100_000,
    b"[" * 100_000, b"{" * 5000, b"-1", b"1e999", b"9" * 5000, b"\xe2\x80\xae txt", b"\0" * 20,
    b"a\\b\\c.png 1", b'{"word": 5, "key_id": null, "drawing": [[[1],[2]]]}',
)  # fmt: skip


def damage_bytes(rng: Random, data: bytes) -> bytes:
    """One to four random changes; the first bytes, where headers stand, are hit more often."""
    for _ in range(rng.choice((1, 1, 2, 4))):
        data = rng.choice(_BYTES)(rng, data)
    return data


def damage_lines(rng: Random, data: bytes) -> bytes:
    """Lines doubled, dropped, exchanged, replaced, or the text in another encoding."""
    lines = data.split(b"\n")
    place = rng.randrange(len(lines))
    how = rng.randrange(7)
    if how == 0:
        lines.insert(place, lines[rng.randrange(len(lines))])
    elif how == 1:
        del lines[place]
    elif how == 2:
        rng.shuffle(lines)
    elif how == 3:
        lines[place] = rng.choice(_LINES)
    elif how == 4:
        lines[place] = damage_bytes(rng, lines[place])
    elif how == 5:
        return data.decode("utf-8", "replace").encode(rng.choice(_ENCODINGS), "replace")
    else:
        return rng.choice((b"\r\n", b"\r\r\n", b"\r", b"\0\n", b"\n\n\n")).join(lines)
    return b"\n".join(lines)


def damage_tree(rng: Random, value: Any) -> Any:
    """A copy of plain values with one to three keys or elements dropped, moved, added or replaced.

    What is nested too deeply for Python is a text `DEEP`, which `to_json` writes out.
    """
    value = deepcopy(value)
    for _ in range(rng.choice((1, 1, 2, 3))):
        places = list(_places(value))
        if not places:
            return rng.choice(VALUES)
        holder, key = rng.choice(places)
        how = rng.randrange(6)
        if how == 0:
            del holder[key]
        elif how == 1 and isinstance(holder, dict):
            holder[rng.choice(("", "x", "schema", "../x"))] = holder.pop(key)
        elif how == 2 and isinstance(holder, list):
            rng.shuffle(holder)
        elif how == 3 and isinstance(holder, list):
            holder.append(holder[rng.randrange(len(holder))])
        else:
            holder[key] = deepcopy(rng.choice(VALUES))
    return value


def damage_json(rng: Random, data: bytes) -> bytes:
    """JSON with a damaged tree, a doubled key, or damaged bytes."""
    how = rng.random()
    if how < 0.25:
        return damage_bytes(rng, data)
    if how < 0.4:
        text = data.decode()
        keys = list(re.finditer(r'"(?:[^"\\]|\\.)*"\s*:', text))
        if keys:
            key = rng.choice(keys)
            twice = f"{key[0]} {to_json(rng.choice(VALUES)).decode()}, "
            return (text[: key.start()] + twice + text[key.start() :]).encode()
    return to_json(damage_tree(rng, json.loads(data)))


def to_json(value: Any) -> bytes:
    """A tree of plain values as JSON, with NaN and the like, as some programs write it."""
    nested = "[" * 100_000 + "]" * 100_000
    return json.dumps(value).replace(f'"{DEEP}"', nested).encode()


def _places(value: Any) -> Any:
    """(holder, key) of everything in a tree."""
    pending = [value]
    while pending:
        holder = pending.pop()
        keys = list(holder) if isinstance(holder, dict) else range(len(holder))
        for key in keys:
            yield holder, key
            if isinstance(holder[key], dict | list):
                pending.append(holder[key])


def _random_position(rng: Random, data: bytes) -> int:
    end = len(data) if rng.random() < 0.5 else min(len(data), 64)
    return rng.randrange(end) if end else 0


def _flip(rng: Random, data: bytes) -> bytes:
    changed = bytearray(data or b"\0")
    changed[_random_position(rng, changed)] ^= 1 << rng.randrange(8)
    return bytes(changed)


def _set(rng: Random, data: bytes) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.choice((1, 3, 30))):
        if changed:
            changed[_random_position(rng, changed)] = rng.randrange(256)
    return bytes(changed)


def _number(rng: Random, data: bytes) -> bytes:
    width = rng.choice((1, 2, 4, 8))
    number = rng.choice(_NUMBERS) % 256**width
    place = _random_position(rng, data)
    return (
        data[:place] + number.to_bytes(width, rng.choice(("little", "big"))) + data[place + width :]
    )


def _cut(rng: Random, data: bytes) -> bytes:
    return data[: rng.randrange(len(data) + 1)]


def _drop(rng: Random, data: bytes) -> bytes:
    place = _random_position(rng, data)
    return data[:place] + data[place + rng.choice((1, 4, 16, 200)) :]


def _double(rng: Random, data: bytes) -> bytes:
    place, count = _random_position(rng, data), rng.choice((1, 4, 16, 200))
    return data[: place + count] + data[place : place + count] * 2 + data[place + count :]


def _swap(rng: Random, data: bytes) -> bytes:
    one, other, count = (
        _random_position(rng, data),
        _random_position(rng, data),
        rng.choice((4, 16, 64)),
    )
    if abs(one - other) < count:
        return _flip(rng, data)
    one, other = sorted((one, other))
    return (
        data[:one]
        + data[other : other + count]
        + data[one + count : other]
        + data[one : one + count]
        + data[other + count :]
    )


def _insert(rng: Random, data: bytes) -> bytes:
    place = _random_position(rng, data)
    return data[:place] + rng.randbytes(rng.choice((1, 8, 300))) + data[place:]


def _zeros(rng: Random, data: bytes) -> bytes:
    place, count = _random_position(rng, data), rng.choice((4, 64, 1000))
    return data[:place] + bytes(min(count, len(data) - place)) + data[place + count :]


_BYTES: tuple[Callable[[Random, bytes], bytes], ...] = (
    _flip, _flip, _set, _set, _number, _number, _number, _cut, _drop, _double, _swap, _insert,
    _zeros,
)  # fmt: skip
