"""Finding splits, and what the published lists must hold."""

import pytest

from sbirctl.core.errors import CorruptError, MismatchError, MissingError, UsageError
from sbirctl.splits import lists
from sbirctl.splits.generalised import added, draw
from sbirctl.splits.resolve import find, known_classes, published
from sbirctl.splits.spellings import key

COUNTS = {
    "sketchy/imagenet21": (21, 104),
    "sketchy/random25": (25, 100),
    "sketchy/sempcyc25": (25, 100),
    "tuberlin/sake30": (30, 220),
    "tuberlin/sempcyc30": (30, 220),
    "tuberlin/cmt64": (64, 186),
    "quickdraw/zse30": (30, 80),
    "quickdraw/doodle2search30": (30, 80),
    "tuberlin/cross-sketchy21": (21, 229),
    "quickdraw/cross-sketchy11": (11, 99),
    "sketchy/cross-tuberlin8": (8, 117),
    "sketchy/cross-tuberlin8-drclip": (8, 117),
    "quickdraw/cross-tuberlin10": (10, 100),
}
EVERY = [split.name for split in published()]


@pytest.mark.parametrize("name", COUNTS)
def test_published_lists_have_their_published_sizes(name):
    split = find("", name)
    assert (len(split.unseen), len(split.seen)) == COUNTS[name]


@pytest.mark.parametrize("name", EVERY)
def test_every_list_is_a_subset_disjoint_from_the_rest_and_names_its_source(name):
    split = find("", name)
    assert set(split.unseen) <= set(split.classes)
    assert not set(split.unseen) & set(split.seen)
    assert len(set(map(key, split.classes))) == len(split.classes)
    assert split.header["dataset"] == split.dataset
    assert split.header["count"] == str(len(split.unseen))
    assert split.header["protocol"]
    assert split.header["status"] in ("published", "recomputed", "derived", "inferred", "generated")
    assert "source" in split.header or "source-split" in split.header


@pytest.mark.parametrize(
    "dataset, number, default",
    [("sketchy", 125, "imagenet21"), ("tuberlin", 250, "sake30"), ("quickdraw", 110, "zse30")],
)
def test_data_sets_have_their_classes_and_one_default(dataset, number, default):
    assert len(known_classes(dataset)) == number
    assert find(dataset).name == f"{dataset}/{default}"
    marked = [s.name for s in published(dataset) if s.header.get("default")]
    assert marked == [f"{dataset}/{default}"]


@pytest.mark.parametrize(
    "one, two, common",
    [
        ("tuberlin/sake30", "tuberlin/sempcyc30", {"rollerblades"}),
        ("sketchy/random25", "sketchy/sempcyc25", {"bell", "squirrel", "tank", "wheelchair"}),
    ],
)
def test_lists_of_one_name_elsewhere_share_few_classes(one, two, common):
    assert set(find("", one).unseen) & set(find("", two).unseen) == common


def test_the_same_classes_under_other_spellings_are_the_same_split():
    ours, theirs = find("quickdraw", "zse30"), find("quickdraw", "doodle2search30")
    assert "palm tree" in theirs.unseen
    assert ours.digest == theirs.digest


@pytest.mark.parametrize("name", [n for n in EVERY if "/cross-" in n and "drclip" not in n])
def test_cross_lists_follow_their_rule(name):
    listed = find("", name)
    source, target = (find("", listed.header[k]) for k in ("source-split", "target-split"))
    seen = {key(c) for c in source.seen}
    assert set(listed.unseen) == {c for c in target.unseen if key(c) not in seen}


def test_the_inferred_list_satisfies_its_constraints():
    listed = find("sketchy", "cross-tuberlin8-drclip")
    seen = {key(c) for c in find("", listed.header["source-split"]).seen}
    assert set(listed.unseen) <= set(find("", listed.header["target-split"]).unseen)
    assert not {key(c) for c in listed.unseen} & seen


@pytest.mark.parametrize("name, number", [("sketchy/imagenet21", 42), ("tuberlin/sempcyc30", 74)])
def test_generalised_lists_are_the_draw_that_is_documented(name, number):
    split = find("", name)
    names, origin = added(split)
    assert origin == f"{name}-G"
    assert names == draw(split)
    assert set(names) <= set(split.seen)
    assert len(names) + len(split.unseen) == number


def test_without_a_list_the_added_classes_are_drawn():
    names, origin = added(find("sketchy", "random25"))
    assert origin == "drawn"
    assert len(names) == 20


def test_a_generalised_list_of_another_split_is_refused(tmp_path):
    (tmp_path / "random25-G.txt").write_text("# kind: generalised\ncup\n")  # cup is unseen there
    with pytest.raises(MismatchError, match="'cup' is not seen"):
        added(find("sketchy", "random25"), [tmp_path])


def test_a_stores_own_list_comes_before_the_published_ones(tmp_path):
    (tmp_path / "default.txt").write_text("# note: mine\nbat\ncow\n")
    (tmp_path / "odd.txt").write_text("zebra\n")
    assert find("sketchy", folders=[tmp_path]).unseen == ("bat", "cow")
    assert find("sketchy", "odd", folders=[tmp_path]).name == "sketchy/odd"
    assert find("sketchy", "imagenet21", folders=[tmp_path]).name == "sketchy/imagenet21"


def test_a_file_of_ones_own_is_found_by_its_path(tmp_path):
    path = tmp_path / "mine.txt"
    path.write_text("hot air balloon\n\nzebra\n")
    split = find("sketchy", str(path))
    assert split.name == "sketchy/mine"
    assert split.unseen == ("hot-air_balloon", "zebra")  # spelled as the folders are
    own = find("pets", str(path), classes=["zebra", "Hot-Air Balloon", "cat"])
    assert own.unseen == ("Hot-Air Balloon", "zebra")
    assert own.seen == ("cat",)


def test_another_data_sets_list_is_matched_to_the_classes_there_are():
    split = find("mini", "sketchy/imagenet21", classes=known_classes("sketchy"))
    assert split.unseen == find("sketchy", "imagenet21").unseen
    with pytest.raises(MismatchError, match="none of the 2 classes"):
        find("mini", "sketchy/imagenet21", classes=["bat", "cow"])


@pytest.mark.parametrize(
    "dataset, name, error, said",
    [
        ("sketchy", "imagenet2", UsageError, "imagenet21"),
        ("", "sketchi/imagenet21", UsageError, "sketchy/imagenet21"),
        ("mine", "", UsageError, "--split FILE"),
        ("sketchy", "nowhere/x.txt", MissingError, ""),
    ],
)
def test_what_is_not_there_is_said_with_a_way_on(dataset, name, error, said):
    with pytest.raises(error) as caught:
        find(dataset, name)
    assert said in caught.value.hint


@pytest.mark.parametrize(
    "content, error, said",
    [
        (b"", CorruptError, "names nothing"),
        (b"# count: 3\nbat\n", CorruptError, "says it names 3"),
        (b"bat\nbat\n", CorruptError, "twice"),
        (b"# kind: odd\nbat\n", CorruptError, "odd"),
        (b"\xff\xfebat", CorruptError, "UTF-8"),
        (b"batt\n", MismatchError, "'batt'"),
        (b"hot air balloon\nhot-air_balloon\n", MismatchError, "one class"),
    ],
)
def test_damaged_lists_are_refused_with_their_fault(tmp_path, content, error, said):
    path = tmp_path / "x.txt"
    path.write_bytes(content)
    with pytest.raises(error) as caught:
        find("sketchy", str(path))
    assert said in str(caught.value)


def test_order_and_comments_do_not_change_the_digest(tmp_path):
    names = find("sketchy", "imagenet21").unseen
    path = tmp_path / "x.txt"
    path.write_text("# notes: other\n" + "\n".join(reversed(names)))
    assert find("sketchy", str(path)).digest == find("sketchy", "imagenet21").digest
    path.write_text("\n".join(names[1:]))
    assert find("sketchy", str(path)).digest != find("sketchy", "imagenet21").digest


def test_a_wheels_data_folder_is_preferred(tmp_path, monkeypatch):
    (tmp_path / "data" / "sketchy").mkdir(parents=True)
    (tmp_path / "data" / "spellings.tsv").write_text("key\tsketchy\nbat\tbat\n")
    (tmp_path / "data" / "sketchy" / "one.txt").write_text("bat\n")
    monkeypatch.setattr(lists, "files", lambda package: tmp_path)
    lists.root.cache_clear()
    try:
        assert lists.list_names("sketchy") == ("one",)
    finally:
        lists.root.cache_clear()


def test_an_installation_without_lists_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(lists, "files", lambda package: tmp_path / "sbirctl")
    lists.root.cache_clear()
    try:
        with pytest.raises(MissingError, match="no class lists"):
            lists.root()
    finally:
        lists.root.cache_clear()
