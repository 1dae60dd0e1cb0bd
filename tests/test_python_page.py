"""Every block of docs/python.md runs, one after the other, in a folder of small pictures."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "python.md").read_text("utf-8")


BLOCKS = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def test_the_page_runs(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    monkeypatch.delitem(sys.modules, "paths", raising=False)
    import paths

    monkeypatch.setenv("SBIRCTL_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    paths.draw(tmp_path)
    assert len(BLOCKS) == 6
    names = {"__name__": "page"}
    for block in BLOCKS:
        exec(compile(block, "docs/python.md", "exec"), names)
    assert names["run"].is_dir()
    assert 0 <= names["scores"]["map@all"] <= 1
    assert names["difference"].p < 0.05
    assert [round(v, 4) for v in names["metrics"].of_ranked([[1, 0, 1]], "map@all")] == [0.8333]
    assert names["cosines"].shape == (len(names["drawings"]), len(names["photos"]))
    assert abs(names["cosines"]).max() <= 1 + 1e-6
    assert 0 < float(names["loss"].detach()) < 100
    assert 0 < names["zero_shot"]["map@all"] <= 1


# Before NumPy 2.2 `ndarray` has type parameters without defaults.
@pytest.mark.skipif(np.lib.NumpyVersion(np.__version__) < "2.2.0", reason="needs NumPy 2.2")
def test_the_page_is_typed(tmp_path):
    """As `mypy --strict`, but for torch's own types, which take minutes to read."""
    page, config = tmp_path / "page.py", tmp_path / "mypy.ini"
    page.write_text("\n".join(BLOCKS))
    config.write_text(
        "[mypy]\nstrict = true\nfollow_imports = silent\ndisallow_subclassing_any = false\n"
        "[mypy-torch.*]\nfollow_imports = skip\nignore_missing_imports = true\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--config-file", str(config), str(page)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout.startswith("Success"), done.stdout + done.stderr
