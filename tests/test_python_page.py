"""Every block of docs/python.md runs, one after the other, in a folder of small pictures."""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "python.md").read_text("utf-8")


def test_the_page_runs(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    monkeypatch.delitem(sys.modules, "paths", raising=False)
    import paths

    monkeypatch.setenv("SBIRCTL_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    paths.draw(tmp_path)
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    assert len(blocks) == 5
    names = {}
    for block in blocks:
        exec(compile(block, "docs/python.md", "exec"), names)
    assert names["run"].is_dir()
    assert 0 <= names["scores"]["map@all"] <= 1
    assert names["difference"].p < 0.05
    assert 0 < float(names["loss"]) < 100
    assert [round(v, 4) for v in names["metrics"].of_ranked([[1, 0, 1]], "map@all")] == [0.8333]
