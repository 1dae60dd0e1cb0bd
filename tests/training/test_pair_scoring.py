"""Pairs of stored pictures in bounded memory, against one pair at a time; and by the command."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import tiny_world
import torch

from sbirctl.cli import _app
from sbirctl.core.errors import MismatchError, MissingError
from sbirctl.models import create
from sbirctl.pipeline.embed import embed
from sbirctl.pipeline.rerank import rerank
from sbirctl.pipeline.train import train
from sbirctl.retrieval.embeddings import read, write
from sbirctl.training.embedding import embed_side
from sbirctl.training.pair_scoring import StoredPairs

VIT = {"name": "vit_tiny_patch16_224", "img_size": 32, "depth": 1, "embed_dim": 16, "num_heads": 2}
SMALL = {"backbone": VIT, "size": 32, "cross_heads": 2, "cross_hidden": 16, "pooled": 8}
SETTINGS = [
    *(f"backbone.{key}={value}" for key, value in VIT.items()),
    *(f"{key}={value}" for key, value in SMALL.items() if key != "backbone"),
]


@pytest.mark.parametrize("held", [1, 40_000, 1 << 30])
def test_blocks_of_any_size_score_as_single_pairs_do(partition, held: int) -> None:
    model = create("zse", device="cpu", weights="none", layers=[SMALL])
    subset = partition.train
    rng = np.random.default_rng(0)
    queries = np.array([4, 0, 7, 3])
    photos = np.stack([rng.permutation(len(subset.photo))[:6] for _ in queries])
    found = StoredPairs(model, subset, held)(queries, photos)

    def tokens(side, row: int) -> torch.Tensor:
        pixels = side.store.read(side.modality, side.row[[row]])
        return model.tokens(torch.from_numpy(pixels).permute(0, 3, 1, 2), side.modality)

    for i, query in enumerate(queries):
        for j, photo in enumerate(photos[i]):
            pair = tokens(subset.sketch, query), tokens(subset.photo, photo)
            assert found[i, j] == pytest.approx(float(model.pair_scores(*pair)), abs=1e-5)


def test_the_memory_bounds_what_is_held(partition) -> None:
    model = create("zse", device="cpu", weights="none", layers=[SMALL])
    one = 5 * 16 * 4  # the tokens of 32 pixels in patches of 16, of 16 numbers of 4 bytes
    scorer = StoredPairs(model, partition.train, held=2 * 3 * one)
    held: list[int] = []
    plain = scorer._held
    scorer._held = lambda side, rows: held.append(len(rows)) or plain(side, rows)  # type: ignore
    count = len(partition.train.photo)
    scorer(np.arange(5), np.tile(np.arange(count), (5, 1)))
    assert max(held) == 3


def test_a_run_is_re_ranked_by_its_model_and_says_so(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = train(
        "zse", dataset="small", weights="none", device="cpu", epochs=1,
        assignments=[*SETTINGS, "batch=12", "val=none"],
    )  # fmt: skip
    assert home in run.parents
    plain = read(embed(str(run), device="cpu"))
    made = read(rerank([run], "pairs", ["top=4"]), vectors=False)
    assert made.scores is not None
    assert ((made.scores >= 2).sum(axis=1) == 4).all()
    first = np.argsort(-(plain.query @ plain.gallery.T), axis=1, kind="stable")[:, :4]
    assert (np.take_along_axis(np.asarray(made.scores), first, axis=1) >= 2).all()
    assert made.provenance.after_model == "re-ranked by pairs (top=4)"
    capsys.readouterr()
    assert _app.run(["rerank", str(run), "--method", "pairs", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["path"].endswith("embeddings-pairs.h5")

    write(plain, home / "alone.h5")
    with pytest.raises(MissingError, match="lies in no run"):
        rerank([home / "alone.h5"], "pairs")
    turned = type(plain)(**{**vars(plain), "query_digest": plain.query_digest[::-1]})
    write(turned, run / "embeddings.h5")
    with pytest.raises(MismatchError, match="not of the run's weights and test pictures"):
        rerank([run], "pairs")


def test_a_model_that_scores_no_pairs_is_named(home: Path) -> None:
    run = train(
        "baseline", dataset="small", weights="none", device="cpu", epochs=1,
        assignments=["backbone=mobilenetv2_050", "size=32", "batch=16", "per_class=4"],
    )  # fmt: skip
    assert home in run.parents
    embed(str(run), device="cpu")
    with pytest.raises(MismatchError, match="baseline scores no pairs"):
        rerank([run], "pairs")


def test_embedding_is_the_retrieval_token(partition) -> None:
    model = create("zse", device="cpu", weights="none", layers=[SMALL])
    found = embed_side(model, partition.train.sketch)
    pixels = torch.from_numpy(partition.train.sketch.store.pixels["sketch"][:1])
    token = model.tokens(pixels.permute(0, 3, 1, 2), "sketch")[0, 0]
    expected = (token / token.norm()).numpy()
    row = int(np.flatnonzero(partition.train.sketch.row == 0)[0])
    np.testing.assert_allclose(found[row], expected, atol=1e-5)
    assert tiny_world.SIZE != 32  # the model resizes by itself
