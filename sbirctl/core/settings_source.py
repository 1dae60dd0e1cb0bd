"""Settings of a dataclass, read from its source text: their module is not imported.

Completion needs the names within a fraction of a second, and the modules of models import torch.
"""

from __future__ import annotations

import ast
import importlib.util
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path


@dataclass(frozen=True)
class SettingText:
    """A setting as its source says it.

    Attributes:
        key: as a person types it, `backbone.name` inside a group.
        choices: of a Literal or bool; empty where any value may be.
        help: the text of `setting(help=…)`, "" where a base class has it.
    """

    key: str
    choices: tuple[str, ...]
    help: str


def settings_of(module: str, attribute: str) -> list[SettingText]:
    """The settings of the dataclass that a class of a module names.

    Args:
        module: dotted name.
        attribute: of a class in it, as `Settings` in `Settings = BaselineSettings`.

    Returns:
        Base classes first; empty where the source cannot be found or says nothing.
    """
    source = _source(module)
    if source is None:
        return []
    for one in source.tree.body:
        named = _assigned(one.body, attribute) if isinstance(one, ast.ClassDef) else None
        if isinstance(named, ast.Name):
            return _fields(source, named.id)
    return []


def schema_settings(module: str, name: str) -> list[SettingText]:
    """The settings of the dataclass of that name in a module, as `settings_of` gives them."""
    source = _source(module)
    return [] if source is None else _fields(source, name)


def entries_of(module: str, attribute: str) -> list[str]:
    """The keys that stand in a dictionary a class of a module has, as `presets = {"small": …}`."""
    source = _source(module)
    for one in source.tree.body if source else []:
        value = _assigned(one.body, attribute) if isinstance(one, ast.ClassDef) else None
        if isinstance(value, ast.Dict):
            return [text for key in value.keys if (text := _text(key))]
    return []


@dataclass(frozen=True)
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


def _fields(source: _Source, name: str) -> list[SettingText]:
    """Fields of a class and its bases; the last declaration of a key wins."""
    found = _definition(source, name)
    if found is None:
        return []
    source, node = found
    fields: dict[str, SettingText] = {}
    for base in node.bases:
        if isinstance(base, ast.Name):
            fields |= {one.key: one for one in _fields(source, base.id)}
    for line in node.body:
        if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name):
            for one in _field(source, line):
                before = fields.get(one.key)
                text = one.help or (before.help if before else "")
                fields[one.key] = SettingText(one.key, one.choices, text)
    return list(fields.values())


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


def _field(source: _Source, line: ast.AnnAssign) -> list[SettingText]:
    assert isinstance(line.target, ast.Name)
    call = line.value if isinstance(line.value, ast.Call) else None
    words = {word.arg: word.value for word in call.keywords} if call else {}
    key = _text(words.get("key")) or line.target.id
    if isinstance(line.annotation, ast.Name) and _definition(source, line.annotation.id):
        inner = _fields(source, line.annotation.id)
        return [SettingText(f"{key}.{one.key}", one.choices, one.help) for one in inner]
    return [SettingText(key, _choices(source, line.annotation), _text(words.get("help")))]


def _choices(source: _Source, node: ast.expr | None) -> tuple[str, ...]:
    if isinstance(node, ast.BinOp):  # `Literal[…] | None`
        return (*_choices(source, node.left), *_choices(source, node.right))
    if isinstance(node, ast.Name):
        if node.id == "bool":
            return ("true", "false")
        other = _followed(source, node.id)
        own = source.value(node.id)
        if own is None and other is not None and other is not source:
            return _choices(other, ast.Name(node.id))
        return _choices(source, own)
    if not isinstance(node, ast.Subscript) or not isinstance(node.value, ast.Name):
        return ()
    inside = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
    values = tuple(str(one.value) for one in inside if isinstance(one, ast.Constant))
    return values if node.value.id == "Literal" else ()


def _text(node: ast.expr | None) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""
