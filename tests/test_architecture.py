"""Imports point one way: a room may import itself and the rooms to its left."""

import ast
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
    "pipeline": 8,
    "cli": 9,
}
# Pure NumPy and data rooms: usable where torch is not installed.
LIGHT = ("core", "splits", "retrieval", "drawings", "inference", "cli", "pipeline")


def imports(path, top_only=False):
    tree = ast.parse(path.read_text())
    nodes = tree.body if top_only else ast.walk(tree)
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module


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
