"""The list of planted faults fits the code: each text stands once, each test is there."""

import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_every_fault_can_be_planted(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    monkeypatch.delitem(sys.modules, "mutants", raising=False)
    import mutants

    texts = mutants.sources(ROOT)
    for mutant in mutants.read_list():
        mutants.place(mutant, texts)
        assert mutant.find != mutant.replace
        assert mutant.tests
        for name in mutant.tests:
            assert (ROOT / "tests" / name).exists()
