"""What data sets there are, whether a prepared one is whole, what is in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sbirctl.core.errors import MissingError, SbirctlError, UsageError, nearest
from sbirctl.core.files import disk_size, display_path
from sbirctl.core.home import datasets_dir, remove_folders
from sbirctl.core.progress import SILENT, Reporter
from sbirctl.datasets import DATASETS
from sbirctl.datasets.published.differences import against_published
from sbirctl.store.reader import MANIFEST, Store
from sbirctl.store.verify import verify
from sbirctl.store.writer import store_lock


@dataclass(frozen=True)
class Listed:
    """One line of `sbirctl datasets`.

    Attributes:
        name: name of the store, or of a reader nothing is prepared from.
        title: what it is.
        state: "prepared", "unfinished", "damaged" or "" for known ones that are not prepared.
        photos, sketches, classes: entries, copies included; None where it is not prepared.
        size: side of the images in pixels.
        bytes: on the disk.
        folder: where it lies.
    """

    name: str
    title: str
    state: str = ""
    photos: int | None = None
    sketches: int | None = None
    classes: int | None = None
    size: int | None = None
    bytes: int | None = None
    folder: Path | None = None


def list_datasets() -> list[Listed]:
    """Prepared and known data sets, sorted by name."""
    root = datasets_dir()
    folders = [path for path in root.iterdir() if path.is_dir()] if root.is_dir() else []
    listed = {folder.name: _listed(folder) for folder in folders}
    for name in DATASETS.names():
        listed.setdefault(name, Listed(name, DATASETS.get(name).title))
    return [listed[name] for name in sorted(listed)]


def verify_dataset(name: str, *, report: Reporter = SILENT) -> Store:
    """Read a prepared data set back from end to end; gives it when it is whole.

    Notes say which published counts it has, source by source.

    Raises:
        MissingError: it is not prepared.
        CorruptError: it is damaged.
    """
    store = Store.open(name)
    verify(store, report=report)
    for line in against_published(store):
        report.note(line)
    return store


def remove_datasets(names: Sequence[str]) -> list[Path]:
    """Remove prepared data sets, unfinished ones too; gives their folders.

    What they were made from stays.

    Raises:
        MissingError: one is not there (nothing is removed then).
        UsageError: one is a link, or no name of a data set.
        SbirctlError: one is being prepared.
    """
    folders = []
    for name in names:
        if name in ("", ".", "..") or "/" in name:
            raise UsageError(f"{name!r} is no name of a data set.", "See `sbirctl datasets`.")
        folder = datasets_dir() / name
        if not folder.is_dir() and not folder.is_symlink():
            known = [one.name for one in list_datasets() if one.folder]
            raise MissingError(f"The data set {name!r} is not prepared.", nearest(name, known))
        folders.append(folder)
    return remove_folders(folders, store_lock, MANIFEST)


def _listed(folder: Path) -> Listed:
    name, size = folder.name, disk_size(folder.resolve())
    try:
        store = Store.open(folder)
        total = store.manifest["counts"][""]
        classes = len(store.manifest["counts"]) - 1
        title = DATASETS.get(store.manifest["dataset"]).title
    except SbirctlError as error:
        states = {3: "unfinished", 4: "of another version"}
        state = states.get(error.exit_code, "damaged")
        return Listed(name, "", state, bytes=size, folder=folder)
    return Listed(
        name,
        title,
        "prepared",
        total.get("photos", 0),
        total.get("sketches", 0),
        classes,
        store.size,
        size,
        folder,
    )


def sheet_dataset(
    name: str,
    output: Path | None = None,
    *,
    classes: Sequence[str] = (),
    each: int = 3,
    size: int = 96,
    across: int = 16,
    seed: int = 0,
    report: Reporter = SILENT,
) -> Path:
    """Samples of a prepared data set, sketches over photos, one column a class.

    Args:
        name: name or folder of the data set.
        output: .png or .pdf; None for `sheet.png` in the data set's folder.
        classes: only these, in this order; empty for all.
        each: sketches, and photos, of a class, drawn at random with `seed`.
        size: side of a picture in pixels.
        across: classes side by side; more go below.

    Raises:
        MissingError: it is not prepared.
        UsageError: an unknown class or a wrong ending.
    """
    from sbirctl.report import sheet_paint, sheet_pdf
    from sbirctl.report.sheet_samples import samples_page

    store = Store.open(name)
    target = output or store.folder / "sheet.png"
    kind = target.suffix.lower()
    if kind not in (".png", ".pdf"):
        raise UsageError(
            f"{target.name!r} has no ending that says what sheet to make.", "End it in .png, .pdf."
        )
    page, limit = samples_page(
        store, classes, each=each, side=size, across=across, seed=seed, fine=1 + (kind == ".pdf")
    )
    if limit:
        report.warn(f"{display_path(target.name)} shows {limit}.")
    if kind == ".pdf":
        sheet_pdf.save_pdf([page], target, report)
    else:
        sheet_paint.save_png(page, target, report)
    return target
