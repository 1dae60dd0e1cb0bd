"""A run's gallery as it was embedded, and its model ready for more sketches."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sbirctl.core.errors import MismatchError, MissingError
from sbirctl.core.files import display_path
from sbirctl.core.home import newest_run
from sbirctl.core.progress import SILENT, Reporter
from sbirctl.pipeline.evaluate import find_embeddings, read_embeddings

if TYPE_CHECKING:
    import numpy as np

    from sbirctl.inference.encoder import Encoder
    from sbirctl.retrieval.embeddings import Embeddings
    from sbirctl.retrieval.rerank.pairs import PairScorer

_BATCH = 64
_PER_QUERY = ("label", "instance", "group", "path", "digest")


def open_run(
    run: Path | None,
    *,
    dataset: str = "",
    split: str = "",
    leaks: str = "refuse",
    device: str = "auto",
    report: Reporter = SILENT,
) -> tuple[Path, Embeddings, Encoder]:
    """The embeddings of a run's test side, and its model.

    Args:
        run: its folder, name or checkpoint; None for the newest.
        dataset, split, leaks: other data to test on, as `embed` takes them.

    Returns:
        The embeddings file, what it holds, and the model in torch.

    Raises:
        MissingError: there is no such run.
        MismatchError: the embeddings are of other weights.
    """
    from sbirctl.galleries.torch_models import from_checkpoint
    from sbirctl.pipeline.embed import embed
    from sbirctl.training.find import find_checkpoint

    chosen = newest_run() if run is None else run
    checkpoint = find_checkpoint(str(chosen), report)
    if dataset or split or chosen.is_file():
        path = embed(
            checkpoint, dataset=dataset, split=split, leaks=leaks, device=device, report=report
        )
    else:
        path = find_embeddings(checkpoint.parent, report)
    e = read_embeddings(path, report)
    record, encoder = from_checkpoint(checkpoint, device=device)
    if e.checkpoint != record.digest:
        raise MismatchError(
            f"{display_path(path)} was made with other weights than {display_path(checkpoint)}.",
            "Embed again: `sbirctl embed RUN --fresh`.",
        )
    return path, e, encoder


def pair_scorer(e: Embeddings, path: Path) -> PairScorer:
    """What scores pairs of a run's own test pictures, by their rows in its embeddings.

    Args:
        e, path: its embeddings of the test side, and where they lie.

    Raises:
        MissingError: the embeddings do not lie in a run.
        MismatchError: its model scores no pairs, or the embeddings are of other weights or
            pictures.
    """
    import numpy as np

    from sbirctl.core.home import CHECKPOINT
    from sbirctl.models import PairModel
    from sbirctl.training.embedding import digests
    from sbirctl.training.embedding_target import from_checkpoint
    from sbirctl.training.pair_scoring import StoredPairs

    checkpoint = path.with_name(CHECKPOINT)
    if not checkpoint.is_file():
        raise MissingError(
            f"{display_path(path)} lies in no run, and pairs need its model.",
            "Name a run: see `sbirctl runs`.",
        )
    found = from_checkpoint(checkpoint, {}, device="auto", weights="")
    if not isinstance(found.model, PairModel):
        raise MismatchError(
            f"{found.model.name} scores no pairs of pictures.",
            "Train a model that does, such as zse, or take another method.",
        )
    test = found.data.partition.test
    same = (
        e.checkpoint == found.digest
        and e.query_digest is not None
        and e.gallery_digest is not None
        and np.array_equal(e.query_digest, digests(test.sketch))
        and np.array_equal(e.gallery_digest, digests(test.photo))
    )
    if not same:
        raise MismatchError(
            f"{display_path(path)} is not of the run's weights and test pictures.",
            "Embed again: `sbirctl embed RUN --fresh`.",
        )
    return StoredPairs(found.model, test)


def embed_sketches(encoder: Encoder, pixels: np.ndarray) -> np.ndarray:
    """(n, dim) float32 of (n, size, size, 1) uint8, some at a time."""
    import numpy as np

    starts = range(0, len(pixels), _BATCH)
    return np.concatenate([encoder.embed(pixels[i : i + _BATCH], "sketch") for i in starts])


def some_queries(e: Embeddings, rows: np.ndarray) -> Embeddings:
    """The embeddings with some of their queries.

    Args:
        rows: (n,) int64, which ones.
    """
    columns: dict[str, Any] = {"query": e.query[rows]}
    for key in _PER_QUERY:
        column = getattr(e, f"query_{key}")
        columns[f"query_{key}"] = None if column is None else column[rows]
    return replace(e, **columns)


def measured(e: Embeddings, metric: str) -> tuple[float, float, float, float]:
    """A figure under the definition `standard`, its 95 % interval, and what chance scores.

    Raises:
        MismatchError: no query has a relevant photo.
    """
    from sbirctl.pipeline.scores import EvaluateRequest, describe
    from sbirctl.retrieval import definitions
    from sbirctl.retrieval.evaluation import evaluate
    from sbirctl.retrieval.metrics import parse

    metrics = [parse(metric)]
    (result,) = evaluate(e, metrics, [definitions.get("standard")])
    scores = describe(e, result, metrics, EvaluateRequest(interval="auto"))
    value = scores["metrics"][metric]
    if value is None:
        raise MismatchError("No query has a relevant photo.", "Choose another run or data set.")
    low, high = scores["intervals"][metric] or (value, value)
    return value, low, high, float(scores["chance"][metric] or 0.0)
