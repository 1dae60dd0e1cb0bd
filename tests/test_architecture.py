"""Imports point one way: a room may import itself and the rooms to its left."""

import ast
import importlib
import re
from fnmatch import fnmatch
from pathlib import Path

import pytest

import sbirctl

ROOT = Path(sbirctl.__file__).parent
RANK = {
    "core": 0,
    "splits": 1,
    "edges": 1,
    "losses": 1,
    "retrieval": 1,
    "sharing": 1,
    "store": 2,
    "drawings": 3,
    "datasets": 4,
    "sampling": 4,
    "tasks": 5,
    "models": 5,
    "training": 6,
    "inference": 6,
    "galleries": 7,
    "report": 7,
    "checks": 8,
    "pipeline": 9,
    "api": 10,
    "reproduce": 10,
    "cli": 11,
}
# Pure NumPy and data rooms: usable where torch is not installed.
LIGHT = (
    "core", "splits", "retrieval", "drawings", "inference", "api", "cli", "pipeline", "reproduce",
)  # fmt: skip


# Where types of values that are no classes and functions come from.
_CONSTANTS = ("typing", "sbirctl.core.registry", "")

MODULES = {
    ".".join(("sbirctl", *path.relative_to(ROOT).with_suffix("").parts)).removesuffix(
        ".__init__"
    ): path
    for path in sorted(ROOT.rglob("*.py"))
}


def checks_types(node):
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)


def statements(tree, types=True):
    """All nodes, those inside functions too; without `types` not what only type checkers read."""
    for node in ast.iter_child_nodes(tree):
        yield node
        if checks_types(node) and not types:
            for other in node.orelse:
                yield from statements(ast.Module([other], []), types)
        else:
            yield from statements(node, types)


def imports(path, top_only=False):
    tree = ast.parse(path.read_text())
    yield from imported(tree.body if top_only else ast.walk(tree))


def imported(nodes):
    """Dotted names, with the name taken from a package where that is a module of ours."""
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if inner in MODULES else node.module


def circles(edges):
    """Groups of modules that import each other, by Tarjan's algorithm; edges: {module: modules}."""
    index, low, stack, found = {}, {}, [], []

    def visit(module):
        index[module] = low[module] = len(index)
        stack.append(module)
        for other in edges[module]:
            if other not in index:
                visit(other)
                low[module] = min(low[module], low[other])
            elif other in stack:
                low[module] = min(low[module], index[other])
        if low[module] == index[module]:
            group = stack[stack.index(module) :]
            del stack[stack.index(module) :]
            if len(group) > 1 or module in edges[module]:
                found.append(sorted(group))

    for module in edges:
        if module not in index:
            visit(module)
    return found


def room(module):
    parts = module.split(".")
    return parts[1] if parts[0] == "sbirctl" and len(parts) > 1 else None


@pytest.mark.parametrize(
    "path", sorted(ROOT.glob("*/**/*.py")), ids=lambda p: str(p.relative_to(ROOT))
)
def test_imports_point_one_way(path):
    own = path.relative_to(ROOT).parts[0]
    for module in imports(path):
        other = room(module)
        if other is None or other == own:
            continue
        assert RANK[other] < RANK[own], f"{own} must not import {module}"


@pytest.mark.parametrize("own", LIGHT)
def test_light_rooms_import_torch_only_inside_functions(own):
    heavy = {"torch", "torchvision", "timm", "open_clip", "matplotlib", "sklearn", "cv2"}
    for path in (ROOT / own).rglob("*.py"):
        for module in imports(path, top_only=True):
            assert module.split(".")[0] not in heavy, f"{path.name} imports {module}"


def test_every_room_is_ranked():
    rooms = {p.name for p in ROOT.iterdir() if p.is_dir() and (p / "__init__.py").exists()}
    assert rooms <= set(RANK)


def test_no_room_imports_anothers_private_module():
    wrong = []
    for name, path in MODULES.items():
        for module in imports(path):
            other = room(module)
            private = any(part.startswith("_") for part in module.split(".")[1:])
            if other and private and other != room(name) and room(name) in RANK:
                wrong.append(f"{name} imports {module}")
    assert wrong == []


def test_there_are_no_circles_of_imports():
    """Not over imports inside functions either, nor over those of type checkers.

    A package's own imports for type checkers are names it offers lazily: nothing it needs.
    """
    edges = {}
    for name, path in MODULES.items():
        nodes = statements(ast.parse(path.read_text()), types=path.name != "__init__.py")
        edges[name] = sorted({m for m in imported(nodes) if m in MODULES and m != name})
    assert circles(edges) == []


def test_circles_are_found():
    edges = {"a": ["b"], "b": ["c", "d"], "c": ["b"], "d": ["e"], "e": [], "f": ["f"]}
    assert circles(edges) == [["b", "c"], ["f"]]


@pytest.mark.parametrize("package", ["models", "datasets", "tasks", "losses"])
def test_what_a_package_offers_lazily_is_there(package):
    tree = ast.parse((ROOT / package / "__init__.py").read_text())
    (block,) = (node for node in tree.body if checks_types(node))
    offered = [alias.asname for node in block.body for alias in node.names if alias.asname]
    module = importlib.import_module(f"sbirctl.{package}")
    assert offered
    assert set(offered) <= set(dir(module))
    for name in offered:
        own = getattr(getattr(module, name), "__module__", "")
        assert own.startswith(f"sbirctl.{package}._") or own in _CONSTANTS
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        module.nothing  # noqa: B018


# Folders whose public files are all of one kind, which their row in docs/architecture.md names.
KINDS = ("datasets", "models", "models/layers", "tasks", "galleries/engines")


@pytest.fixture(scope="module")
def rows():
    """Room to the names that its row in the list of files says."""
    page = (Path(__file__).parents[1] / "docs" / "architecture.md").read_text()
    rooms = page.split("Files of the larger rooms")[1]
    found = re.findall(r"^\| `(\w+)/` \| (.+) \|$", rooms, re.M)
    return {room: re.findall(r"`([\w/*]+?)/?`", row) for room, row in found}


def test_every_file_of_a_larger_room_is_in_its_row(rows):
    commands = {path.stem for path in (ROOT / "cli").glob("*.py")}
    for room, names in rows.items():
        for path in (ROOT / room).rglob("[!_]*.py"):
            folder = path.parent.relative_to(ROOT).as_posix()
            known = path.parent.name.startswith("_") or folder in KINDS
            known |= room == "pipeline" and path.stem in commands
            assert known or any(fnmatch(path.stem, name.split("/")[-1]) for name in names), path


def test_every_name_in_a_row_is_a_file_or_folder_of_the_room(rows):
    for room, names in rows.items():
        there = {path.stem for path in (ROOT / room).rglob("*") if path.name != "__init__.py"}
        there |= {"search"} if room == "report" else set()  # the command whose sheets it draws
        for name in names:
            assert any(fnmatch(one, name.split("/")[-1]) for one in there), (room, name)
