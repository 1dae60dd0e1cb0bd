"""One ranking under every definition, and the traps that make two figures incomparable."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sbirctl.core.progress import SILENT, Reporter
from sbirctl.retrieval import definitions, metrics
from sbirctl.retrieval.chance import chance_levels
from sbirctl.retrieval.codes import encoder
from sbirctl.retrieval.collapse import TIED, tie_sign, tied_share, vector_signs
from sbirctl.retrieval.embeddings import Embeddings
from sbirctl.retrieval.evaluation import Options, Result, evaluate, impossible

METRICS = ("map@all", "map@200", "prec@100", "prec@200")
_BLOCK = 4096
_SIGN = "torchmetrics>=1.7.4"

Sizes = tuple[int, tuple[int, ...]]  # queries, and galleries in use; 0 and () where not known


@dataclass(frozen=True)
class Audit:
    """What an audit finds.

    Attributes:
        rows: {definition: {metric: figure or None}}, in the order of the presets; those that the
            scores of pairs do not allow are left out, and said in the warnings.
        spread: {metric: (smallest, largest)} over the definitions; None where there is none.
        chance: {metric: figure of a random order under `standard`}.
        warnings: what to know before holding these figures against others.
    """

    rows: dict[str, dict[str, float | None]]
    spread: dict[str, tuple[float, float] | None]
    chance: dict[str, float | None]
    warnings: tuple[str, ...]


def audit(
    e: Embeddings,
    names: Sequence[str] = METRICS,
    options: Options | None = None,
    report: Reporter = SILENT,
    published: Sizes = (0, ()),
) -> Audit:
    """Rank once and show the figures of every preset.

    Args:
        published: how many queries and photos published work has for this protocol.

    Raises:
        UsageError: too little memory, or no such device.
    """
    parsed = [metrics.parse(name) for name in names]
    known = definitions.all_definitions().values()
    reasons = {d.name: impossible(e, d) for d in known}
    wanted = [d for d in known if not reasons[d.name]]
    wanted += [definitions.get("standard", [f"ties={rule}"]) for rule in ("grouped", "pessimistic")]
    sign = definitions.get("clipprompt", ["nonpositive=ignore"])
    wanted += [] if impossible(e, sign) else [sign]
    made = evaluate(e, parsed, wanted, options, report)
    ignoring = None if impossible(e, sign) else made.pop()
    *results, grouped, pessimistic = made
    rows = {r.definition.name: {n: r.mean(n) for n in r.values} for r in results}
    spread: dict[str, tuple[float, float] | None] = {}
    for name in results[0].values:
        found = [value for row in rows.values() if (value := row[name]) is not None]
        spread[name] = (min(found), max(found)) if found else None
    standard = results[list(rows).index("standard")]
    tied = {"gallery": standard, "grouped": grouped, "pessimistic": pessimistic}
    chance = chance_levels(e, standard, parsed)
    warnings = [
        *vector_signs(e),
        *_about_ties(standard, tied, chance),
        *_about_definitions(rows, standard),
        *(_about_sign(standard, rows["clipprompt"], ignoring) if ignoring else []),
        *(f"{name} is left out: it {reason}." for name, reason in reasons.items() if reason),
        *_about_sides(e, standard, published),
        *_about_training(e),
        *_about_the_model(e),
        *_about_codes(e, options or Options()),
    ]
    return Audit(rows, spread, chance, tuple(warnings))


def _about_ties(
    standard: Result, tied: dict[str, Result], chance: dict[str, float | None]
) -> list[str]:
    share = tied_share(standard)
    if share < TIED:
        return []
    figures = {rule: {name: r.mean(name) for name in r.values} for rule, r in tied.items()}
    return [tie_sign(share, figures, next(iter(standard.values)), chance)]


def _about_definitions(rows: dict[str, dict[str, float | None]], standard: Result) -> list[str]:
    """Definitions whose mAP@K exceeds their P@K although every query has K relevant photos."""
    least = int(standard.relevant[standard.relevant > 0].min(initial=1 << 62))
    found = []
    for name, row in rows.items():
        for metric, value in row.items():
            kind, _, cut = metric.partition("@")
            precision = row.get(f"prec@{cut}")
            if kind != "map" or value is None or precision is None or int(cut) > least:
                continue
            preset = definitions.PRESETS[name]
            comparable = preset.precision != "next" and preset.gallery == "photos"
            if comparable and value > precision + 1e-12:
                found.append(f"{name} ({metric} {value:.4f}, P {precision:.4f})")
    if not found:
        return []
    return [
        "mAP@K above P@K, which AP@K over min(K, R) cannot be where R >= K; such a table divides "
        f"by the hits: {', '.join(found)}."
    ]


def _about_sign(standard: Result, row: dict[str, float | None], ignoring: Result) -> list[str]:
    low, total = int(standard.nonpositive.sum()), int(standard.relevant.sum())
    if not low:
        return []
    changes = [
        f"{name} {_show(value)} would be {_show(ignoring.mean(name))}"
        for name, value in row.items()
    ]
    return [
        f"{low} of {total} pairs of a query and a relevant photo have a cosine <= 0, which "
        f"{_SIGN} counts as not relevant: {', '.join(changes)}."
    ]


def _about_sides(e: Embeddings, standard: Result, published: Sizes) -> list[str]:
    found = []
    if duplicates := e.count_duplicates():
        found.append(f"{duplicates} of {len(e.gallery)} gallery photos repeat an earlier one.")
    if dropped := int(np.count_nonzero(standard.relevant == 0)):
        found.append(
            f"{dropped} of {len(e.query)} queries have no relevant photo: left out, counted as 0 "
            "or making the mean undefined, as the definition says."
        )
    shown = np.unique(e.query_label)
    counts = np.bincount(e.gallery_label, minlength=len(e.classes))[shown]
    if small := int(np.count_nonzero((counts > 0) & (counts < 200))):
        found.append(
            f"{small} of {len(shown)} classes have fewer than 200 photos (the least "
            f"{counts[counts > 0].min()}): P@200 cannot reach 1 there, and min(K, R) is R."
        )
    if extra := len(np.setdiff1d(e.gallery_label, e.query_label)):
        found.append(f"{extra} classes of the gallery are never asked for (distractors).")
    queries, galleries = published
    if (queries and len(e.query) != queries) or (galleries and len(e.gallery) not in galleries):
        photos = f" and {' or '.join(f'{n:,}' for n in galleries)} photos" if galleries else ""
        found.append(
            f"{e.split or e.task} has {queries:,} queries{photos} in published work; "
            f"here {len(e.query):,} and {len(e.gallery):,}."
        )
    return found


def _about_training(e: Embeddings) -> list[str]:
    found = []
    seen = set() if e.seen is None else {e.classes[i] for i in np.flatnonzero(e.seen)}
    tested = {e.classes[i] for i in np.unique(e.query_label)}
    if shared := sorted((tested & set(e.train_classes)) - seen):
        found.append(
            f"{len(shared)} test classes were trained on: {', '.join(shared[:10])}"
            f"{', …' if len(shared) > 10 else ''}."
        )
    if e.train_digest is not None:
        for side, digest in (("photos", e.gallery_digest), ("sketches", e.query_digest)):
            if digest is not None:
                both = int(np.isin(digest[digest != b""], e.train_digest).sum())
                if both:
                    found.append(f"{both} test {side} are files of the training side (SHA-256).")
    return found


def _about_the_model(e: Embeddings) -> list[str]:
    done, how = e.provenance.after_model, e.provenance.computed
    found = [f"The file says how it was computed: {how}."] if how else []
    return [*found, f"No figure is of the model alone: {done}."] if done else found


def _about_codes(e: Embeddings, options: Options) -> list[str]:
    """Codes that so many photos share that the order of the gallery decides."""
    if e.matrix is not None:
        return []
    code = encoder(e, options.binary, options.bits)
    blocks = range(0, len(e.gallery), _BLOCK)
    packed = np.concatenate(
        [np.packbits(code.encode(e.gallery[i : i + _BLOCK]) > 0, axis=1) for i in blocks]
    )
    different = len(np.unique(packed, axis=0))
    if 2 * different > len(e.gallery):
        return []
    return [
        f"The {len(e.gallery):,} photos have only {different:,} distinct "
        f"{'code' if different == 1 else 'codes'} ({code.name}); their order in the "
        "gallery decides Hamming rankings; see ties=pessimistic."
    ]


def _show(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.4f}"
