"""WordNet's nouns, and how near classes are to ImageNet's labels, against a handful by hand."""

from __future__ import annotations

from pathlib import Path
from unittest.mock import patch

import pytest
import torch

from sbirctl.core.errors import CorruptError, MissingError
from sbirctl.models.layers.label_similarity import label_similarity
from sbirctl.models.layers.wordnet import WordNet, read_wordnet

# entity < animal < dog < (poodle, hound); animal < cat; Rex, an instance of hound; entity < tool
SYNSETS = {
    "00000001": ("entity", ""),
    "00000002": ("animal", "@ 00000001 n 0000"),
    "00000003": ("dog", "@ 00000002 n 0000"),
    "00000004": ("poodle", "@ 00000003 n 0000"),
    "00000005": ("hound", "@ 00000003 n 0000"),
    "00000006": ("cat", "@ 00000002 n 0000"),
    "00000007": ("rex", "@i 00000005 n 0000"),
    "00000008": ("tool", "@ 00000001 n 0000"),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    lines = ["  1 This licence is not read | at all\n"]
    for offset, (word, pointer) in SYNSETS.items():
        count = 1 if pointer else 0
        text = f"{offset} 03 n 02 {word} 0 other_{word} 0 {count:03} {pointer}".rstrip()
        lines.append(f'{text} | what it is; "said" of it  \n')
    (tmp_path / "data.noun").write_text("".join(lines))
    index = [
        "  1 This licence\n",
        "dog n 2 2 @ ~ 2 1 00000003 00000008\n",
        "fire_tool n 1 0 1 0 00000008\n",
        "tool n 1 1 @ 1 0 00000008\n",
    ]
    (tmp_path / "index.noun").write_text("".join(index))
    return tmp_path


@pytest.fixture
def wordnet(folder: Path) -> WordNet:
    return read_wordnet(folder)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (3, 3, 1.0),
        (3, 4, 1.0),  # a poodle is a dog
        (4, 1, 1.0),
        (4, 5, 1 / 3),  # poodle - dog - hound
        (4, 6, 1 / 4),
        (7, 5, 1 / 2),  # an instance is no kind
        (7, 8, 1 / 6),
    ],
)
def test_kinds_are_one_and_paths_count_their_edges(
    wordnet: WordNet, first: int, second: int, expected: float
) -> None:
    names = f"n{first:08}", f"n{second:08}"
    assert wordnet.near(*names, least=0.0) == pytest.approx(expected)
    assert wordnet.near(*reversed(names), least=0.0) == pytest.approx(expected)
    assert wordnet.near(*names, least=0.25) == (expected if expected > 0.25 else 0.0)


def test_a_word_is_its_usual_noun_or_that_of_its_last_words(wordnet: WordNet) -> None:
    assert wordnet.noun("Dog") == "n00000003"
    assert wordnet.noun("fire-tool") == "n00000008"
    assert wordnet.noun("big red dog") == "n00000003"
    assert wordnet.noun("thing") is None


def test_missing_and_foreign_files_are_named(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(MissingError, match=r"data\.noun is not in"):
        read_wordnet(tmp_path / "nowhere")
    other = tmp_path / "other"
    other.mkdir()
    (other / "index.noun").write_text("x\n")
    (other / "data.noun").write_text("not of this format\n")
    with pytest.raises(CorruptError, match="no files of WordNet"):
        read_wordnet(other)


def test_names_alone_find_labels_that_end_with_them() -> None:
    near = label_similarity(("car_(sedan)", "dog/photo 1", "zyzzyva"), "names", Path(), 0.2)
    assert near.shape == (3, 1000)
    assert near.dtype == torch.float32
    assert near[0, 817] == 1  # sports car, sport car
    assert near[0, 920] == 0  # traffic light
    assert near[1, 248] == 1  # Eskimo dog, husky
    assert near[1, 273] == 0  # dingo, warrigal
    assert not near[2].any()
    assert not label_similarity(("dog",), "none", Path(), 0.2).any()


def test_wordnet_rows_take_the_nearest_of_a_class(folder: Path) -> None:
    labels = {"n00000004": "poodle", "n00000006": "cat", "n00000008": "tool"}
    with (
        patch("sbirctl.models.layers.label_similarity.imagenet_lemmas", lambda: labels),
        patch("sbirctl.models.layers.label_similarity.lists.datasets", lambda: ()),
    ):
        near = label_similarity(("dog", "nobody knows"), "wordnet", folder, 0.2)
    assert near.tolist() == [pytest.approx([1.0, 1 / 3, 0.25], abs=1e-6), [0.0, 0.0, 0.0]]
