"""How many files of the package a command runs through, and how large the package is.

    python benchmarks/paths.py [--files] [--json] [--only step train …]

Every command runs once, as it is typed, on eight classes of small drawn pictures with resnet10t
from random values at 32 px, each in a process of its own. `sys.setprofile` and
`threading.setprofile` note which functions of the package are called. It measures the package that
Python imports, so PYTHONPATH chooses between two checkouts.

Run are the files with a function that was called; what is executed only while a module is imported
(class bodies, decorators, registration) does not count. Loaded are all files that were imported.
Both leave out the command line itself (`cli/`, `__main__.py`), which imports every command for its
help. `step` is the part of `train` inside the function that makes one training step, and what other
threads do up to the last step, which is reading batches. Lines are all lines of the files that run.

Lines of code are those of all Python files, formatted by ruff with 100 columns, that hold more than
punctuation: docstrings, comments, blank lines and lines of nothing but brackets, commas, stars or
dots are left out, so that breaking a call over more lines does not make the package larger.
"""

from __future__ import annotations

import argparse
import ast
import importlib.util
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import tokenize
from collections.abc import Iterable
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
from PIL import Image

PACKAGE = "sbirctl"
# The function of the training loop that makes one step, as Python qualifies its name.
STEP = re.compile(r"TrainingStep\.__call__")
CLASSES, EACH = 8, 6
SMALL = (
    "size=32 dim=16 epochs=1 batch=8 per_class=2 backbone=resnet10t mean=0.5 std=0.5 mirror=false"
)
# In the order of the pipeline: each goes on from what the ones before left.
COMMANDS = {
    "prepare": "prepare folder --photos photos --sketches sketches --name drawn "
    "--size 32 --workers 1",
    "train": "train baseline --dataset drawn --split unseen.txt --weights none --device cpu "
    "--workers 1 " + " ".join(f"--set {setting}" for setting in SMALL.split()),
    "embed": "embed --device cpu --workers 1 --output drawn.h5",
    "evaluate": "evaluate drawn.h5 --metric map@all",
    "export": "export",
    "index": "index photos --gallery drawn --workers 1",
    "search": "search sketches/class0/0.png --gallery drawn",
}
ROWS = ("step", "train", "embed", "evaluate", "prepare", "export", "index", "search")
NO_CODE = {
    tokenize.OP,
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENDMARKER,
}


class Trace:
    """A profile function that notes the files whose functions are called.

    Attributes:
        run: files of the package with a function that was called.
        step: those among them that a training step runs through.
        steps: training steps seen.
    """

    def __init__(self, package: Path) -> None:
        self.run: set[str] = set()
        self.step: set[str] = set()
        self.steps = 0
        self._root = f"{package}{os.sep}"
        self._inside = False
        self._beside: set[str] = set()  # what other threads ran since a step began or ended
        self._main = threading.get_ident()
        self._imports = threading.local()

    def __call__(self, frame: FrameType, event: str, _argument: object) -> None:
        """See `sys.setprofile`."""
        code = frame.f_code
        if event not in ("call", "return") or not code.co_filename.startswith(self._root):
            return
        if code.co_name == "<module>":
            change = 1 if event == "call" else -1
            self._imports.depth = getattr(self._imports, "depth", 0) + change
        elif not getattr(self._imports, "depth", 0):
            self._note(code.co_filename, code.co_qualname, event == "call")

    def _note(self, file: str, function: str, called: bool) -> None:
        if STEP.fullmatch(function):
            self._inside = called
            self.steps += called
            self.step |= {file} | self._beside
            self._beside.clear()
        if called:
            self.run.add(file)
            if threading.get_ident() != self._main:
                self._beside.add(file)
            elif self._inside:
                self.step.add(file)


def package_folder() -> Path:
    """Where the package lies that Python would import."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        sys.exit(f"{PACKAGE} cannot be imported: install it, or set PYTHONPATH.")
    return Path(spec.submodule_search_locations[0]).resolve()


def trace(command: list[str], target: Path) -> None:
    """Run a command in this process and write the files it ran through, as JSON."""
    package = package_folder()
    from sbirctl.__main__ import main as run_command

    noted = Trace(package)
    threading.setprofile(noted)
    sys.setprofile(noted)
    try:
        run_command(command)
    except SystemExit as end:
        if end.code:
            raise
    finally:
        sys.setprofile(None)
    loaded = [
        module.__file__
        for name, module in list(sys.modules.items())
        if name.split(".")[0] == PACKAGE and module.__file__
    ]
    found = {"run": noted.run, "step": noted.step, "loaded": loaded}
    names = {kind: _names(files, package) for kind, files in found.items()}
    target.write_text(json.dumps({**names, "steps": noted.steps}))


def _names(files: Iterable[str], package: Path) -> list[str]:
    """Paths in the package, sorted, without the command line."""
    names = {Path(file).resolve().relative_to(package).as_posix() for file in files}
    return sorted(n for n in names if n != "__main__.py" and not n.startswith("cli/"))


def measure(package: Path) -> dict[str, dict[str, Any]]:
    """Row to the files that run, their lines and the files that are loaded."""
    found: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        draw(place)
        env = {k: v for k, v in os.environ.items() if not k.startswith("SBIRCTL_")}
        env |= {"SBIRCTL_HOME": str(place / "home"), "OMP_NUM_THREADS": "1"}
        env["PYTHONPATH"] = os.pathsep.join([str(package.parent), env.get("PYTHONPATH", "")])
        for row, words in COMMANDS.items():
            found[row] = traced(words.split(), place, env)
            if row == "train":
                if not found[row]["steps"]:
                    sys.exit(f"No function of train is called {STEP.pattern}: change STEP.")
                found["step"] = {"run": found[row]["step"], "loaded": []}
    return {
        row: {
            "files": len(found[row]["run"]),
            "lines": sum(len(text(package / file).splitlines()) for file in found[row]["run"]),
            "loaded": len(found[row]["loaded"]),
            "names": found[row]["run"],
            "loaded_names": found[row]["loaded"],
        }
        for row in ROWS
    }


def traced(words: list[str], place: Path, env: dict[str, str]) -> dict[str, Any]:
    """What `trace` finds, in a process of its own."""
    target = place / "trace.json"
    command = [sys.executable, __file__, "--trace", str(target), "--", *words]
    done = subprocess.run(command, cwd=place, env=env, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{PACKAGE} {' '.join(words)} ended with {done.returncode}:\n{done.stderr}")
    return json.loads(target.read_text())


def draw(place: Path) -> None:
    """Write coloured squares as photos, grey ones on white as sketches, and the unseen classes."""
    (place / "unseen.txt").write_text("class6\nclass7\n")
    rng = np.random.default_rng(0)
    for label in range(CLASSES):
        colour = rng.integers(0, 256, 3)
        for folder, ending in (("photos", "jpg"), ("sketches", "png")):
            target = place / folder / f"class{label}"
            target.mkdir(parents=True)
            for k in range(EACH):
                pixels = np.full((40, 40, 3), colour if folder == "photos" else 255, np.uint8)
                pixels[4 + label : 20 + label, 4 + k : 20 + k] = rng.integers(0, 90)
                Image.fromarray(pixels).save(target / f"{k}.{ending}")


def size(package: Path) -> dict[str, Any]:
    """Number of Python files, their lines of code, and the longest of them as it is written."""
    files = sorted(package.rglob("*.py"))
    lengths = {file.relative_to(package).as_posix(): len(text(file).splitlines()) for file in files}
    longest = max(lengths, key=lambda name: lengths[name])
    with tempfile.TemporaryDirectory() as name:
        copy = Path(name) / PACKAGE
        shutil.copytree(package, copy, ignore=shutil.ignore_patterns("__pycache__"))
        ruff = [sys.executable, "-m", "ruff", "format", "--quiet", "--no-cache", "--isolated"]
        subprocess.run([*ruff, "--line-length", "100", str(copy)], check=True)
        code = sum(len(code_lines(text(file))) for file in copy.rglob("*.py"))
    return {
        "files": len(files),
        "code": code,
        "longest": longest,
        "longest_lines": lengths[longest],
    }


def code_lines(source: str) -> set[int]:
    """Numbers of the lines that hold more than punctuation and are in no docstring."""
    found: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in NO_CODE:
            found.update(range(token.start[0], token.end[0] + 1))
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, documented) and ast.get_docstring(node, clean=False) is not None:
            first = node.body[0]
            found.difference_update(range(first.lineno, (first.end_lineno or first.lineno) + 1))
    return found


def text(path: Path) -> str:
    """A source file's text."""
    return path.read_text(encoding="utf-8")


def main() -> None:
    """Print a row a command, then the size of the package."""
    if sys.argv[1:2] == ["--trace"]:  # a process that `traced` started
        trace(sys.argv[4:], Path(sys.argv[2]))
        return
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", action="store_true", help="name the files that run")
    parser.add_argument("--json", action="store_true", help="print JSON, with all names")
    parser.add_argument("--only", nargs="+", choices=ROWS, default=ROWS, metavar="ROW")
    options = parser.parse_args()
    package = package_folder()
    paths = {row: values for row, values in measure(package).items() if row in options.only}
    whole = size(package)
    if options.json:
        print(json.dumps({"schema": 1, "paths": paths, "package": whole}, indent=1))
        return
    print(f"{'':10}{'run':>6}{'lines':>8}{'loaded':>8}")
    for row, values in paths.items():
        loaded = "" if row == "step" else values["loaded"]
        print(f"{row:10}{values['files']:6}{values['lines']:8,}{loaded:>8}")
        if options.files:
            print("".join(f"    {name}\n" for name in values["names"]), end="")
    print(f"\n{whole['files']} files, {whole['code']:,} lines of code; ", end="")
    print(f"the longest is {whole['longest']} with {whole['longest_lines']} lines")


if __name__ == "__main__":
    main()
