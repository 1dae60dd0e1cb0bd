"""`index`: photos and folders of them in, a gallery that can be searched out."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sbirctl.core.device import keep_freed_memory
from sbirctl.core.errors import CorruptError, MissingError, UsageError, nearest
from sbirctl.core.files import display_path
from sbirctl.core.home import galleries_dir, remove_folders
from sbirctl.core.progress import SILENT, Reporter, going_on

if TYPE_CHECKING:
    from sbirctl.galleries.gallery import Gallery
    from sbirctl.galleries.indexing import IndexOutcome
    from sbirctl.pipeline.gallery_model import ModelChoice


def index(
    folders: Sequence[Path],
    *,
    name: str = "",
    model: ModelChoice | None = None,
    engine: str = "",
    forget: Sequence[Path] = (),
    exclude: Sequence[str] = (),
    include: Sequence[str] = (),
    max_pixels: int | None = None,
    workers: int | None = None,
    device: str = "auto",
    fresh: bool = False,
    report: Reporter = SILENT,
) -> IndexOutcome:
    """Bring a gallery up to date with its folders.

    Args:
        folders: to add to the gallery's, and files; none to look again at those it has.
        name: of the gallery; "" for the name of the first folder, or the only gallery.
        model: what makes the vectors.
        engine: "exact", "faiss:hnsw", …; "" for the gallery's own, or exact.
        forget: folders that are no longer part of the gallery.
        exclude: shell patterns of files and folders to leave out, now and later.
        include: patterns of earlier calls that hold no longer.
        max_pixels: larger pictures are left out; None for the usual limit.
        workers: reading threads, None for one a processor.
        device: auto, cpu, cuda, …; all but the first two mean torch
        fresh: embed everything again.

    Returns:
        What came of it. A stopped call is continued by the same call.

    Raises:
        MissingError: no such folder, no photo, or no such run.
        UsageError: a name, engine or setting that cannot be.
        SbirctlError: the gallery is being indexed already.
    """
    from sbirctl.galleries.engines import EXACT, engine_class
    from sbirctl.galleries.indexing import index as bring_up_to_date
    from sbirctl.galleries.writer import writing
    from sbirctl.pipeline.gallery_model import ModelChoice, choose
    from sbirctl.store.images import MAX_PIXELS

    keep_freed_memory()
    added = [_absolute(folder) for folder in folders]
    place = _gallery_folder(added, name)
    if engine:
        engine_class(engine).check(engine)
    shown = display_path(place.name)
    with going_on(f"while indexing {shown}"), writing(place):
        old = _old(place, added, guessed=not name, fresh=fresh)
        walked = _folders(old, added, forget)
        embedder = choose(model or ModelChoice(), old, device, report)
        if old is not None and old.record.key != embedder.record.key:
            report.note(f"The model is another one than before: {embedder.record.label}.")
        return bring_up_to_date(
            place,
            walked,
            embedder,
            engine or (old.engine if old is not None else EXACT),
            exclude=_patterns(old, exclude, include),
            fresh=fresh,
            max_pixels=MAX_PIXELS if max_pixels is None else max_pixels,
            workers=workers,
            report=report,
        )


def remove(names: Sequence[str]) -> list[Path]:
    """Remove galleries, not their photos; gives their folders.

    Raises:
        MissingError: there is no gallery of that name (nothing is removed then).
        CorruptError: its folder is a link.
        SbirctlError: it is being indexed.
    """
    from sbirctl.galleries.database import DATABASE, refuse_links
    from sbirctl.galleries.gallery import check_name, list_galleries
    from sbirctl.galleries.writer import writing

    places = []
    for name in names:
        check_name(name)
        place = galleries_dir() / name
        refuse_links(place)
        if not place.is_dir():
            known = [info.name for info in list_galleries()]
            raise MissingError(f"There is no gallery {name!r}.", nearest(name, known))
        places.append(place)
    return remove_folders(places, writing, DATABASE)


def _absolute(folder: Path) -> bytes:
    path = os.path.abspath(folder.expanduser())
    if not os.path.exists(path):
        raise MissingError(
            f"There is no folder or file {display_path(folder)}.", "Name a folder with photos."
        )
    if not (os.path.isdir(path) or os.path.isfile(path)):
        raise UsageError(
            f"{display_path(folder)} is neither a folder nor a file.", "Name a folder with photos."
        )
    return os.fsencode(path)


def _gallery_folder(added: Sequence[bytes], name: str) -> Path:
    """The folder of the gallery that is meant.

    Raises:
        UsageError: nothing says which, or its name cannot be.
        MissingError: it is not there, and no folder of photos is named.
    """
    from sbirctl.galleries.database import DATABASE
    from sbirctl.galleries.gallery import check_name, list_galleries

    if not name and not added:
        known = [info.name for info in list_galleries()]
        if len(known) != 1:
            raise UsageError(
                "No folder was named." if not known else "There are several galleries.",
                f"Name {'a folder of photos' if not known else 'one: --gallery ' + known[0]}.",
            )
        name = known[0]
    name = name or _name_of(added[0])
    check_name(name)
    place = galleries_dir() / name
    if not added and not (place / DATABASE).is_file():
        raise MissingError(f"There is no gallery {name!r}.", "Name its folders as well.")
    return place


def _name_of(path: bytes) -> str:
    """What a gallery is called by itself: like a folder, or the one a file lies in."""
    folder = os.path.dirname(path) if os.path.isfile(path) else path
    return display_path(os.path.basename(folder)) or "photos"


def _old(place: Path, added: Sequence[bytes], *, guessed: bool, fresh: bool) -> Gallery | None:
    """The gallery as it is now that nobody else changes it; None where there is none.

    Raises:
        UsageError: its name was only guessed from a folder, and it is one of other folders.
        CorruptError: it is damaged, and not to be made anew from folders that are named.
    """
    from sbirctl.galleries.database import is_there
    from sbirctl.galleries.gallery import Gallery
    from sbirctl.galleries.writer import discard

    if not is_there(place):
        return None
    try:
        old = Gallery.open(place, with_vectors=False)
        old.close()  # what it says is read
    except MissingError:
        return None
    except CorruptError:
        if fresh and added:
            discard(place)
            return None
        raise
    if guessed and not set(added) <= set(old.folders):
        raise UsageError(
            f"There is a gallery {place.name!r} of another folder, {display_path(old.folders[0])}.",
            f"Add to it with --gallery {place.name}, or give this one a name of its own.",
        )
    return old


def _folders(old: Gallery | None, added: Sequence[bytes], forget: Sequence[Path]) -> list[bytes]:
    known = [] if old is None else list(old.folders)
    gone = [os.fsencode(os.path.abspath(folder.expanduser())) for folder in forget]
    for folder in gone:
        if folder not in known:
            raise UsageError(
                f"{display_path(folder)} is no folder of the gallery.",
                f"It has {', '.join(map(display_path, known)) or 'none'}.",
            )
    left = [folder for folder in dict.fromkeys([*known, *added]) if folder not in gone]
    if not left:
        raise UsageError("No folder is left to the gallery.", "Remove it: `sbirctl galleries rm`.")
    return left


def _patterns(
    old: Gallery | None, exclude: Sequence[str], include: Sequence[str]
) -> tuple[bytes, ...]:
    """The gallery's patterns and some more, without those that hold no longer."""
    from sbirctl.datasets.readers.exclude import check_patterns

    known = [] if old is None else list(map(os.fsdecode, old.exclude))
    for pattern in include:
        if pattern not in known:
            raise UsageError(
                f"{pattern!r} is no pattern of the gallery.",
                f"It has {', '.join(map(display_path, known)) or 'none'}.",
            )
    kept = [pattern for pattern in dict.fromkeys([*known, *exclude]) if pattern not in include]
    return check_patterns(kept)
