"""TU-Berlin (Eitz et al. 2012) with the photos of DSH (Liu et al. 2017): TU-Berlin Extended.

Layouts that are recognised, also in folders above or below, in folders and in archives:

- official: sketches `png/<class>/<number>.png`, photos `ImageResized/<class>/<file>`; names ending
  in `_ready`, as SAKE's repacked copy has them, too;
- sem-pcyc's: `{sketches,images}/<class>/<file>`;
- one tree for both: `{train,val,test}/{sketch,photo}/<class>/<file>`, or without the first level.

Where file lists as SAKE's lie in what is given, only the files they name belong. The photos'
folders are spelled otherwise than the sketches', with errors (`griaffe`); most photos end in
`.JPEG`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from sbirctl.core.files import digest_json
from sbirctl.core.progress import SILENT, Reporter
from sbirctl.datasets import DATASETS, Dataset
from sbirctl.datasets.published.catalogue import catalogue
from sbirctl.datasets.published.counts import compare, published_counts
from sbirctl.datasets.readers.class_folders import must_have, read_class_folders
from sbirctl.datasets.readers.layouts import PLAIN_TREE, SPLIT_TREE, Layout
from sbirctl.datasets.readers.tree import ReadTrees, Tree
from sbirctl.store.raw import RawDataset

_LAYOUTS = (
    Layout("official", re.compile(rb"(?:.*/)?(?:png|sketches_png)(?:_ready)?"), "sketch"),
    Layout("official", re.compile(rb"(?:.*/)?ImageResized(?:_ready)?"), "photo"),
    Layout("sketches and images", re.compile(rb"(?P<top>(?:.*/)?)(?P<role>sketches|images)")),
    SPLIT_TREE,
    PLAIN_TREE,
)
_EXPECTED = (
    "Expected are png/<class>/ and ImageResized/<class>/, or {train,val}/{sketch,photo}/<class>/; "
    "give each folder or archive with a --from of its own."
)


@DATASETS.register
class TUBerlin(Dataset):
    """250 classes of sketches and of photos."""

    name = "tuberlin"
    title = "TU-Berlin Extended: 250 classes, 20,000 sketches and 204,070 photos"
    page = "https://cybertron.cg.tu-berlin.de/eitz/projects/classifysketch"
    download = (
        "the archive of PNG sketches (sketches_png.zip) and, from the authors of DSH, the photos "
        "(ImageResized)"
    )

    def read(
        self,
        trees: Mapping[str, Sequence[Tree]],
        options: Any,
        *,
        name: str,
        report: Reporter = SILENT,
    ) -> RawDataset:
        """See `Dataset.read`."""
        inputs = trees["from"]
        found = read_class_folders(inputs, _LAYOUTS, self.name)
        must_have(found, "sketch", "TU-Berlin", _EXPECTED)
        must_have(found, "photo", "TU-Berlin", _EXPECTED)
        comparison = compare(
            found.items,
            published_counts(self.name),
            {"sketches": "sketches", "photos": "photos"},
            catalogue(self.name).totals("photos"),
        )
        return RawDataset(
            dataset=self.name,
            items=tuple(found.items),
            read=ReadTrees(tuple(tree.read for tree in inputs)),
            identity=digest_json([tree.identity for tree in inputs]),
            layout=found.layout,
            ignored=found.ignored,
            facts={"comparison": comparison.facts},
            remarks=(f"Layout: {found.layout}.", *found.remarks, *comparison.lines),
        )
