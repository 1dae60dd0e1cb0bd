"""t-SNE of sketches and photos in one space: the points, what they are worth, and the picture.

van der Maaten & Hinton, "Visualizing Data using t-SNE", JMLR 2008; Barnes-Hut as scikit-learn has
it, on principal components, from a fixed seed. Many points are laid out by openTSNE where it is
installed, whose forces are interpolated on a grid (Linderman et al., Nature Methods 2019).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any

import numpy as np

from sbirctl.core.errors import MismatchError, UsageError, nearest
from sbirctl.core.progress import SILENT, Reporter
from sbirctl.core.seeds import rng_for
from sbirctl.report.trustworthiness import trustworthiness
from sbirctl.retrieval.embeddings import Embeddings
from sbirctl.retrieval.normalisation import normalise_rows
from sbirctl.store.manifest import MODALITIES

_COMPONENTS = 50  # of PCA before t-SNE, as van der Maaten & Hinton do
_NEIGHBOURS = 10  # of trustworthiness
_FEWEST = 8  # points; t-SNE of fewer says nothing
_MANY = 5_000  # points from which openTSNE is taken; at 3,000 scikit-learn is as fast
_DIGITS = 1e5  # of a component; float32 arithmetic alone differs in the seventh
BARNES_HUT, INTERPOLATED = "scikit-learn", "openTSNE"
MOST = 20_000
"""Points of a t-SNE; a picture of more is a blot."""


@dataclass(frozen=True)
class TsneSettings:
    """What is shown and how it is laid out.

    Attributes:
        classes: names of the classes to show, () for all.
        per_class: most sketches, and most photos, of a class; 0 for all.
        max_points: most points in all, at most `MOST`; classes are thinned alike to keep it.
        perplexity: of t-SNE; lowered to a third of the points where there are few.
        seed: of subsampling and of t-SNE.
    """

    classes: tuple[str, ...] = ()
    per_class: int = 0
    max_points: int = 3000
    perplexity: float = 30.0
    seed: int = 0


@dataclass(frozen=True)
class Projection:
    """Points of one test side in the plane.

    Attributes:
        xy: (n, 2) float32.
        label: (n,) int64, index into `classes`.
        modality: (n,) int64, index into `store.manifest.MODALITIES`.
        row: (n,) int64, row among the queries (sketches) or the gallery (photos).
        path: paths of the images for people, "" where they are not known.
        classes: names of the classes shown.
        facts: plain values: counts shown and in all, trustworthiness (Venna & Kaski 2001, 10
            neighbours by cosine in the embedding space), modality gap (Liang et al., NeurIPS
            2022: distance between the mean sketch and the mean photo of the L2-normalised
            embeddings, over all images of the classes shown), and the settings.
    """

    xy: np.ndarray
    label: np.ndarray
    modality: np.ndarray
    row: np.ndarray
    path: tuple[str, ...]
    classes: tuple[str, ...]
    facts: dict[str, Any]


def project(
    embeddings: Embeddings, settings: TsneSettings, report: Reporter = SILENT
) -> Projection:
    """Lay out sketches and photos together; `report` is told where that takes minutes.

    Raises:
        UsageError: an unknown class, or a setting that cannot hold.
        MismatchError: too few points remain, or points that do not differ.
    """
    whole = _gather(embeddings, _chosen(embeddings, settings.classes))
    shown = whole.take(_subsample(whole, settings))
    count = len(shown.vectors)
    if count < _FEWEST:
        raise MismatchError(
            f"{count} points are too few for t-SNE.", f"Show at least {_FEWEST}: more classes."
        )
    _check_spread(shown.vectors)
    perplexity = min(settings.perplexity, (count - 1) / 3)
    method = method_of(count)
    if count > _MANY and method == BARNES_HUT:
        report.note(
            f"t-SNE of {count:,} points takes minutes; openTSNE is three times as fast "
            "(`pip install 'sbirctl[tsne]'`)."
        )
    xy = lay_out(shown.vectors, perplexity, settings.seed, method)
    facts = {
        "sketches": int((shown.modality == 1).sum()),
        "photos": int((shown.modality == 0).sum()),
        "sketches_in_all": int((whole.modality == 1).sum()),
        "photos_in_all": int((whole.modality == 0).sum()),
        "trustworthiness": trustworthiness(shown.vectors, xy, min(_NEIGHBOURS, (count - 1) // 2)),
        "modality_gap": modality_gap(
            whole.vectors[whole.modality == 1], whole.vectors[whole.modality == 0]
        ),
        "perplexity": float(perplexity),
        "seed": settings.seed,
        "pca": min(_COMPONENTS, count, shown.vectors.shape[1]),
        "method": f"{method} {version(method)}",
    }
    return Projection(
        xy, shown.label, shown.modality, shown.row, shown.path, shown.classes, facts
    )  # fmt: skip


def _check_spread(vectors: np.ndarray) -> None:
    """Refuse points that t-SNE cannot lay out: it divides by their spread.

    Raises:
        MismatchError: fewer than `_FEWEST` different vectors (all are, in one dimension).
    """
    count = len(vectors)
    different = len(np.unique(np.round(vectors * _DIGITS).astype(np.int32), axis=0))
    if different < _FEWEST:
        raise MismatchError(
            f"These {count:,} points have only {different:,} distinct "
            f"{'vector' if different == 1 else 'vectors'}: a t-SNE would show nothing.",
            "The model has probably collapsed; `sbirctl audit` says more. Look at how it was "
            "trained.",
        )


def shared_classes(sides: Sequence[Embeddings]) -> tuple[str, ...]:
    """Names of the classes that all test sides have, in the first one's order.

    Raises:
        MismatchError: there is none.
    """
    shared = set.intersection(*(set(side.classes) for side in sides))
    if not shared:
        raise MismatchError(
            "The runs have no class in common.", "Compare runs on one data set and split."
        )
    return tuple(name for name in sides[0].classes if name in shared)


def modality_gap(sketches: np.ndarray, photos: np.ndarray) -> float:
    """Distance between the mean sketch and the mean photo, (n, D) L2-normalised rows each.

    Liang et al., "Mind the Gap", NeurIPS 2022, Section 2.
    """
    between = sketches.mean(axis=0, dtype=np.float64) - photos.mean(axis=0, dtype=np.float64)
    return float(np.linalg.norm(between))


@dataclass(frozen=True)
class _Points:
    """Normalised vectors of both modalities, one after the other, photos first."""

    vectors: np.ndarray
    label: np.ndarray
    modality: np.ndarray
    row: np.ndarray
    path: tuple[str, ...]
    classes: tuple[str, ...]

    def take(self, which: np.ndarray) -> _Points:
        return replace(
            self,
            vectors=self.vectors[which],
            label=self.label[which],
            modality=self.modality[which],
            row=self.row[which],
            path=tuple(self.path[i] for i in which),
        )


def _chosen(embeddings: Embeddings, names: Sequence[str]) -> np.ndarray:
    """Codes of the classes to show, in the order of the file or as asked for."""
    if not names:
        both = np.concatenate([embeddings.query_label, embeddings.gallery_label])
        return np.unique(both)
    known = {name: code for code, name in enumerate(embeddings.classes)}
    for name in names:
        if name not in known:
            raise UsageError(f"There is no class {name!r} here.", nearest(name, known))
    return np.array([known[name] for name in dict.fromkeys(names)], dtype=np.int64)


def _gather(embeddings: Embeddings, codes: np.ndarray) -> _Points:
    place = np.full(len(embeddings.classes), -1, dtype=np.int64)
    place[codes] = np.arange(len(codes))
    vectors, labels, modalities, rows, paths = [], [], [], [], []
    for number, side in enumerate(("gallery", "query")):  # the order of MODALITIES
        label = place[getattr(embeddings, f"{side}_label")]
        row = np.flatnonzero(label >= 0)
        vectors.append(normalise_rows(getattr(embeddings, side)[row]))
        labels.append(label[row])
        modalities.append(np.full(len(row), number, dtype=np.int64))
        rows.append(row)
        column = getattr(embeddings, f"{side}_path")
        paths += [_text(column[i]) if column is not None else "" for i in row]
    names = tuple(embeddings.classes[code] for code in codes)
    return _Points(
        np.concatenate(vectors), np.concatenate(labels), np.concatenate(modalities),
        np.concatenate(rows), tuple(paths), names,
    )  # fmt: skip


def _text(path: bytes) -> str:
    return path.decode("utf-8", "backslashreplace")


def _subsample(points: _Points, settings: TsneSettings) -> np.ndarray:
    """Indices of the points to show, ascending: at most so many a class and modality."""
    if settings.per_class < 0:
        raise UsageError(f"--each {settings.per_class} leaves no point.", "Try 100.")
    if not 1 <= settings.max_points <= MOST:
        raise UsageError(
            f"--max-points {settings.max_points} is not between 1 and {MOST}.",
            "More points than that make a blot; choose classes with --classes.",
        )
    if not 0 < settings.perplexity < np.inf:
        raise UsageError(f"The perplexity {settings.perplexity} is no positive number.", "Try 30.")
    groups = [
        np.flatnonzero((points.label == code) & (points.modality == number))
        for code in range(len(points.classes))
        for number in range(len(MODALITIES))
    ]
    sizes = np.array([len(group) for group in groups])
    most = settings.per_class or int(sizes.max())
    # The largest cut at which the sum of min(size, cut) keeps the limit.
    while most > 1 and np.minimum(sizes, most).sum() > settings.max_points:
        most -= max((int(np.minimum(sizes, most).sum()) - settings.max_points) // len(groups), 1)
    kept = []
    for number, group in enumerate(groups):
        rng = rng_for(settings.seed, "tsne", points.classes[number // 2], number % 2)
        kept.append(group if len(group) <= most else rng.permutation(group)[:most])
    return np.sort(np.concatenate(kept))


def method_of(count: int) -> str:
    """Which library lays out so many points: a rule, not a trial."""
    return INTERPOLATED if count > _MANY and find_spec(INTERPOLATED) else BARNES_HUT


def lay_out(vectors: np.ndarray, perplexity: float, seed: int, method: str) -> np.ndarray:
    """(n, 2) float32: t-SNE of (n, D) vectors, by `BARNES_HUT` or `INTERPOLATED`."""
    from sklearn.decomposition import PCA
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    kept = min(_COMPONENTS, *vectors.shape)
    # Sums over several threads differ in the last bits, which t-SNE makes visible; and its many
    # short parallel loops crawl on a machine that is busy with something else.
    with threadpool_limits(1):
        reduced = PCA(kept, svd_solver="full").fit_transform(vectors)
        if method == INTERPOLATED:
            import openTSNE

            # exact neighbours, as scikit-learn takes them
            layout = openTSNE.TSNE(
                perplexity=perplexity, initialization="pca", neighbors="exact",
                negative_gradient_method="fft", n_jobs=1, random_state=seed,
            ).fit(reduced)  # fmt: skip
        else:
            from sklearn.manifold import TSNE

            made = TSNE(perplexity=perplexity, init="pca", random_state=seed)
            layout = made.fit_transform(reduced)
        return np.asarray(layout, dtype=np.float32)
