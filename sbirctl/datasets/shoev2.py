"""QMUL ShoeV2 (Yu et al. 2016, Song et al. 2017): sketches of shoes and the photos they show.

The arrangements that are recognised are those of `_qmul`. SVG sketches and coordinates are
rendered. The published test photos become the store's list `splits/test-instances.txt`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict

from sbirctl.core.progress import SILENT, Reporter
from sbirctl.datasets import DATASETS
from sbirctl.datasets._qmul import PairOptions, read_pairs
from sbirctl.datasets._strokes import Pen
from sbirctl.datasets.source import Dataset
from sbirctl.datasets.tree import Tree
from sbirctl.store.source import Source


@DATASETS.register
class ShoeV2(Dataset):
    """One class, its instances drawn several times."""

    name = "shoev2"
    title = "ShoeV2: 2,000 photos of shoes, 6,648 or 6,730 sketches drawn from them"
    page = "https://sketchx.eecs.qmul.ac.uk/downloads/"
    download = "the archive of ShoeV2"
    Options = PairOptions

    def read(
        self,
        trees: Mapping[str, Sequence[Tree]],
        options: PairOptions,
        *,
        name: str,
        report: Reporter = SILENT,
    ) -> Source:
        """See `Dataset.read`."""
        return read_pairs(
            trees["from"],
            dataset=self.name,
            class_name="shoe",
            pen=Pen(options.line_width),
            facts=asdict(options),
        )
