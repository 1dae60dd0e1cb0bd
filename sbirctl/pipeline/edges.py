"""`edges`: look at the edge maps of some photos; `prepare --edges`: make those of a store."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sbirctl.core.errors import MissingError, UsageError, nearest
from sbirctl.core.files import display_path
from sbirctl.core.progress import SILENT, Reporter
from sbirctl.edges.settings import CannySettings, GbColorSettings, edge_settings
from sbirctl.pipeline.pictures import read_picture

if TYPE_CHECKING:
    import numpy as np
    import torch

    from sbirctl.report.edge_sheet import SheetRow
    from sbirctl.store.edges import EdgeSource
    from sbirctl.store.reader import Store

WORTH_AN_ESTIMATE = 64  # photos
TRIED = 6  # of them, to estimate the time from
SHEET_METHODS = ("gb", "gb-color")


def edge_device(wanted: str = "auto") -> torch.device:
    """The device that edge maps are computed on: CUDA where there is one, else the processor.

    Soft segmentation needs float64, which Apple's MPS lacks.

    Raises:
        UsageError: there is no such device.
    """
    import torch

    from sbirctl.core.device import pick_device

    device = pick_device(wanted)
    return torch.device("cpu") if device.type == "mps" else device


def edge_sheet(
    images: Sequence[Path],
    output: Path,
    *,
    method: str = "gb",
    parameters: Mapping[str, Any] | None = None,
    size: int = 256,
    device: str = "auto",
    report: Reporter = SILENT,
) -> Path:
    """Draw photo, strength, thin edges and Canny of every image side by side.

    Args:
        images: files of photos; unreadable ones are left out with a warning.
        output: the picture to write; its suffix says of what kind (.png, .svg, .pdf).
        method: "gb" or "gb-color".
        parameters: of the method.
        size: side in pixels that photos are squashed to, as a store does it.
        device: where to compute.
        report: for notes and progress.

    Returns:
        `output`.

    Raises:
        UsageError: an unknown method, parameter or device.
        MissingError: there is no readable image.
    """
    from sbirctl.report.style import check_suffix, save

    check_suffix(output)
    settings = _gb_settings(method, parameters)
    read = [(path, read_picture(path, size, "photo", report)) for path in images]
    photos = [(path, found[0]) for path, found in read if found is not None]
    if not photos:
        raise MissingError("No image could be read.", "Give paths of photos.")
    from sbirctl.report.edge_sheet import edge_sheet as sheet_of

    where = edge_device(device)
    rows = []
    with report.bar("finding edges", len(photos)) as advance:
        for path, photo in photos:
            rows.append(_row(path, photo, settings, where))
            advance()
    save(sheet_of(rows, (f"{method}, strength", f"{method}, edges", "Canny")), output, report)
    return output


def _gb_settings(method: str, parameters: Mapping[str, Any] | None) -> GbColorSettings:
    if method not in SHEET_METHODS:
        raise UsageError(
            f"The sheet shows no method {method!r} beside Canny.", nearest(method, SHEET_METHODS)
        )
    settings = edge_settings(method, parameters)
    assert isinstance(settings, GbColorSettings)
    return settings


def _row(
    path: Path, photo: np.ndarray, settings: GbColorSettings, device: torch.device
) -> SheetRow:
    import torch

    from sbirctl.edges.batched import compute
    from sbirctl.report.edge_sheet import SheetRow

    pixels = torch.tensor(photo, device=device).permute(2, 0, 1)[None]
    strength = replace(settings, thin=False, contours=False, low=0.0, high=0.0)
    lines = replace(settings, thin=True)
    maps = [compute(pixels, one)[0, 0].cpu().numpy() for one in (strength, lines, CannySettings())]
    return SheetRow(display_path(path.name), photo, maps)


def prepare_edges(
    folder: Path,
    *,
    method: str = "gb",
    parameters: Mapping[str, Any] | None = None,
    maps: Path | None = None,
    device: str = "auto",
    report: Reporter = SILENT,
) -> Path:
    """Make the edge maps of all photos of a store, or take them from a folder, and use them.

    Args:
        folder: the store's.
        method: "gb", "gb-color" or "canny"; of no meaning with `maps`.
        parameters: of the method.
        maps: a folder of edge maps made elsewhere, dark on white, `<class>/<photo's stem>.png` (or
            another kind of image), named as the photos were.
        device: where to compute.
        report: for an estimate of the time, and progress.

    Returns:
        The file of the edge maps.

    Raises:
        UsageError: an unknown method, parameter or device.
        MissingError: the folder lacks maps of some photos.
        CorruptError: a map cannot be read.
    """
    from sbirctl.store.edges import missing_rows, write_edges
    from sbirctl.store.reader import Store
    from sbirctl.store.writer import store_lock

    store = Store.open(folder)
    with store_lock(folder):
        if maps is not None:
            from sbirctl.store.edge_folder import edge_folder_source

            source = edge_folder_source(store, maps, report)
        else:
            source = _computed(store, method, parameters, edge_device(device))
            _estimate(source, missing_rows(store, source), report)
        return write_edges(store, source, report=report)


def _computed(
    store: Store, method: str, parameters: Mapping[str, Any] | None, device: torch.device
) -> EdgeSource:
    from sbirctl.core.config import to_dict
    from sbirctl.store.edges import EdgeSource

    settings = edge_settings(method, parameters)

    def make(rows: np.ndarray) -> np.ndarray:
        import torch

        from sbirctl.edges.batched import compute

        photos = torch.from_numpy(store.read("photo", rows)).permute(0, 3, 1, 2).contiguous()
        return compute(photos.to(device), settings).permute(0, 2, 3, 1).cpu().numpy()

    return EdgeSource(method, to_dict(settings), make)


def _estimate(source: EdgeSource, rows: np.ndarray, report: Reporter) -> None:
    """Say how long it will take, from a few photos spread over those to be done."""
    if len(rows) < WORTH_AN_ESTIMATE:
        return
    source.make(rows[:1])  # what is loaded and set up once
    start = time.perf_counter()
    source.make(rows[:: len(rows) // TRIED][:TRIED])
    seconds = (time.perf_counter() - start) / TRIED * len(rows)
    spent = f"{seconds / 60:.0f} minutes" if seconds >= 90 else f"{seconds:.0f} seconds"
    report.note(f"Edge maps of {len(rows):,} photos by {source.method}: about {spent}.")
