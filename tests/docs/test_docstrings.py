"""The argument lists of docstrings, which the reference shows, name the function's arguments."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "sbirctl"
Function = ast.FunctionDef | ast.AsyncFunctionDef


def test_every_documented_argument_exists() -> None:
    wrong, seen = [], 0
    for file in sorted(PACKAGE.rglob("*.py")):
        for function, own in functions(ast.parse(file.read_text("utf-8"))):
            for name in documented(ast.get_docstring(function) or ""):
                seen += 1
                if name not in own:
                    wrong.append(f"{file.relative_to(PACKAGE)}: {function.name}: {name}")
    assert not wrong, "\n".join(wrong)
    assert seen > 500


def test_names_are_read_as_the_reference_reads_them() -> None:
    text = "What.\n\nArgs:\n    a, *b: numbers: many\n        and more: of them.\n    c: it.\n"
    text += "\nRaises:\n    E: d."
    assert list(documented(text)) == ["a", "b", "c"]


def functions(tree: ast.Module) -> Iterator[tuple[Function | ast.ClassDef, set[str]]]:
    """Functions and classes with docstrings, and the names of their arguments."""
    for node in ast.walk(tree):
        if isinstance(node, Function):
            yield node, arguments(node)
        elif isinstance(node, ast.ClassDef):
            makers = [n for n in node.body if isinstance(n, Function) and n.name == "__init__"]
            yield (
                node,
                {name for one in makers for name in arguments(one)}
                | {
                    n.target.id
                    for n in node.body
                    if isinstance(n, ast.AnnAssign) and isinstance(n.target, ast.Name)
                },
            )


def arguments(function: Function) -> set[str]:
    spec = function.args
    starred = [one for one in (spec.vararg, spec.kwarg) if one]
    return {a.arg for a in [*spec.posonlyargs, *spec.args, *spec.kwonlyargs, *starred]}


def documented(docstring: str) -> Iterator[str]:
    """Names of the section `Args:`: `name: …` or `one, other: …` a line."""
    found = re.search(r"^Args:\n((?:    .*\n|\n)+)", docstring + "\n", re.MULTILINE)
    for line in re.findall(r"^    (\S.*)$", found[1] if found else "", re.MULTILINE):
        names, colon, _ = line.partition(":")
        yield from (name.strip().lstrip("*") for name in names.split(",")) if colon else [line]
