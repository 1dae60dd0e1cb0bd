"""200 random rankings, with ties and without, beside pytrec_eval and ranx where they are installed.

What differs, and why; each is asserted below, and nothing else may differ:

- AP@K: theirs divides by R, the definition `ffmln-paper`; `standard` divides by min(K, R).
- Equal scores: trec_eval, and our reader of its files, put the later name first. ranx leaves them
  in an order of its own, so its figures differ where photos of one score are relevant and not;
  with the same order spelled out in the scores they do not.
- Queries without a relevant photo are 0 for them and left out by `standard`.
"""

import numpy as np
import pytest

from sbirctl.retrieval import ranked_lists
from sbirctl.retrieval.definitions import get
from sbirctl.retrieval.metrics import parse
from sbirctl.retrieval.trec import read_trec

QUERIES, PHOTOS, CUT = 200, 60, 25
# {ours: (pytrec_eval's name when asked for, as it answers; ranx's)}
NAMES = {
    "map@all": ("map", "map", "map"),
    "map@10": ("map_cut.10", "map_cut_10", "map@10"),
    "prec@10": ("P.10", "P_10", "precision@10"),
    "recall@10": ("recall.10", "recall_10", "recall@10"),
    "ndcg@10": ("ndcg_cut.10", "ndcg_cut_10", "ndcg@10"),
    "ndcg@all": ("ndcg", "ndcg", "ndcg"),
    "mrr": ("recip_rank", "recip_rank", "mrr"),
    "r-precision": ("Rprec", "Rprec", "r-precision"),
    "hit@5": ("success.5", "success_5", "hit_rate@5"),
}


@pytest.fixture(scope="module", params=["tied", "distinct", "cut"])
def rankings(request, tmp_path_factory):
    """(folder with TREC's files, judgements, scores, kind); few, some and most are relevant."""
    rng = np.random.default_rng(11)
    judged, ranked = {}, {}
    for q in range(QUERIES):
        relevant = rng.random(PHOTOS) < [0.05, 0.3, 0.9][q % 3]
        relevant[rng.integers(PHOTOS)] = True
        judged[f"q{q}"] = {f"g{g}": int(relevant[g]) for g in range(PHOTOS)}
        scores = rng.permutation(PHOTOS) / 4 - 7
        if request.param == "tied":
            scores = rng.integers(-3, 4, PHOTOS) / 4
        shown = rng.permutation(PHOTOS)[: CUT if request.param == "cut" else PHOTOS]
        ranked[f"q{q}"] = {f"g{g}": float(scores[g]) for g in shown}
    folder = tmp_path_factory.mktemp(request.param)
    with open(folder / "run.txt", "w") as run, open(folder / "qrels.txt", "w") as qrels:
        for query, photos in ranked.items():
            run.writelines(f"{query} Q0 {g} 0 {s} x\n" for g, s in photos.items())
        for query, photos in judged.items():
            qrels.writelines(f"{query} 0 {g} {r}\n" for g, r in photos.items())
    return folder, judged, ranked, request.param


def ours(folder, name):
    """{query: value} of our reader, under the definition that theirs is."""
    lists = read_trec(folder / "run.txt", folder / "qrels.txt")
    definition = get("ffmln-paper" if name == "map@10" else "standard")
    (values,) = ranked_lists.measure(lists, [parse(name)], definition).values.values()
    return dict(zip(lists.query, values.tolist(), strict=True))


def differing(mine, theirs):
    """Queries whose values differ by more than rounding."""
    assert len(mine) == QUERIES
    assert mine.keys() == theirs.keys()
    return {query for query in mine if not abs(mine[query] - theirs[query]) < 1e-9}


def names_of(kind):
    return [name for name in NAMES if kind != "cut" or ("@all" not in name and "@" in name)]


def test_pytrec_eval_agrees_with_ties_too(rankings):
    pytrec_eval = pytest.importorskip("pytrec_eval", reason="pytrec_eval is not installed")
    folder, judged, ranked, kind = rankings
    asked = {asked for asked, _, _ in NAMES.values()}
    theirs = pytrec_eval.RelevanceEvaluator(judged, asked).evaluate(ranked)
    for name in names_of(kind):
        found = {query: values[NAMES[name][1]] for query, values in theirs.items()}
        assert differing(ours(folder, name), found) == set(), name


def mixed(judged, ranked):
    """Queries in which photos of one score are relevant and not."""
    found = set()
    for query, photos in ranked.items():
        kinds = {}
        for photo, score in photos.items():
            kinds.setdefault(score, set()).add(judged[query][photo])
        if any(len(kind) == 2 for kind in kinds.values()):
            found.add(query)
    return found


def test_ranx_agrees_where_no_scores_are_equal(rankings):
    ranx = pytest.importorskip("ranx", reason="ranx is not installed")
    folder, judged, ranked, kind = rankings
    qrels = ranx.Qrels({q: {g: r for g, r in d.items() if r} for q, d in judged.items()})
    names = names_of(kind)

    def theirs(scores):
        run = ranx.Run(scores)
        ranx.evaluate(qrels, run, [NAMES[name][2] for name in names])
        return {name: dict(run.scores[NAMES[name][2]]) for name in names}

    spelled = {}  # trec_eval's order of equal scores, as distinct scores
    for query, photos in ranked.items():
        order = sorted(photos, key=lambda photo: (photos[photo], photo))
        spelled[query] = {photo: float(place) for place, photo in enumerate(order)}
    as_they_are, in_our_order = theirs(ranked), theirs(spelled)
    explained = mixed(judged, ranked)
    assert bool(explained) == (kind == "tied")
    for name in names:
        mine = ours(folder, name)
        assert differing(mine, as_they_are[name]) <= explained, name
        assert differing(mine, in_our_order[name]) == set(), name


def test_ap_at_k_differs_by_its_divisor_alone(rankings):
    pytrec_eval = pytest.importorskip("pytrec_eval", reason="pytrec_eval is not installed")
    folder, judged, ranked, _ = rankings
    theirs = pytrec_eval.RelevanceEvaluator(judged, {"map_cut.10"}).evaluate(ranked)
    lists = read_trec(folder / "run.txt", folder / "qrels.txt")
    (values,) = ranked_lists.measure(lists, [parse("map@10")], get("standard")).values.values()
    for query, value, relevant in zip(lists.query, values, lists.relevant, strict=True):
        expected = theirs[query]["map_cut_10"] * relevant / min(10, relevant)
        assert value == pytest.approx(expected, abs=1e-9)


def test_a_query_without_a_relevant_photo_is_left_out_here_and_0_there(tmp_path):
    pytrec_eval = pytest.importorskip("pytrec_eval", reason="pytrec_eval is not installed")
    judged = {"q0": {"g0": 1, "g1": 0}, "q1": {"g0": 0, "g1": 0}}
    ranked = {query: {"g0": 1.0, "g1": 0.5} for query in judged}
    theirs = pytrec_eval.RelevanceEvaluator(judged, {"map"}).evaluate(ranked)
    assert {query: value["map"] for query, value in theirs.items()} == {"q0": 1.0, "q1": 0.0}
    (tmp_path / "run.txt").write_text(
        "".join(f"{q} Q0 {g} 0 {s} x\n" for q, d in ranked.items() for g, s in d.items())
    )
    (tmp_path / "qrels.txt").write_text(
        "".join(f"{q} 0 {g} {r}\n" for q, d in judged.items() for g, r in d.items())
    )
    lists = read_trec(tmp_path / "run.txt", tmp_path / "qrels.txt")
    assert lists.query == ("q0",)
