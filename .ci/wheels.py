"""Builds the two wheels of a release from this checkout.

sbirctl-core  all code and class lists, with the light requirements: evaluate, audit, compare,
              report, splits, galleries, without torch
sbirctl       no files of its own: requires sbirctl-core of the same version and everything else

`pip install .` from a checkout is neither: it installs the code with all requirements under the
name sbirctl. Which requirements are light is `[tool.sbirctl] core` in pyproject.toml.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import tomli_w

ROOT = Path(__file__).parents[1]
PAGES = ("README.md", "LICENSE", "NOTICE")


def main(target: Path) -> None:
    """Build both wheels into the folder `target`."""
    config = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    version = _version()
    work = ROOT / "build" / "wheels"
    shutil.rmtree(work, ignore_errors=True)
    made = ((_core(config), ("sbirctl", "splits", *PAGES)), (_full(config, version), PAGES))
    for project, copied in made:
        folder = work / project["project"]["name"]
        folder.mkdir(parents=True)
        for name in copied:
            _copy(ROOT / name, folder / name)
        (folder / "pyproject.toml").write_bytes(tomli_w.dumps(project).encode())
        command = [sys.executable, "-m", "build", "--wheel", "--outdir", str(target), str(folder)]
        subprocess.run(command, check=True)
    shutil.rmtree(work)


def _core(config: dict[str, Any]) -> dict[str, Any]:
    """The project with the light requirements only."""
    project = {**config["project"], "name": "sbirctl-core"}
    project["dependencies"] = _light(config)
    return {**config, "project": project}


def _full(config: dict[str, Any], version: str) -> dict[str, Any]:
    """A project without files that requires the core and the rest."""
    light = set(_light(config))
    left_out = ("scripts", "dynamic")
    project = {key: value for key, value in config["project"].items() if key not in left_out}
    project["version"] = version
    rest = [text for text in project["dependencies"] if text not in light]
    project["dependencies"] = [f"sbirctl-core=={version}", *rest]
    return {
        "build-system": config["build-system"],
        "project": project,
        "tool": {"hatch": {"build": {"targets": {"wheel": {"bypass-selection": True}}}}},
    }


def _light(config: dict[str, Any]) -> list[str]:
    """The requirements, with their bounds, that the core keeps."""
    names = config["tool"]["sbirctl"]["core"]
    found = {_name(text): text for text in config["project"]["dependencies"]}
    missing = set(names) - set(found)
    if missing:
        raise SystemExit(f"[tool.sbirctl] core names no requirement: {', '.join(sorted(missing))}")
    return [found[name] for name in names]


def _name(requirement: str) -> str:
    return re.split(r"[^A-Za-z0-9_.-]", requirement, maxsplit=1)[0]


def _version() -> str:
    text = (ROOT / "sbirctl" / "__init__.py").read_text("utf-8")
    found = re.search(r'^__version__ = "(.+)"$', text, re.MULTILINE)
    assert found is not None, "sbirctl/__init__.py holds the version"
    return found[1]


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
    elif source.exists():
        shutil.copyfile(source, target)


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "dist").absolute())
