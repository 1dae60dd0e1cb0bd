"""Names of one concept, however spelled."""

import unicodedata

import pytest

from sbirctl.core.errors import CorruptError, MismatchError
from sbirctl.splits import lists
from sbirctl.splits.spellings import canonical, key, match


@pytest.mark.parametrize(
    "one, two",
    [
        ("hot-air_balloon", "hot air balloon"),
        ("bear", "bear (animal)"),
        ("giraffe", "griaffe"),  # TU-Berlin's photo folder
        ("wrist-watch", "wristwatching"),
        ("palm tree", "palm_tree"),
        ("Alarm Clock", "alarm_clock"),
        ("pipe", "pipe (for smoking)"),
    ],
)
def test_spellings_of_one_concept_agree(one, two):
    assert key(one) == key(two)


@pytest.mark.parametrize(
    "one, two",
    [
        ("bat", "baseball bat"),
        ("mouse", "computer-mouse"),
        ("car", "car_(sedan)"),
        ("sea_turtle", "turtle"),
    ],
)
def test_different_concepts_do_not(one, two):
    assert key(one) != key(two)


def test_unknown_names_stand_for_themselves():
    assert key("my thing") == key("My-Thing") != key("other")
    assert key("日本") == "日本"
    assert key("--") == "--"


def test_canonical_is_the_sketch_folders_spelling():
    assert canonical("griaffe", "tuberlin") == "giraffe"
    assert canonical("bear", "tuberlin") == "bear (animal)"
    assert canonical("hot air balloon", "sketchy") == "hot-air_balloon"
    assert canonical("hot air balloon", "mine") == "hot air balloon"


def test_spellings_of_a_data_set_are_distinct():
    rows = lists.read_table("spellings.tsv")
    for column in ("key", "sketchy", "tuberlin", "tuberlin_photo", "quickdraw", "sempcyc"):
        names = [row[column] for row in rows if row[column]]
        assert len(set(names)) == len(names), column
        # the bare spelling of every name leads back to its own row
        assert all(key(row[column]) == row["key"] for row in rows if row[column]), column


def test_match_prefers_the_exact_name_and_refuses_what_is_ambiguous():
    assert match(["cat 1"], ["cat-1", "cat 1"], "x") == ("cat 1",)
    with pytest.raises(MismatchError, match="may be any of"):
        match(["Cat1"], ["cat-1", "cat 1"], "x")
    with pytest.raises(MismatchError) as caught:
        match(["zebr"], ["zebra", "cow"], "x")
    assert "zebra" in caught.value.hint


def test_a_torn_table_is_corrupt(tmp_path, monkeypatch):
    (tmp_path / "t.tsv").write_text("a\tb\n1\n")
    monkeypatch.setattr(lists, "root", lambda: tmp_path)
    with pytest.raises(CorruptError, match="columns"):
        lists.read_table("t.tsv")


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_one_name_in_two_unicode_forms_is_one_class(form):
    name = unicodedata.normalize(form, "café")
    for known in ("NFC", "NFD"):
        classes = [unicodedata.normalize(known, "café"), "cafe"]
        assert match([name], classes, "x") == (classes[0],)
    assert key(name) == key("café") != key("cafe")
