"""Which lists can be meant by Dr. CLIP's Table 1: the numbers of docs/splits.md."""

from __future__ import annotations

import pytest

from sbirctl.datasets.published.counts import published_counts
from sbirctl.splits.resolve import find
from sbirctl.splits.spellings import key
from sbirctl.tasks.cd import SPLITS


@pytest.mark.parametrize(
    ("source", "target", "by_rule"),
    [
        ("sketchy", "tuberlin", 18),
        ("sketchy", "quickdraw", 22),
        ("tuberlin", "sketchy", 10),
        ("tuberlin", "quickdraw", 8),
    ],
)
def test_the_rule_gives_other_numbers_of_classes_than_the_paper(source, target, by_rule):
    own = SPLITS["drclip"]
    seen = {key(name) for name in find(source, own[source]).seen}
    left = [name for name in find(target, own[target]).unseen if key(name) not in seen]
    assert len(left) == by_rule


@pytest.mark.parametrize(
    ("name", "source", "photos", "trained"),
    [
        ("tuberlin/cross-sketchy21", "sketchy/imagenet21", 20_621, {"horse"}),
        ("quickdraw/cross-sketchy11", "sketchy/imagenet21", 19_041, set()),
        (
            *("quickdraw/cross-tuberlin10", "tuberlin/sempcyc30", 17_552),
            {"banana", "bread", "fan", "windmill"},
        ),
    ],
)
def test_the_lists_of_zse_have_other_photos_and_classes_that_are_trained_on(
    name, source, photos, trained
):
    listed = find("", name)
    counts = published_counts(listed.dataset)
    assert sum(counts[one]["photos"] for one in listed.unseen) == photos
    seen = {key(one) for one in find("", source).seen}
    assert {one for one in listed.unseen if key(one) in seen} == trained
