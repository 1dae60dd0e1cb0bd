"""Metrics and definitions for anybody's code.

`of_ranked` measures rankings that are at hand; `definition` names whose formula is meant. A metric
of one's own is a function under `measure` (docs/adding-a-metric.md).
"""

from __future__ import annotations

from sbirctl.retrieval.definitions import PRESETS as DEFINITIONS
from sbirctl.retrieval.definitions import Definition as Definition
from sbirctl.retrieval.definitions import get
from sbirctl.retrieval.metrics import DEFAULT as DEFAULT
from sbirctl.retrieval.metrics import MEASURES as MEASURES
from sbirctl.retrieval.metrics import Metric as Metric
from sbirctl.retrieval.metrics import explain as explain
from sbirctl.retrieval.metrics import measure as measure
from sbirctl.retrieval.metrics import parse as parse
from sbirctl.retrieval.ranked_lists import of_ranked as of_ranked
from sbirctl.retrieval.ranks import Ranks as Ranks
from sbirctl.retrieval.ranks import hits as hits
from sbirctl.retrieval.ranks import left_out as left_out
from sbirctl.retrieval.ranks import placed as placed

__all__ = [
    "DEFAULT", "DEFINITIONS", "MEASURES", "Definition", "Metric", "Ranks", "definition",
    "explain", "hits", "left_out", "measure", "of_ranked", "parse", "placed",
]  # fmt: skip


def definition(name: str = "standard", **changes: str) -> Definition:
    """A published definition, with parts changed: `definition("sake", average="query")`.

    Raises:
        UsageError: there is no such definition, part or choice.
    """
    return get(name, [f"{key}={value}" for key, value in changes.items()])
