"""Small faults planted one by one, and whether the nearest tests see them.

    python benchmarks/mutants.py                 every fault of mutants.toml, a line each
    python benchmarks/mutants.py --only augment  those whose file, text or tests name that word
    python benchmarks/mutants.py --jobs 2        so many at a time
    python benchmarks/mutants.py --draw 40 --seed 1   so many of them, drawn by chance

A fault is a text that stands once in the package, what it is replaced with, and the tests that
should fail. The package and its tests are copied into a temporary folder, where they are changed
and run; the checkout stays as it is. First the same tests run without a fault: one that fails then
would see every fault. Ends with 1 when more survive than `--allowed`.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
LIST = Path(__file__).with_suffix(".toml")
SECONDS = 600


@dataclass(frozen=True)
class Mutant:
    """One planted fault.

    Attributes:
        find: text that stands once in the package.
        replace: what stands there instead.
        tests: files or folders below tests/ that should notice.
        explained: why no test can see it, where that is so.
    """

    find: str
    replace: str
    tests: tuple[str, ...]
    explained: str = ""


def read_list() -> list[Mutant]:
    """The faults of mutants.toml."""
    data = tomllib.loads(LIST.read_text("utf-8"))
    return [
        Mutant(find, replace, tuple(group["tests"]), group.get("explained", ""))
        for group in data["groups"]
        for find, replace in group["faults"]
    ]


def place(mutant: Mutant, sources: dict[Path, str]) -> Path:
    """The file that holds the text.

    Raises:
        SystemExit: it stands nowhere, or more than once.
    """
    counts = {path: text.count(mutant.find) for path, text in sources.items()}
    found = [path for path, count in counts.items() if count]
    if sum(counts.values()) != 1:
        raise SystemExit(f"{mutant.find!r} stands {sum(counts.values())} times, not once: {found}")
    return found[0]


def sources(root: Path) -> dict[Path, str]:
    """The package's files and their texts."""
    return {
        path.relative_to(root): path.read_text("utf-8")
        for path in sorted((root / "sbirctl").rglob("*.py"))
    }


def passes(tests: tuple[str, ...], changed: dict[Path, str]) -> tuple[bool, float]:
    """Whether the tests pass with these files in place of ours, and the seconds that took."""
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for name in ("sbirctl", "splits", "tests", "docs", "benchmarks"):
            shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copyfile(ROOT / "pyproject.toml", root / "pyproject.toml")
        for path, text in changed.items():
            (root / path).write_text(text, "utf-8")
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider"]
            + [f"tests/{name}" for name in tests],
            cwd=root,
            env={**os.environ, "PYTHONPATH": folder, "OMP_NUM_THREADS": "1"},
            capture_output=True,
            timeout=SECONDS,
            check=False,
        )
    return done.returncode == 0, time.monotonic() - begun


def main() -> int:
    """Plant, run and print; the number of unexplained survivors decides the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", help="word in the file, the text or the tests")
    parser.add_argument("--draw", type=int, default=0, help="so many by chance, 0 for all")
    parser.add_argument("--seed", type=int, default=0, help="of --draw")
    parser.add_argument("--jobs", type=int, default=1, help="how many at a time")
    parser.add_argument("--allowed", type=int, default=5, help="survivors that are no failure")
    options = parser.parse_args()
    texts = sources(ROOT)
    chosen = [(mutant, place(mutant, texts)) for mutant in read_list()]
    chosen = [
        (m, path)
        for m, path in chosen
        if options.only in str(path) or options.only in m.find or options.only in " ".join(m.tests)
    ]

    if options.draw:
        chosen = random.Random(options.seed).sample(chosen, min(options.draw, len(chosen)))

    def run(pair: tuple[Mutant, Path]) -> tuple[Mutant, Path, bool, float]:
        mutant, path = pair
        text = texts[path].replace(mutant.find, mutant.replace)
        return mutant, path, *passes(mutant.tests, {path: text})

    alive: list[Mutant] = []
    with ThreadPoolExecutor(options.jobs) as pool:
        wanted = sorted({mutant.tests for mutant, _ in chosen})
        for tests, (fine, _) in zip(wanted, pool.map(lambda t: passes(t, {}), wanted), strict=True):
            if not fine:
                raise SystemExit(f"{', '.join(tests)} fail without a fault.")
        for mutant, path, lives, seconds in pool.map(run, chosen):
            said = "SURVIVED" if lives else "seen"
            said = "explained" if lives and mutant.explained else said
            print(f"{said}\t{seconds:.1f} s\t{path}\t{mutant.find!r} -> {mutant.replace!r}")
            sys.stdout.flush()
            if lives:
                alive.append(mutant)
    print(f"{len(chosen)} faults, {len(chosen) - len(alive)} seen, {len(alive)} survived")
    return int(sum(not m.explained for m in alive) > options.allowed)


if __name__ == "__main__":
    sys.exit(main())
