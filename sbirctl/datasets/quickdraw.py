"""QuickDraw Extended (Dey et al. 2019): 110 classes of Quick, Draw! with photos.

Layouts that are recognised, also in folders above or below, in folders and in archives:

- official: `QuickDraw_sketches_final/<class>/<key id>.png` and `QuickDraw_images_final/<class>/`,
  and the names the authors' own code has (`QuickDraw_sketches`, `EXTEND_image_quickdraw`);
- ZSE-SBIR's: `{sketches,images}/<class>/<file>`;
- one tree for both: `{train,val,test}/{sketch,photo}/<class>/<file>`, or without the first level;
- Google's own strokes: any folder of `.ndjson` files, one drawing a line, simplified or raw. They
  are rendered. Photos may be given beside them; without photos the store holds sketches only.

Where file lists as ZSE-SBIR's lie in what is given, only the files they name belong.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Literal

from sbirctl.core.config import setting
from sbirctl.core.errors import MismatchError
from sbirctl.core.files import digest_json
from sbirctl.core.progress import SILENT, Reporter
from sbirctl.datasets import DATASETS, Dataset
from sbirctl.datasets.published.catalogue import catalogue
from sbirctl.datasets.published.counts import compare, published_counts
from sbirctl.datasets.readers.class_folders import ClassFolders, must_have, read_class_folders
from sbirctl.datasets.readers.layouts import PLAIN_TREE, SPLIT_TREE, Layout
from sbirctl.datasets.readers.ndjson import ReadDrawings, drawings, ndjson_files
from sbirctl.datasets.readers.tree import NO_IMAGE, Tree
from sbirctl.drawings.strokes import CANVAS, LINE_WIDTH, Pen, check_line_width
from sbirctl.splits.spellings import canonical, key
from sbirctl.store.raw import RawDataset, RawItem

_LAYOUTS = (
    Layout("official", re.compile(rb"(?:.*/)?QuickDraw_sketches(?:_final)?"), "sketch"),
    Layout(
        "official",
        re.compile(rb"(?:.*/)?(?:QuickDraw_images(?:_final)?|EXTEND_image_quickdraw)"),
        "photo",
    ),
    Layout("sketches and images", re.compile(rb"(?P<top>(?:.*/)?)(?P<role>sketches|images)")),
    SPLIT_TREE,
    PLAIN_TREE,
)
# Words in Google's files whose class has another name in QuickDraw Extended.
WORDS = {
    "The Eiffel Tower": "eiffel tower",
    "crocodile": "crocodilian",
    "motorbike": "motorcycle",
}
_EXPECTED = (
    "Expected are QuickDraw_sketches_final/<class>/ and QuickDraw_images_final/<class>/, "
    "{sketches,images}/<class>/, {train,val}/{sketch,photo}/<class>/, or .ndjson files of strokes."
)


@dataclass(frozen=True)
class QuickDrawOptions:
    """How strokes are taken and drawn; pictures stay as they are."""

    line_width: float = setting(
        LINE_WIDTH, key="line-width", help="of rendered strokes, in pixels on a canvas of 256"
    )
    drawings: int = setting(3000, help="drawings of a class taken from strokes; 0 takes all")
    unrecognized: bool = setting(False, help="drawings too that Google's network did not know")
    classes: Literal["extended", "all"] = setting(
        "extended", help="extended: the 110 classes of QuickDraw Extended; all: of every file"
    )

    def __post_init__(self) -> None:
        check_line_width(self.line_width)


@DATASETS.register
class QuickDraw(Dataset):
    """110 classes of quick drawings, and photos of them."""

    name = "quickdraw"
    title = "QuickDraw Extended: 110 classes, about 330,000 sketches and 204,000 photos"
    page = "https://datasets.cvc.uab.es/QuickDraw/"
    download = "QuickDraw_sketches_final.zip and QuickDraw_images_final.zip"
    Options = QuickDrawOptions

    def read(
        self,
        trees: Mapping[str, Sequence[Tree]],
        options: QuickDrawOptions,
        *,
        name: str,
        report: Reporter = SILENT,
    ) -> RawDataset:
        """See `Dataset.read`."""
        inputs = trees["from"]
        found = read_class_folders(inputs, _LAYOUTS, self.name)
        strokes = ndjson_files(inputs)
        if strokes:
            _add_drawings(found, inputs, strokes, options)
        must_have(found, "sketch", "QuickDraw", _EXPECTED)
        if not strokes:
            must_have(found, "photo", "QuickDraw", _EXPECTED)
        comparison = compare(
            found.items,
            published_counts(self.name),
            {"sketches": "sketches", "photos": "photos"},
            catalogue(self.name).totals("sketches", "photos"),
        )
        return RawDataset(
            dataset=self.name,
            items=tuple(found.items),
            read=ReadDrawings(tuple(tree.read for tree in inputs), Pen(options.line_width, CANVAS)),
            identity=digest_json([[tree.identity for tree in inputs], asdict(options)]),
            layout=found.layout,
            ignored=+found.ignored,  # without the zeros
            facts={"options": asdict(options), "comparison": comparison.facts},
            remarks=(f"Layout: {found.layout}.", *found.remarks, *comparison.lines),
        )


def _add_drawings(
    found: ClassFolders,
    trees: Sequence[Tree],
    files: Sequence[tuple[int, bytes]],
    options: QuickDrawOptions,
) -> None:
    """Add the drawings of .ndjson files as sketches."""
    if found.count("sketch"):
        raise MismatchError(
            "There are both pictures of sketches and .ndjson files of strokes.",
            "Give one of them with --from.",
        )
    found.ignored.subtract({NO_IMAGE: len(files)})
    taken: Counter[str] = Counter()
    unreadable = 0
    known = {key(name) for name in published_counts("quickdraw")}
    sizes = {(i, f.path): f for i, tree in enumerate(trees) for f in tree.others}
    for tree, path in files:
        entries, bad = drawings(trees[tree], path)
        unreadable += bad
        for one in entries:
            class_name = canonical(WORDS.get(one.word, one.word), "quickdraw")
            reason = _left(key(class_name) in known, one.recognized, taken[class_name], options)
            if reason:
                found.ignored[reason] += 1
                continue
            taken[class_name] += 1
            found.items.append(
                RawItem(
                    id=found.ids.new("sketch", class_name, f"{one.key}.png".encode()),
                    path=one.path,
                    modality="sketch",
                    class_name=class_name,
                    tree=tree,
                    size=int(one.path.rpartition(b"+")[2]),
                    stamp=sizes[tree, path].stamp,
                )
            )
    found.layout = ", ".join(filter(None, [found.layout, "strokes (.ndjson)"]))
    told = f"{sum(taken.values()):,} drawings of {len(taken)} classes, rendered at a line width of "
    found.remarks += (f"{told}{options.line_width:g} of {CANVAS} pixels.",)
    if unreadable:
        found.remarks += (f"{unreadable:,} lines of strokes cannot be read.",)


def _left(known: bool, recognized: bool, taken: int, options: QuickDrawOptions) -> str:
    """Why a drawing is left aside, "" for those that are taken."""
    if options.classes == "extended" and not known:
        return "drawings of other classes"
    if not recognized and not options.unrecognized:
        return "drawings that were not recognized"
    if options.drawings and taken >= options.drawings:
        return f"drawings beyond {options.drawings:,} of a class"
    return ""
