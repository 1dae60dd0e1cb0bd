"""Published query sketches, rare classes, and sem-pcyc's generalised variant."""

import pytest
from fake_store import Image, make_store, plain

from sbirctl.core.errors import MismatchError, UsageError
from sbirctl.splits.resolve import ClassSplit, known_classes
from sbirctl.tasks import TASKS, Holdout
from sbirctl.tasks.sbir import published_queries

CLASSES = [f"c{i:02d}" for i in range(12)]
SPLIT = ClassSplit("things/mine", "things", ("c00", "c01", "c02"), tuple(CLASSES))


def build(task, store, split=None, *, holdout=Holdout(), **options):
    task = TASKS.get(task)
    return task.build(store, None, split, task.Options(**options), holdout)


@pytest.mark.parametrize(
    ("dataset", "classes", "each"), [("sketchy", 100, 50), ("tuberlin", 220, 10)]
)
def test_published_lists(dataset, classes, each):
    queries = published_queries(dataset)
    assert len(queries) == classes
    assert {len(names) for names in queries.values()} == {each}
    assert set(queries) <= set(known_classes(dataset))
    if dataset == "tuberlin":  # sketches are numbered 1 to 20,000 over all classes
        assert len(set.union(*map(set, queries.values()))) == classes * each
    assert published_queries("mine") == {}


def tuberlin(missing=0):
    """Two classes with a published list, the second without some of it, and one with none."""
    table = published_queries("tuberlin")
    images = []
    for number, name in enumerate(["airplane", "angel", "banana"]):
        listed = sorted(table.get(name, ()))
        kept = listed[missing:] if number == 1 else listed
        stems = [*kept, *(f"x{i}" for i in range(80 - len(kept)))]
        images += [Image("sketch", name, stem) for stem in stems]
        images += [Image("photo", name, f"p{i}") for i in range(3)]
    return make_store(images, dataset="tuberlin")


def queried(partition, name):
    ids = [i.split("/") for i in partition.test.sketch.ids]
    return {stem for _, label, stem in ids if label == name}


def test_published_queries_are_taken():
    partition = build("sbir", tuberlin(), holdout=Holdout(0.0))
    for name in ("airplane", "angel"):
        assert queried(partition, name) == set(published_queries("tuberlin")[name])
    assert len(queried(partition, "banana")) == 10
    assert (
        partition.provenance.query_rule
        == "the published number a class, published for 2 of 3 classes, else digest order"
    )


def test_a_part_of_a_data_set_has_queries_of_its_own():
    partition = build("sbir", tuberlin(missing=1), holdout=Holdout(0.0))
    assert partition.provenance.query_rule.split(", ")[1].startswith("published for 1 of 3")
    assert len(queried(partition, "angel")) == 10


def test_another_number_is_not_the_published_list():
    partition = build("sbir", tuberlin(), holdout=Holdout(0.0), query_sketches=12)
    assert len(queried(partition, "airplane")) == 12
    assert partition.provenance.query_rule.split(", ")[1].startswith("published for 0 of 3")


class TestRareClasses:
    def store(self):
        return make_store(plain(CLASSES, photos=lambda i: 4 if i in (1, 5) else 9, sketches=6))

    def test_are_dropped_and_named(self):
        store = self.store()
        whole = build("cg", store, SPLIT)
        partition = build("cg", store, SPLIT, min_photos=5)
        assert partition.test.classes == ("c00", "c02")
        assert partition.provenance.untested == ("c01",)
        assert "c01" in partition.provenance.notes[0]
        assert len(partition.test.sketch) == 12
        assert "c01" not in partition.train.classes
        assert partition.train.classes == whole.train.classes  # c05 is trained on all the same
        assert partition.provenance.split_digest != whole.provenance.split_digest

    def test_enough_photos_change_nothing(self):
        store = self.store()
        partition = build("cg", store, SPLIT, min_photos=4)
        assert (
            partition.provenance.split_digest == build("cg", store, SPLIT).provenance.split_digest
        )
        assert partition.provenance.untested == ()

    def test_all_too_rare(self):
        with pytest.raises(MismatchError, match="None of the 3"):
            build("cg", self.store(), SPLIT, min_photos=100)


class TestSempcyc:
    def partition(self, **options):
        store = make_store(plain(CLASSES, photos=20, sketches=10))
        return build("gzs", store, SPLIT, added="sempcyc", **options)

    def test_a_fifth_of_the_unseen_part_joins(self):
        partition = self.partition()
        seen = partition.test.seen
        assert (~seen[partition.test.photo.label]).sum() == 60
        assert seen[partition.test.photo.label].sum() == 12
        assert (~seen[partition.test.sketch.label]).sum() == 30
        assert seen[partition.test.sketch.label].sum() == 6

    def test_nothing_is_on_two_sides(self):
        partition = self.partition()
        for modality in ("photo", "sketch"):
            sides = [
                set(getattr(p, modality).ids)
                for p in (partition.train, partition.val, partition.test)
            ]
            assert sum(map(len, sides)) == len(set.union(*sides))
        assert len(partition.val.classes) == 2
        assert not set(partition.val.classes) & set(partition.train.classes)

    def test_the_code_draws_them_from_what_it_trains_on(self):
        partition = self.partition(joined="trained", leaks="allow")
        usual = self.partition()
        assert partition.test.photo.ids == usual.test.photo.ids
        both = set(partition.train.photo.ids) & set(partition.test.photo.ids)
        assert both
        assert partition.provenance.leaks_allowed == len(both) + len(
            set(partition.train.sketch.ids) & set(partition.test.sketch.ids)
        )
        assert not set(partition.val.photo.ids) & set(partition.test.photo.ids)
        with pytest.raises(UsageError, match="every seen class"):
            self.partition(joined="removed")

    def test_it_is_another_test_side(self):
        store = make_store(plain(CLASSES, photos=20, sketches=10))
        usual = build("gzs", store, SPLIT)
        ours = self.partition()
        assert ours.provenance.split_digest != usual.provenance.split_digest
        assert ours.provenance.options["added"] == "sempcyc"
        again = self.partition(holdout=Holdout(seed=5))
        assert again.test.photo.ids == ours.test.photo.ids
