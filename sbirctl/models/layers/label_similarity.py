"""How near training classes are to ImageNet's 1,000 labels: what SAKE adds to its teacher.

Liu et al., ICCV 2019, take it from WordNet. Where WordNet is not at hand names alone tell some of
it: "sports car" is a kind of "car".
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from sbirctl.models.layers.wordnet import WordNet, read_wordnet
from sbirctl.splits import lists
from sbirctl.splits.audit import imagenet_lemmas, synsets_of

Semantics = Literal["wordnet", "names", "none"]
LABELS = 1_000


def label_similarity(
    classes: Sequence[str], semantics: Semantics, folder: Path, least: float
) -> Tensor:
    """(classes, 1000) float32 of 0 to 1, the labels in ImageNet's order.

    Args:
        classes: names of the training classes; what is behind a slash is an instance.
        semantics: "wordnet": 1 where class and label are one or one is a kind of the other, else
            the similarity of their paths; "names": 1 where a label's name is the class's or ends
            with it; "none": 0.
        folder: of WordNet's files.
        least: WordNet's similarities that are not above it are 0.

    Raises:
        MissingError: ImageNet's labels, or WordNet's files, are not there.
        CorruptError: the files are not WordNet's.
    """
    if semantics == "none":
        return torch.zeros(len(classes), LABELS)
    labels = imagenet_lemmas()
    names = [name.partition("/")[0] for name in classes]
    if semantics == "names":
        words = [[_plain(word) for word in text.split(",")] for text in labels.values()]
        rows = [[float(_named(_plain(name), own)) for own in words] for name in names]
        return torch.tensor(rows)
    wordnet = read_wordnet(folder)
    return torch.tensor([_row(name, tuple(labels), wordnet, least) for name in names])


def synsets(name: str, wordnet: WordNet) -> tuple[str, ...]:
    """The synsets of a class: those of its photos where a data set's files name them, else its
    name's most usual one."""
    for dataset in lists.datasets():
        if counted := synsets_of(dataset).get(name):
            return tuple(counted)
    found = wordnet.noun(_plain(name))
    return (found,) if found else ()


def _row(name: str, labels: Sequence[str], wordnet: WordNet, least: float) -> list[float]:
    own = synsets(name, wordnet)
    return [max((wordnet.near(one, label, least) for one in own), default=0.0) for label in labels]


def _plain(text: str) -> str:
    """A name in lower case, its words apart, without what stands in brackets."""
    return " ".join(text.partition("(")[0].lower().replace("_", " ").replace("-", " ").split())


def _named(name: str, words: Sequence[str]) -> bool:
    return any(word == name or word.endswith(f" {name}") for word in words)
