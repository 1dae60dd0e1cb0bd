"""Searching a gallery against `evaluate`, and engines against exact, on a data set's own files.

    python benchmarks/search_quality.py RUN PHOTOS SKETCHES [--gallery NAME] [--engines A,B]

PHOTOS and SKETCHES are folders with a sub-folder a class, somewhere below. The photos are those of
the gallery (`sbirctl index PHOTOS --model RUN`). prec@10 of the sketches of the run's unseen
classes, against the photos of these classes, is computed from what the gallery holds (half
precision, the searcher's own preprocessing of files) and by `evaluate` from `embed`'s file.
recall@20 of the engines is over the whole gallery, asked with all sketches of the unseen classes.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import numpy as np

from sbirctl.drawings.reading import read_drawing
from sbirctl.galleries.engines import ID, engine_class, recall
from sbirctl.galleries.searcher import Searcher
from sbirctl.pipeline.embed import embed
from sbirctl.pipeline.evaluate import evaluate
from sbirctl.pipeline.scores import EvaluateRequest
from sbirctl.retrieval.embeddings import Embeddings, write


def by_class(folder: Path, classes: list[str]) -> list[tuple[Path, str]]:
    """Files whose folder is called like a class (blanks may be underscores), sorted."""
    names = {name.replace(" ", "_"): name for name in classes}
    found = [(p, names[p.parent.name]) for p in folder.rglob("*.*") if p.parent.name in names]
    return sorted(found)


def main() -> None:
    """Print both precisions, and the engines' recall."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("photos", type=Path)
    parser.add_argument("sketches", type=Path)
    parser.add_argument("--gallery", default=None)
    parser.add_argument("--engines", default="faiss:flat,faiss:hnsw,faiss:ivf,faiss:sq,faiss:pq")
    options = parser.parse_args()
    metrics = EvaluateRequest(metrics=("prec@10", "map@all"))
    theirs = evaluate(embed(options.run), metrics)
    unseen = sorted(theirs["unseen"]) if "unseen" in theirs else None
    if unseen is None:
        from sbirctl.core.files import read_json

        unseen = sorted(read_json(options.run / "result.json")["provenance"]["unseen"])
    searcher = Searcher.open(options.gallery)
    sketches = by_class(options.sketches, unseen)
    photos = by_class(options.photos, unseen)
    paths = {file.path: name for name, file in _files(searcher)}
    gallery = np.stack([searcher.vector(paths[os.fsencode(p.absolute())]) for p, _ in photos])
    label = {name: i for i, name in enumerate(unseen)}
    print(f"{len(sketches)} sketches, {len(photos)} photos, {len(unseen)} classes")
    print(f"{'evaluate':28}" + "".join(f"{k} {v:.5f}  " for k, v in theirs["metrics"].items()))
    queries = {}
    for name, more in (("search, as drawn", {"centre": False}), ("search, centred", {})):
        vectors = [
            searcher.embed(
                read_drawing(p.read_bytes(), placement=searcher.placement, **more), "sketch"
            )
            for p, _ in sketches
        ]
        queries[name] = np.stack(vectors)
        own = Embeddings(
            query=queries[name],
            gallery=gallery,
            query_label=np.array([label[c] for _, c in sketches]),
            gallery_label=np.array([label[c] for _, c in photos]),
            classes=tuple(unseen),
        )
        target = options.run / "search-quality.h5"
        write(own, target)
        ours = evaluate(target, metrics)["metrics"]
        target.unlink()
        print(f"{name:28}" + "".join(f"{k} {v:.5f}  " for k, v in ours.items()), flush=True)
    ids = np.array(sorted(name for name, _ in _files(searcher)), dtype=ID)
    ids = np.unique(ids)
    vectors = np.stack([searcher.vector(one.decode()) for one in ids])
    exact = engine_class("exact")("exact", vectors.shape[1])
    exact.add(ids, vectors)
    for spec in options.engines.split(","):
        engine = engine_class(spec)(spec, vectors.shape[1])
        engine.add(ids, vectors)
        values = [
            recall(engine, exact, asked, 20) for asked in (queries["search, centred"], vectors)
        ]
        print(
            f"{spec:14} recall@20 asked with sketches {values[0]:.4f}, with photos {values[1]:.4f}"
        )


def _files(searcher: Searcher) -> list[tuple[str, object]]:
    from sbirctl.galleries.gallery import find_gallery

    records = find_gallery(searcher.info.name).records()
    return [(record.id, record.file) for record in records if not record.kind]


if __name__ == "__main__":
    main()
