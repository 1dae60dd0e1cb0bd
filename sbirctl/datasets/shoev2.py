"""QMUL ShoeV2 (Yu et al. 2016, Song et al. 2017): sketches of shoes and the photos they show.

The arrangements that are recognised are those of `_qmul`. SVG sketches and coordinates are
rendered. The published test photos become the store's list `splits/test-instances.txt`.
"""

from __future__ import annotations

from sbirctl.datasets import DATASETS
from sbirctl.datasets.readers.qmul import PairedSketches


@DATASETS.register
class ShoeV2(PairedSketches):
    """One class, its instances drawn several times."""

    name = "shoev2"
    title = "ShoeV2: 2,000 photos of shoes, 6,648 or 6,730 sketches drawn from them"
    download = "the archive of ShoeV2"
    class_name = "shoe"
