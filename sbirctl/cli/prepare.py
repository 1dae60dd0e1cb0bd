"""`sbirctl prepare`: raw files to a store."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from sbirctl.cli import _console, _names
from sbirctl.cli._output import Made, made
from sbirctl.core.errors import UsageError

panel = "Pipeline"
order = 1
_OWN = "Your own folders"
_EDGES = "Edge maps"


def command(
    dataset: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            help="Name of a data set; `sbirctl datasets` lists them.",
            autocompletion=_names.known_datasets,
        ),
    ],
    from_: Annotated[
        list[Path] | None,
        typer.Option(
            "--from",
            metavar="PATH",
            help="Folder or archive (.zip, .tar.*, .7z) to read; may be repeated.",
        ),
    ] = None,
    name: Annotated[
        str,
        typer.Option(
            "--name", help="Name for the prepared data set. [default: the data set's own]"
        ),
    ] = "",
    size: Annotated[
        int | None,
        typer.Option("--size", help="Side of the stored images in pixels. [default: 224]"),
    ] = None,
    max_pixels: Annotated[
        int | None,
        typer.Option(
            "--max-pixels", help="Refuse pictures of more pixels than this. [default: 80000000]"
        ),
    ] = None,
    variant: Annotated[
        str | None,
        typer.Option(
            "--variant",
            help="Sketchy: which of its placements of the sketches to read. [default: "
            "tx_000000000000]",
        ),
    ] = None,
    extended: Annotated[
        bool | None,
        typer.Option(
            "--extended/--no-extended",
            help="Sketchy: also read the photos of Sketchy Extended. [default: if they are there]",
        ),
    ] = None,
    line_width: Annotated[
        float | None,
        typer.Option(
            "--line-width",
            help="Width of the lines when strokes are drawn, in 256ths of the side. [default: 2.5]",
        ),
    ] = None,
    copy: Annotated[
        str,
        typer.Option(
            "--copy",
            help="Which published copy to download without --from; --dry-run lists them.",
            autocompletion=_names.copies,
        ),
    ] = "",
    photos: Annotated[
        Path | None,
        typer.Option(
            "--photos",
            metavar="DIR",
            help="Folder of photos with a sub-folder for each class.",
            rich_help_panel=_OWN,
        ),
    ] = None,
    sketches: Annotated[
        Path | None,
        typer.Option(
            "--sketches",
            metavar="DIR",
            help="Folder of sketches with a sub-folder for each class.",
            rich_help_panel=_OWN,
        ),
    ] = None,
    pairs: Annotated[
        Literal["stem"] | None,
        typer.Option(
            "--pairs",
            help="How sketches name their photo. stem: STEM-1 and STEM_2 are sketches of the"
            " photo STEM.",
            rich_help_panel=_OWN,
        ),
    ] = None,
    exclude: Annotated[
        list[str] | None,
        typer.Option(
            "--exclude",
            metavar="PATTERN",
            help="Leave out files and folders whose name or path matches; may be repeated.",
            rich_help_panel=_OWN,
        ),
    ] = None,
    unseen: Annotated[
        list[str] | None,
        typer.Option(
            "--unseen",
            metavar="A,B",
            help="Classes to keep out of training; may be repeated.",
            rich_help_panel=_OWN,
        ),
    ] = None,
    unseen_file: Annotated[
        Path | None,
        typer.Option(
            "--unseen-file",
            metavar="FILE",
            help="File that lists the classes to keep out of training, one a line.",
            rich_help_panel=_OWN,
        ),
    ] = None,
    unseen_fraction: Annotated[
        float | None,
        typer.Option(
            "--unseen-fraction",
            metavar="SHARE",
            help="Keep this share of the classes, drawn at random, out of training.",
            rich_help_panel=_OWN,
        ),
    ] = None,
    seed: Annotated[
        int,
        typer.Option(
            "--seed", help="Seed of the classes that --unseen-fraction draws.", rich_help_panel=_OWN
        ),
    ] = 0,
    edges: Annotated[
        str | None,
        typer.Option(
            "--edges",
            metavar="METHOD",
            autocompletion=_names.edge_methods,
            help="Also make edge maps of all photos, by gb, gb-color or canny.",
            rich_help_panel=_EDGES,
        ),
    ] = None,
    edges_from: Annotated[
        Path | None,
        typer.Option(
            "--edges-from",
            metavar="DIR",
            help="Folder of edge maps made elsewhere: CLASS/STEM.png for each photo, dark on"
            " white.",
            rich_help_panel=_EDGES,
        ),
    ] = None,
    edges_set: Annotated[
        list[str] | None,
        typer.Option(
            "--edges-set",
            metavar="KEY=VALUE",
            help="Change a parameter of the edge method; may be repeated.",
            autocompletion=_names.edge_parameters,
            rich_help_panel=_EDGES,
        ),
    ] = None,
    device: Annotated[
        str,
        typer.Option(
            "--device",
            help="Where to compute edge maps: auto, cpu, cuda, cuda:1 or mps.",
            autocompletion=_names.devices,
            rich_help_panel=_EDGES,
        ),
    ] = "auto",
    max_bad: Annotated[
        str,
        typer.Option(
            "--max-bad",
            help="Fail when more files than this are unreadable: a number, or a share such as 1%.",
        ),
    ] = "1%",
    workers: Annotated[
        int | None,
        typer.Option(
            "--workers", min=1, help="How many processes decode images. [default: one a processor]"
        ),
    ] = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Start over, whatever was prepared before.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what is there and what would be downloaded.")
    ] = False,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="Change an option of the data set's reader; may be repeated.",
            autocompletion=_names.dataset_options,
        ),
    ] = None,
) -> Made:
    """Decode and resize a data set's images once; prints the path of the store.

    Without --from the publisher's archives are fetched; their terms of use are shown first.

    It can be stopped at any time; the same command continues, and prints the path at once when the
    store is there.
    """
    from sbirctl.core.config import parse_assignments
    from sbirctl.pipeline.prepare import BadLimit, check_inputs, prepare

    make_edges = _edges(edges, edges_from, edges_set, device)
    inputs = {"from": from_, "photos": photos and [photos], "sketches": sketches and [sketches]}
    options: dict[str, Any] = parse_assignments(set_ or [])
    options |= _given(
        variant=variant,
        extended={None: None, True: "yes", False: "no"}[extended],
        **{"line-width": line_width},
        pairs=pairs,
        exclude=exclude or None,
    )
    folder = prepare(
        dataset,
        check_inputs(dataset, name, _given(**inputs)),
        name=name,
        options=options,
        settings=_given(size=size, max_pixels=max_pixels),
        unseen=_unseen(unseen, unseen_file, unseen_fraction, seed),
        max_bad=BadLimit(max_bad),
        workers=workers,
        fresh=fresh,
        dry_run=dry_run,
        copy=copy,
        report=_console.reporter(),
    )
    if folder is None:
        return Made({"path": None})
    make_edges(folder)
    return made(folder)


def _given(**values: Any) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}


def _unseen(names: list[str] | None, file: Path | None, fraction: float | None, seed: int) -> Any:
    from sbirctl.splits.store_lists import UnseenChoice

    if not names and file is None and fraction is None:
        return None
    return UnseenChoice(tuple(names or ()), file, fraction, seed)


def _edges(
    method: str | None, maps: Path | None, assignments: list[str] | None, device: str
) -> Callable[[Path], object]:
    """What makes the edge maps of a store; mistakes are found before the long work on images.

    Raises:
        UsageError: an unknown method, parameter or device, or options that exclude each other.
        MissingError: there is no folder of maps.
    """
    from functools import partial

    from sbirctl.core.config import parse_assignments
    from sbirctl.edges import edge_settings
    from sbirctl.pipeline.edges import edge_device, prepare_edges
    from sbirctl.store.edge_folder import check_folder

    report = _console.reporter()
    if maps is not None:
        if method is not None or assignments:
            raise UsageError(
                "--edges-from takes maps as they are.", "Leave out --edges and --edges-set."
            )
        check_folder(maps.expanduser())
        return partial(prepare_edges, maps=maps.expanduser(), report=report)
    if method is None:
        if assignments or device != "auto":
            name = "--edges-set" if assignments else "--device"
            raise UsageError(f"{name} is for edge maps and needs a method.", "Add --edges gb.")
        return lambda _: None
    if device != "auto":
        edge_device(device)
    parameters = parse_assignments(assignments or [])
    edge_settings(method, parameters)
    return partial(
        prepare_edges, method=method, parameters=parameters, device=device, report=report
    )
