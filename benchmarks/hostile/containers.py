"""Damage inside containers, so that what they hold is reached: HDF5, NPZ, SQLite, archives, …"""

from __future__ import annotations

import io
import json
import pickle
import sqlite3
import struct
import tarfile
import zipfile
from collections.abc import Mapping
from contextlib import closing, suppress
from pathlib import Path
from random import Random
from typing import Any

import h5py
import numpy as np

from .mutations import DEEP, VALUES, damage_bytes, damage_json, damage_tree

_NAMES = (
    "../../out.png", "/tmp/out.png", "a" * 300 + ".png", "photo/cat/\udce9.png", "photo//cat/0.png",
    "sketch/cat/0.png", "photo/cat/0.png", "C:\\x.png", "photo/#1/a,b.png", "photo/cat/\n.png", "",
)  # fmt: skip


def damage_hdf5(rng: Random, data: bytes) -> bytes:
    """Data sets and attributes dropped, renamed, linked elsewhere, of other types and shapes."""
    if rng.random() < 0.3:
        return damage_bytes(rng, data)
    stream = io.BytesIO(data)
    with h5py.File(stream, "r+") as file:
        for _ in range(rng.choice((1, 1, 2))):
            if file.attrs and rng.random() < 0.4:
                _damage_attribute(rng, file)
            elif len(file):
                _damage_data_set(rng, file)
    return stream.getvalue()


def _damage_attribute(rng: Random, file: h5py.File) -> None:
    name = rng.choice(sorted(file.attrs))
    value = file.attrs.pop(name)
    how = rng.randrange(5)
    with suppress(TypeError, ValueError, OverflowError, RuntimeError, OSError):
        if how == 0 and isinstance(value, str) and value[:1] in "{[":
            file.attrs[name] = damage_json(rng, value.encode())[:60_000].decode("utf-8", "replace")
        elif how == 1:
            file.attrs[name] = rng.choice(VALUES)
        elif how == 2:
            file.attrs[name] = np.arange(5)
        elif how == 3:
            file.attrs[name] = h5py.Empty("f4")
        # else: it is gone


def _damage_data_set(rng: Random, file: h5py.File) -> None:
    name = rng.choice(sorted(file))
    before = file[name]
    array = before[()] if isinstance(before, h5py.Dataset) else np.zeros(3)
    del file[name]
    how = rng.randrange(8)
    with suppress(TypeError, ValueError, OverflowError, RuntimeError, OSError):
        if how == 0:
            file[name] = h5py.SoftLink("/elsewhere")
        elif how == 1:
            file[name] = h5py.ExternalLink("other.h5", "/x")
        elif how == 2:
            file.create_group(name)
        elif how == 3:
            file.create_dataset(name, (2**40,), "f4", chunks=(1024,))
        elif how == 4:
            file.create_dataset(name, data="text")
        elif how < 7:
            file[name] = hostile_array(rng, array)


def hostile_array(rng: Random, array: np.ndarray) -> np.ndarray:
    """An array like another, of another type, shape or with values nobody expects."""
    how = rng.randrange(12)
    numeric = array.dtype.kind in "fiu"
    if how == 0:
        return array[: len(array) // 2] if array.ndim else array
    if how == 1:
        return array[..., None]
    if how == 2:
        return array.ravel()
    if how == 3:
        return array[:0] if array.ndim else array
    if how == 4 and numeric:
        return array.astype(rng.choice(("f2", "f8", "u8", "i1", "c16", "?", ">f4", ">i8")))
    if how == 5 and array.dtype.kind == "f" and array.size:
        changed = array.copy()
        changed.flat[rng.randrange(array.size)] = rng.choice((np.nan, np.inf, -np.inf, 1e38))
        return changed
    if how == 6 and array.dtype.kind in "iu" and array.size:
        changed = array.copy()
        changed.flat[rng.randrange(array.size)] = rng.choice((-1, 2**31 - 1, 0, 99))
        return changed
    if how == 7:
        return np.array([b"caf\xe9", b"", b"\0", b"x" * 50] * max(1, array.size // 4))
    if how == 8:
        return np.zeros(array.shape, [("x", "f4"), ("y", "i4")])
    if how == 9:
        return np.concatenate([array, array]) if array.ndim else array
    if how == 10:
        return array * 0 if numeric else array
    return np.full(array.shape, rng.choice((np.nan, np.inf)))


def damage_npz(rng: Random, data: bytes) -> bytes:
    """Arrays dropped, of other types and shapes, named twice, or with headers that lie."""
    if rng.random() < 0.3:
        return damage_bytes(rng, data)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    name = rng.choice(sorted(members))
    array = np.load(io.BytesIO(members[name]), allow_pickle=False)
    how, made = rng.randrange(6), io.BytesIO()
    if how == 0:
        del members[name]
    elif how == 1:
        huge = b"(9999999, 9999999)" if rng.random() < 0.5 else b"(-1,)"
        header = b"{'descr': '<f4', 'fortran_order': False, 'shape': " + huge + b", }"
        header = header.ljust(117) + b"\n"
        members[name] = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + bytes(64)
    elif how == 2:
        np.save(made, np.array([{1: 2}, object], dtype=object), allow_pickle=True)
        members[name] = made.getvalue()
    elif how == 3:
        members[name] = damage_bytes(rng, members[name])
    else:
        np.save(made, hostile_array(rng, array))
        members[name] = made.getvalue()
    twice = [(name, members[name])] if how == 5 and name in members else []
    return zipped([*members.items(), *twice], rng.choice((0, 8)))


def damage_zip_members(rng: Random, data: bytes) -> bytes:
    """A zip archive whose members are damaged but have right checksums, renamed or dropped."""
    if rng.random() < 0.4:
        return damage_bytes(rng, data)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = [(name, archive.read(name)) for name in archive.namelist()]
    return zipped(_damage_members(rng, members), rng.choice((0, 8, 12, 14)))


def damage_tar(rng: Random, data: bytes) -> bytes:
    """A tar archive with members of other kinds, names and sizes."""
    if rng.random() < 0.4:
        return damage_bytes(rng, data)
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        streams = [(m.name, archive.extractfile(m)) for m in archive]
        members = [(name, stream.read()) for name, stream in streams if stream is not None]
    out = io.BytesIO()
    others = (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, b"S")
    with tarfile.open(fileobj=out, mode=rng.choice(("w", "w:gz", "w:xz", "w:bz2"))) as archive:
        for name, content in _damage_members(rng, members):
            member = tarfile.TarInfo(name)
            member.size = len(content) if rng.random() < 0.95 else rng.choice((0, 2**33, 1))
            if rng.random() < 0.1:  # without a size, else what follows would be no header
                member.type, member.linkname, member.size = rng.choice(others), "/etc/passwd", 0
            with suppress(OSError, ValueError, UnicodeError):  # what cannot be written
                archive.addfile(member, io.BytesIO(content.ljust(min(member.size, 1 << 16))))
    return out.getvalue()


def _damage_members(rng: Random, members: list[tuple[str, bytes]]) -> list[tuple[str, bytes]]:
    for _ in range(rng.choice((1, 2, 5))):
        place = rng.randrange(len(members))
        name, content = members[place]
        how = rng.randrange(5)
        if how == 0:
            members[place] = (rng.choice(_NAMES), content)
        elif how == 1:
            members[place] = (name, damage_bytes(rng, content))
        elif how == 2:
            members.append((name, content))
        elif how == 3:
            members.append((rng.choice(_NAMES), b""))
        elif len(members) > 1:
            del members[place]
    return members


def zipped(members: list[tuple[str, bytes]], method: int = 0) -> bytes:
    """A zip archive; names may repeat."""
    import warnings

    out = io.BytesIO()
    with warnings.catch_warnings(action="ignore"), zipfile.ZipFile(out, "w", method) as archive:
        for name, content in members:
            with suppress(ValueError, UnicodeError):  # no name for a zip
                archive.writestr(zipfile.ZipInfo(name), content, method)
    return out.getvalue()


def damage_torch(rng: Random, data: bytes) -> bytes:
    """A file of `torch.save`: its pickle or its numbers, with right checksums."""
    if rng.random() < 0.4:
        return damage_bytes(rng, data)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    chosen = [name for name in members if name.endswith("data.pkl")]
    name = rng.choice(chosen if rng.random() < 0.7 else sorted(members))
    if rng.random() < 0.2:
        del members[name]
    else:
        members[name] = damage_bytes(rng, members[name])
    return zipped(list(members.items()))


def damage_pickle(rng: Random, data: bytes) -> bytes:
    """A pickle of other values, of other protocols, or with damaged bytes."""
    if rng.random() < 0.5:
        return damage_bytes(rng, data)
    value = pickle.loads(data)  # our own
    if isinstance(value, Mapping):
        value = dict(value)
        key = rng.choice(sorted(value))
        array = value[key]
        value[rng.choice((key, "", 5, "/x/y_1", None))] = rng.choice(
            (*VALUES, hostile_array(rng, array), array.tolist(), Random)
        )
    return pickle.dumps(value, protocol=rng.randrange(6))


def damage_safetensors(rng: Random, data: bytes) -> bytes:
    """Its header's tree, the metadata's tree within, or its bytes."""
    if rng.random() < 0.3:
        return damage_bytes(rng, data)
    length = int.from_bytes(data[:8], "little")
    header: dict[str, Any] = json.loads(data[8 : 8 + length])
    about = header.get("__metadata__", {}).get("sbirctl")
    if about and rng.random() < 0.6:
        changed = json.dumps(damage_tree(rng, json.loads(about)))
        header["__metadata__"]["sbirctl"] = changed.replace(f'"{DEEP}"', "[" * 50_000)
    else:
        header = damage_tree(rng, header)
    text = json.dumps(header).replace(f'"{DEEP}"', "[" * 50_000).encode()
    return len(text).to_bytes(8, "little") + text + data[8 + length :]


def damage_sqlite(rng: Random, path: Path) -> None:
    """Change a database in place by SQL: cells, rows, tables, triggers, links; or its bytes."""
    if rng.random() < 0.3:
        path.write_bytes(damage_bytes(rng, path.read_bytes()))
        return
    values = (
        None, "", "x", -1, 0, 2**63 - 1, 1.5, b"", b"x" * 32, "../../x", b"/etc/passwd",
        "[" * 50_000, float("inf"), "{}", "exact", "faiss:hnsw", '{"checkpoint": 5}',
    )  # fmt: skip
    with closing(sqlite3.connect(path)) as opened, suppress(sqlite3.Error):
        opened.execute("PRAGMA ignore_check_constraints=1")
        tables = [row[0] for row in opened.execute("SELECT name FROM sqlite_master WHERE sql > ''")]
        for _ in range(rng.choice((1, 1, 2))):
            table = rng.choice(tables)
            columns = [row[1] for row in opened.execute(f"PRAGMA table_info({table})")]
            how = rng.randrange(8)
            if how < 4 and columns:
                column = rng.choice(columns)
                old = opened.execute(f"SELECT {column} FROM {table} LIMIT 1").fetchone()
                value: Any = rng.choice(values)
                if old and isinstance(old[0], str) and old[0][:1] == "{" and rng.random() < 0.7:
                    value = damage_json(rng, old[0].encode()).decode("utf-8", "replace")
                opened.execute(f"UPDATE {table} SET {column} = ?", (value,))
            elif how == 4:
                opened.execute(f"DELETE FROM {table}")
            elif how == 5:
                opened.execute(f"DROP TABLE {table}")
            elif how == 6:
                opened.execute("CREATE TABLE more (x)")
            else:
                opened.execute(f"PRAGMA user_version = {rng.choice((0, 1, 3, 99999))}")
        opened.commit()
