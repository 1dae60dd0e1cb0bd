"""`sbirctl rerank`: re-ranking, query and database expansion, fusion of several rankings."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sbirctl.cli import _console, _names
from sbirctl.cli._output import Made, made

panel = "Pipeline"
order = 35


def command(
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE|RUN|-",
            autocompletion=_names.runs,
            help="Embeddings or a run; to be fused: several; - reads a path from stdin.",
            show_default=False,
        ),
    ],
    method: Annotated[
        str,
        typer.Option(
            "--method",
            metavar="alpha-qe|dba|k-reciprocal|pairs|rrf|score-sum",
            autocompletion=_names.reranking,
            help="Expand queries or gallery, re-rank by mutual neighbours or by the run's model on "
            "pairs, or fuse rankings.",
            show_default=False,
        ),
    ],
    assignments: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="Change a setting of the method; may be repeated.",
            autocompletion=_names.rerank_settings,
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="File to write. [default: NAME-METHOD.h5 beside the first]",
        ),
    ] = None,
) -> Made:
    """Re-rank after the model: a new file for `evaluate` and the others, which they mark.

    Settings: alpha-qe and dba have k and alpha, k-reciprocal has k1, k2 and lambda, pairs has top,
    rrf has constant, score-sum has normalise (min-max or z-score).
    """
    from sbirctl.pipeline.rerank import rerank

    path = rerank(
        [_console.input_path(file) for file in files],
        method,
        assignments or (),
        out,
        _console.reporter(),
    )
    return made(path)
