"""What a data set's reader hands to the store's writer: a list of files and a way to read them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sbirctl.store.manifest import Modality


class Drawn(bytes):
    """Bytes of an image file that was drawn from lines.

    Attributes:
        left_out: what of the drawing it does not show, "" for nothing.
    """

    left_out: str = ""

    @classmethod
    def of(cls, data: bytes, left_out: str) -> Drawn:
        """Such bytes."""
        made = cls(data)
        made.left_out = left_out
        return made


@dataclass(frozen=True, slots=True)
class RawItem:
    """One source file, or one image a function draws.

    Attributes:
        id: unique and printable, `<modality>/<class>/<file name>` or the like.
        path: path below its source as bytes; for a drawn image whatever its function needs.
        modality: "photo" or "sketch".
        class_name: canonical spelling.
        instance: "<class>/<photo stem>" where sketches are paired with photos, else "".
        origin: one of `RawDataset.origins`.
        copy_of: id of the item this one repeats by the publisher's word, else "". Its own pixels
            are used only when that item cannot be read.
        tree: which of several inputs holds it.
        size: bytes of the file, 0 where nobody knows before drawing.
        stamp: changes when the file does (modification time); never enters the store.
    """

    id: str
    path: bytes
    modality: Modality
    class_name: str
    instance: str = ""
    origin: str = ""
    copy_of: str = ""
    tree: int = 0
    size: int = 0
    stamp: int = 0


@dataclass(frozen=True)
class RawDataset:
    """All items of a data set and how to get their bytes.

    Attributes:
        dataset: name of the reader.
        items: in any order; the writer sorts.
        read: gives an item's bytes, or raises OSError or SbirctlError when that one cannot be
            read; `Drawn` bytes say what a drawing lacks. It crosses to worker processes, so it must
            pickle: a function at the top level of a module, a `functools.partial` of one, or an
            object of such a class.
        identity: changes when the source does. For drawn images: a version and the arguments.
        layout: which arrangement of folders was recognised, in words.
        origins: names of the origins, the preferred one for copies first.
        ignored: how many files were left aside, by reason.
        facts: further plain values for the manifest (variant, comparison with published counts).
        remarks: lines for the person who prepares the data set.
        test_instances: the published test side of a fine-grained data set ("<class>/<stem>").
        captions: what people say of their sketches, by the sketch's id.
    """

    dataset: str
    items: tuple[RawItem, ...]
    read: Callable[[RawItem], bytes]
    identity: str
    layout: str = ""
    origins: tuple[str, ...] = ("",)
    ignored: Mapping[str, int] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()
    test_instances: tuple[str, ...] = ()
    captions: Mapping[str, str] = field(default_factory=dict)
