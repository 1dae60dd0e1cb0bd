"""Settings of a dataclass, read from its source text: their module is not imported.

The modules of models import torch, which takes seconds. Completion needs the names within a
fraction of one, and a misspelled setting is to be told as soon.
"""

from __future__ import annotations

import ast
import dataclasses
import importlib.util
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import NoneType
from typing import Any, Literal, Union

_PLAIN = {"int": int, "float": float, "bool": bool, "str": str}
_EMPTY = object()


def schema_of(module: str, attribute: str) -> type | None:
    """The dataclass that a class of a module names, rebuilt from source for `core.config`.

    It has the keys, types, help, former names and limits of the original. Types that the source
    does not spell out are `Any`, defaults that are no literals None; what the original checks
    itself (`__post_init__`) it does not.

    Args:
        module: dotted name.
        attribute: of a class in it, as `Settings` in `Settings = BaselineSettings`.

    Returns:
        None where the source cannot be found or says nothing.
    """
    source = _source(module)
    for one in source.tree.body if source else []:
        named = _assigned(one.body, attribute) if isinstance(one, ast.ClassDef) else None
        if isinstance(named, ast.Name):
            return _schema(source, named.id) if source else None
    return None


def schema_named(module: str, name: str) -> type | None:
    """The dataclass of that name in a module, as `schema_of` gives it."""
    source = _source(module)
    return None if source is None else _schema(source, name)


def entries_of(module: str, attribute: str) -> list[str]:
    """The keys that stand in a dictionary a class of a module has, as `presets = {"small": …}`."""
    source = _source(module)
    for one in source.tree.body if source else []:
        value = _assigned(one.body, attribute) if isinstance(one, ast.ClassDef) else None
        if isinstance(value, ast.Dict):
            return [text for key in value.keys if isinstance(text := _literal(key), str)]
    return []


def literal_of(module: str, attribute: str) -> object:
    """The value that a class of a module gives a name, as `edges_setting = "edges"`; else None."""
    source = _source(module)
    for one in source.tree.body if source else []:
        value = _assigned(one.body, attribute) if isinstance(one, ast.ClassDef) else None
        if value is not None:
            found = _literal(value)
            return None if found is _EMPTY else found
    return None


@dataclass(frozen=True, eq=False)
class _Source:
    tree: ast.Module
    imported: dict[str, str]  # name: module

    def class_(self, name: str) -> ast.ClassDef | None:
        found = (n for n in self.tree.body if isinstance(n, ast.ClassDef) and n.name == name)
        return next(found, None)

    def value(self, name: str) -> ast.expr | None:
        return _assigned(self.tree.body, name)


def _assigned(body: Iterable[ast.stmt], name: str) -> ast.expr | None:
    """What `name = …` assigns, with a type or without."""
    for node in body:
        if isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if any(isinstance(target, ast.Name) and target.id == name for target in targets):
                return node.value
    return None


@cache
def _source(module: str) -> _Source | None:
    try:
        spec = importlib.util.find_spec(module)
        text = Path(spec.origin).read_text(encoding="utf-8") if spec and spec.origin else ""
        tree = ast.parse(text)
    except (ImportError, OSError, ValueError, SyntaxError):
        return None
    imported = {
        alias.asname or alias.name: node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module and not node.level
        for alias in node.names
    }
    return _Source(tree, imported)


@cache
def _schema(source: _Source, name: str) -> type | None:
    """A class as a dataclass, its bases first."""
    found = _definition(source, name)
    if found is None:
        return None
    source, node = found
    bases = (_schema(source, base.id) for base in node.bases if isinstance(base, ast.Name))
    fields = [
        _field(source, line, line.target.id)
        for line in node.body
        if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name)
    ]
    known = tuple(base for base in bases if base is not None)
    return dataclasses.make_dataclass(name, fields, bases=known, frozen=True)


def _definition(source: _Source, name: str) -> tuple[_Source, ast.ClassDef] | None:
    """A class and the source it stands in, followed through imports."""
    node = source.class_(name)
    if node is not None:
        return source, node
    other = _followed(source, name)
    return None if other is None else _definition(other, name)


def _followed(source: _Source, name: str) -> _Source | None:
    """The source that a name is imported from; a package may have it from a module of its own."""
    module = source.imported.get(name)
    return None if module is None else _source(module)


def _field(source: _Source, line: ast.AnnAssign, name: str) -> tuple[str, Any, Any]:
    """(name, type, field) of an annotated line, with the metadata that `setting` gives it."""
    kind: Any = _type(source, line.annotation)
    call = line.value if isinstance(line.value, ast.Call) else None
    words = {word.arg: _literal(word.value) for word in call.keywords if word.arg} if call else {}
    if kind is dict or dataclasses.is_dataclass(kind):
        made: Any = kind
        return name, kind, dataclasses.field(default_factory=made, metadata=words)
    node = line.value if call is None else call.args[0] if call.args else None
    default = _literal(node)
    value = None if default is _EMPTY or isinstance(default, list | dict) else default
    return name, kind, dataclasses.field(default=value, metadata=words)


def _type(source: _Source, node: ast.expr | None) -> Any:
    """The type an annotation says; Any where that cannot be told from the text."""
    if isinstance(node, ast.BinOp):  # `Literal[…] | None`
        return Union[_type(source, node.left), _type(source, node.right)]  # noqa: UP007
    if isinstance(node, ast.Constant) and node.value is None:
        return NoneType
    if isinstance(node, ast.Name):
        return _named_type(source, node.id)
    if not isinstance(node, ast.Subscript) or not isinstance(node.value, ast.Name):
        return Any
    inside = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
    if node.value.id == "Literal":
        return Literal[tuple(one.value for one in inside if isinstance(one, ast.Constant))]
    if node.value.id == "tuple":
        return tuple[_type(source, inside[0]), ...]  # type: ignore[misc]
    return dict if node.value.id == "dict" else Any


def _named_type(source: _Source, name: str) -> Any:
    if name in _PLAIN:
        return _PLAIN[name]
    if (own := source.value(name)) is not None:
        return _type(source, own)
    if source.class_(name) is not None:
        return _schema(source, name)
    other = _followed(source, name)
    return Any if other is None or other is source else _named_type(other, name)


def _literal(node: ast.expr | None) -> Any:
    """The value of an expression, `_EMPTY` where it is none that can be told."""
    try:
        return _EMPTY if node is None else ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return _EMPTY
