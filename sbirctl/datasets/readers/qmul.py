"""Reading ShoeV2 and ChairV2 of QMUL: photos of one thing each, and sketches drawn from them.

Four arrangements are in use, in folders and archives:

- raw: folders `<name>_photo` and `<name>_sketch` (`_png`, `_svg`) of files, with or without the
  lists `{photo,sketch}_{train,test}.txt` of file names;
- `{train,test}{A,B}`: A holds sketches, B photos;
- coordinates: a pickle `<name>_Coordinate` and a folder `photo`;
- `{train,val,test}/{sketch,photo}/<photo stem>/<file>`, also without the folder of the instance.

A photo is `<stem>.png`, a sketch `<stem>_<k>.png`: the last `_` divides, whatever `k`; chairs'
stems hold `_` and `-` themselves. The photo decides on which side an instance is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar

from sbirctl.core.config import setting
from sbirctl.core.errors import MissingError
from sbirctl.core.files import digest_json
from sbirctl.core.progress import SILENT, Reporter
from sbirctl.datasets import Dataset
from sbirctl.datasets.published.catalogue import catalogue
from sbirctl.datasets.readers.coordinates import FRAME, read_coordinates, strokes_of
from sbirctl.datasets.readers.naming import Ids, before_number
from sbirctl.datasets.readers.qmul_places import Placed, coordinates, one_place, recognise
from sbirctl.datasets.readers.qmul_sides import Lists, Sides, find_sides
from sbirctl.datasets.readers.tree import ReadBytes, Tree
from sbirctl.drawings.strokes import LINE_WIDTH, Pen, as_png, check_line_width, render
from sbirctl.store.raw import Drawn, RawDataset, RawItem

_EXPECTED = (
    "Expected are <name>_photo/ and <name>_sketch/, {train,test}{A,B}/, "
    "{train,val}/{sketch,photo}/<instance>/, or photo/ and <name>_Coordinate."
)


@dataclass(frozen=True)
class PairOptions:
    """How strokes are drawn; pictures stay as they are."""

    line_width: float = setting(
        LINE_WIDTH, key="line-width", help="of rendered strokes, in pixels on a canvas of 256"
    )

    def __post_init__(self) -> None:
        check_line_width(self.line_width)


class PairedSketches(Dataset):
    """A data set of one class whose sketches were each drawn from one of its photos."""

    class_name: ClassVar[str]
    page = "https://sketchx.eecs.qmul.ac.uk/downloads/"
    Options = PairOptions

    def read(
        self,
        trees: Mapping[str, Sequence[Tree]],
        options: PairOptions,
        *,
        name: str,
        report: Reporter = SILENT,
    ) -> RawDataset:
        """See `Dataset.read`."""
        return read_pairs(
            trees["from"],
            dataset=self.name,
            class_name=self.class_name,
            pen=Pen(options.line_width),
            facts=asdict(options),
        )


@dataclass
class ReadPairs:
    """Reads pictures as they are; vector sketches and coordinates are rendered."""

    readers: tuple[ReadBytes, ...]
    pen: Pen
    _held: tuple[int, bytes, Any] | None = field(default=None, repr=False, compare=False)

    def __call__(self, item: RawItem) -> bytes:
        """The bytes of an image file.

        Raises:
            CorruptError: strokes that cannot be drawn.
        """
        file, sign, key = item.path.partition(b"_Coordinate#")
        if sign:
            points = self._coordinates(item.tree, file + b"_Coordinate")[key.decode()]
            return as_png(render(strokes_of(points), self.pen, FRAME))
        data = self.readers[item.tree](item.path)
        if not item.path.lower().endswith(b".svg"):
            return data
        from sbirctl.drawings.svg import parse_svg

        drawing = parse_svg(data)
        made = as_png(render(drawing.strokes, self.pen, drawing.sheet))
        return Drawn.of(made, drawing.remark)

    def _coordinates(self, tree: int, path: bytes) -> Any:
        if self._held is None or self._held[:2] != (tree, path):
            self._held = (tree, path, read_coordinates(self.readers[tree](path)))
        return self._held[2]

    def __getstate__(self) -> dict[str, object]:
        return {"readers": self.readers, "pen": self.pen, "_held": None}


def read_pairs(
    trees: Sequence[Tree], *, dataset: str, class_name: str, pen: Pen, facts: dict[str, Any]
) -> RawDataset:
    """The source of ShoeV2 or ChairV2.

    Args:
        trees: what was given.
        dataset: name of the reader.
        class_name: the one class ("shoe"), which also tells the two data sets' files apart.
        pen: how vector sketches and coordinates are drawn.
        facts: options, for the manifest.

    Raises:
        MissingError: there are no photos or no sketches.
        MismatchError: the same files lie in several places.
    """
    ignored: Counter[str] = Counter()
    for tree in trees:
        ignored.update(tree.ignored)
    found = [f for f in recognise(trees, class_name, ignored) if f is not None]
    photos = one_place([f for f in found if f.modality == "photo"], trees, ignored)
    sketches = one_place([f for f in found if f.modality == "sketch"], trees, ignored)
    ids = Ids()
    drawn = sketches or coordinates(trees, class_name)
    if not photos or not drawn:
        what = "photos" if not photos else "sketches"
        raise MissingError(f"There are no {what} of {class_name}s.", _EXPECTED)
    lists = find_sides(trees, class_name)
    sides = Sides(photos, drawn, lists, ignored)
    items = [_item(f, class_name, f.stem, ids) for f in sides.photos]
    items += [_item(f, class_name, before_number(f.stem, "_"), ids) for f in sides.sketches]
    layout = _words(photos, drawn, lists)
    counts = sides.counts()
    return RawDataset(
        dataset=dataset,
        items=tuple(items),
        read=ReadPairs(tuple(tree.read for tree in trees), pen),
        identity=digest_json([[tree.identity for tree in trees], facts]),
        layout=layout,
        ignored=+ignored,  # without the zeros
        facts={"options": facts, "comparison": {"found": counts}, "lists": sorted(sides.used)},
        remarks=(f"Layout: {layout}.", *sides.remarks(), *_matching(dataset, counts)),
        test_instances=tuple(sorted(f"{class_name}/{name}" for name in sides.tested)),
    )


def _item(found: Placed, class_name: str, instance: str, ids: Ids) -> RawItem:
    path = found.file.path
    name = path.rpartition(b"/")[2]
    return RawItem(
        id=ids.new(found.modality, class_name, name),
        path=path,
        modality=found.modality,
        class_name=class_name,
        instance=f"{class_name}/{instance}" if instance else "",
        tree=found.tree,
        size=found.file.size,
        stamp=found.file.stamp,
    )


def _words(photos: Sequence[Placed], drawn: Sequence[Placed], lists: Lists) -> str:
    words = list(dict.fromkeys([drawn[0].layout, photos[0].layout]))
    text = " and ".join(words)
    if drawn[0].kind == "vectors":
        text += ", sketches as SVG"
    return text + (", with lists" if lists else "")


def _matching(dataset: str, counts: Mapping[str, int]) -> list[str]:
    """Which published numbers these are."""
    told = ", ".join(f"{n:,} {kind.replace('_', ' for ')}" for kind, n in counts.items())
    lines = [f"{told}."]
    for row in catalogue(dataset).published:
        kinds = [kind for kind in row if kind in counts]
        if kinds and all(row[kind] == counts[kind] for kind in kinds):
            lines.append(f"As in {row['source']}: {', '.join(k.replace('_', ' ') for k in kinds)}.")
    if len(lines) == 1:
        lines.append("No source we know of publishes these numbers.")
    return lines
