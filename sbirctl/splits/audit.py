"""How far a list of unseen classes is from ImageNet-1k's: checked, not believed.

WordNet ids are known for Sketchy, whose photos carry them in their file names
(`splits/sketchy/wordnet.tsv`). For other data sets only names can be compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from sbirctl.core.errors import MissingError
from sbirctl.splits import lists
from sbirctl.splits.resolve import ClassSplit
from sbirctl.splits.spellings import key

Kind = Literal["same synset", "name only", "hyponym by name"]


@dataclass(frozen=True)
class Finding:
    """One overlap of an unseen class with an ImageNet-1k class.

    Attributes:
        name: the unseen class.
        kind: "same synset": photos of the class are of that very synset; "name only": a word for
            the ImageNet class is the class's name, with no synset known to agree; "hyponym by
            name": such a word ends in the class's name ("sliding door" is a door).
        synset: WordNet id of the ImageNet class.
        lemma: its words.
        photos: share of the class's photos that are of this synset, 0 to 1; None where unknown.
    """

    name: str
    kind: Kind
    synset: str
    lemma: str
    photos: float | None


def audit(split: ClassSplit) -> list[Finding]:
    """Every overlap of the unseen classes with ImageNet-1k, in the list's order.

    Raises:
        MissingError: timm, which ships ImageNet's class list, is not installed.
    """
    return overlaps(split.unseen, split.dataset)


def overlaps(names: Sequence[str], dataset: str) -> list[Finding]:
    """Every overlap of some classes of a data set with ImageNet-1k, in their order.

    Raises:
        MissingError: see `audit`.
    """
    imagenet = imagenet_lemmas()
    return [f for name in names for f in _of_class(name, dataset, imagenet)]


def imagenet_lemmas() -> dict[str, str]:
    """{WordNet id: "word, word"} of ImageNet-1k's 1,000 classes, as timm ships them.

    Read without importing timm, which would import torch.

    Raises:
        MissingError: timm is not installed, or without these lists.
    """
    spec = find_spec("timm")
    places = (spec.submodule_search_locations or []) if spec else []
    for place in places:
        folder = Path(place) / "data" / "_info"
        synsets, lemmas = folder / "imagenet_synsets.txt", folder / "imagenet_synset_to_lemma.txt"
        if synsets.is_file() and lemmas.is_file():
            wanted = set(synsets.read_text("utf-8").split())
            pairs = (line.split("\t", 1) for line in lemmas.read_text("utf-8").splitlines())
            found = {one: words for one, words in pairs if one in wanted}
            return {synset: found.get(synset, "") for synset in sorted(wanted)}
    raise MissingError(
        "ImageNet's class list comes with timm, which is not installed.", "pip install timm"
    )


@cache
def synsets_of(dataset: str) -> dict[str, dict[str, int]]:
    """{class: {WordNet id: photos}} where the data set's file names tell them, else empty."""
    result: dict[str, dict[str, int]] = {}
    if dataset in lists.datasets() and (lists.root() / dataset / "wordnet.tsv").is_file():
        for row in lists.read_table(dataset, "wordnet.tsv"):
            result.setdefault(row["class"], {})[row["synset"]] = int(row["photos"])
    return result


def _of_class(name: str, dataset: str, imagenet: dict[str, str]) -> list[Finding]:
    counts = synsets_of(dataset).get(name, {})
    total = sum(counts.values())
    found: list[Finding] = []
    for synset, words in imagenet.items():
        kind = _kind(name, words, synset in counts)
        if kind:
            share = counts.get(synset, 0) / total if total else None
            found.append(Finding(name, kind, synset, words, share))
    order: dict[str, int] = {"same synset": 0, "name only": 1, "hyponym by name": 2}
    return sorted(found, key=lambda f: (order[f.kind], -(f.photos or 0), f.synset))


def _kind(name: str, words: str, same: bool) -> Kind | None:
    if same:
        return "same synset"
    own = key(name)
    lemmas = [word.strip() for word in words.split(",") if word.strip()]
    if any(key(lemma) == own for lemma in lemmas):
        return "name only"
    # "(sedan)" and the like are notes on a name, and no part of it
    bare = name.partition("(")[0].replace("_", " ").replace("-", " ").strip().casefold()
    ends = (lemma.replace("-", " ").casefold() for lemma in lemmas)
    if bare and any(end.endswith(f" {bare}") for end in ends):
        return "hyponym by name"
    return None


def summary(split: ClassSplit, findings: list[Finding]) -> str:
    """One sentence: how many of the classes overlap, and in which way at most."""
    worst: dict[str, Kind] = {}
    for finding in findings:
        worst.setdefault(finding.name, finding.kind)
    kinds = list(worst.values())
    parts = [f"{kinds.count(kind)} {kind}" for kind in dict.fromkeys(kinds)]
    known = "known" if synsets_of(split.dataset) else "not known: only names were compared"
    said = f" ({', '.join(parts)})" if parts else ""
    return (
        f"{len(worst)} of {len(split.unseen)} classes of {split.name} overlap with ImageNet-1k"
        f"{said}; WordNet ids are {known}."
    )
