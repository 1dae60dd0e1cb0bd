"""QMUL ChairV2 (Yu et al. 2016, Song et al. 2017): sketches of chairs and the photos they show.

The arrangements that are recognised are those of `_qmul`. SVG sketches and coordinates are
rendered. The published test photos become the store's list `splits/test-instances.txt`.
"""

from __future__ import annotations

from sbirctl.datasets import DATASETS
from sbirctl.datasets.readers.qmul import PairedSketches


@DATASETS.register
class ChairV2(PairedSketches):
    """One class, its instances drawn several times."""

    name = "chairv2"
    title = "ChairV2: 400 photos of chairs, 1,275 sketches drawn from them"
    download = "the archive of ChairV2"
    class_name = "chair"
