"""Overlaps with ImageNet-1k."""

import sys

import pytest

from sbirctl.core.errors import MissingError
from sbirctl.splits import audit as module
from sbirctl.splits.audit import audit, imagenet_lemmas, summary, synsets_of
from sbirctl.splits.resolve import ClassSplit, find, known_classes

HAS_TIMM = module.find_spec("timm") is not None
needs_timm = pytest.mark.skipif(not HAS_TIMM, reason="timm ships ImageNet's class list")


def kinds(name, findings):
    return {(f.kind, f.synset) for f in findings if f.name == name}


@needs_timm
def test_imagenet_has_a_thousand_classes_with_words():
    lemmas = imagenet_lemmas()
    assert len(lemmas) == 1000
    assert lemmas["n01440764"].startswith("tench")
    assert all(lemmas.values())


@needs_timm
def test_imagenet21_overlaps_in_songbirds_and_by_name():
    split = find("sketchy", "imagenet21")
    findings = audit(split)
    assert {f.name for f in findings} == {"door", "mouse", "saw", "songbird"}
    assert {f.kind for f in findings if f.name == "songbird"} == {"same synset"}
    assert sum(f.photos for f in findings if f.name == "songbird") == pytest.approx(0.67)
    assert kinds("mouse", findings) == {("name only", "n03793489")}  # the computer mouse
    assert kinds("door", findings) == {("hyponym by name", "n04239074")}  # sliding door
    assert "4 of 21" in summary(split, findings)


@needs_timm
def test_random25_is_not_disjoint():
    findings = audit(find("sketchy", "random25"))
    assert ("same synset", "n03495258") in kinds("harp", findings)
    assert len({f.name for f in findings if f.kind == "same synset"}) == 12


@needs_timm
def test_without_wordnet_ids_only_names_are_compared():
    split = find("tuberlin", "sake30")
    findings = audit(split)
    assert all(f.photos is None and f.kind != "same synset" for f in findings)
    assert "only names were compared" in summary(split, findings)


def test_the_kinds_on_a_list_made_by_hand(monkeypatch):
    words = {"n1": "widget, thing", "n2": "red widget", "n3": "widget maker", "n4": "bird"}
    monkeypatch.setattr(module, "imagenet_lemmas", lambda: words)
    split = ClassSplit("x/y", "x", ("widget", "jay"), ("widget", "jay"))
    found = [(f.name, f.kind, f.synset) for f in audit(split)]
    assert found == [("widget", "name only", "n1"), ("widget", "hyponym by name", "n2")]


def test_sketchy_has_wordnet_ids_for_all_its_photos():
    table = synsets_of("sketchy")
    assert set(table) == set(known_classes("sketchy"))
    assert all(sum(counts.values()) == 100 for counts in table.values())
    assert synsets_of("tuberlin") == {}


def test_without_timm_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    with pytest.raises(MissingError) as caught:
        imagenet_lemmas()
    assert "timm" in caught.value.hint


@needs_timm
def test_timm_itself_is_not_imported():
    import subprocess

    code = (
        "import sys; from sbirctl.splits.audit import imagenet_lemmas; imagenet_lemmas();"
        "sys.exit('timm' in sys.modules or 'torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
