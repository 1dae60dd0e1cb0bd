"""What of a file enters no figure is named: arrays that are not read, classes without a photo."""

import h5py
import numpy as np
import pytest

from sbirctl.core.progress import Reporter
from sbirctl.pipeline.evaluate import evaluate

VECTORS = np.random.default_rng(0).standard_normal((4, 8)).astype(np.float32)
SIDES = {"query": VECTORS, "gallery": VECTORS}
LABELS = {"query_label": ["cat", "dog"] * 2, "gallery_label": ["cat", "dog"] * 2}


class Told(Reporter):
    def __init__(self):
        self.notes, self.warnings = [], []
        self.note, self.warn = self.notes.append, self.warnings.append


def said(path):
    told = Told()
    evaluate(path, report=told)
    return told


def test_arrays_that_are_not_read_are_named(tmp_path):
    np.savez(tmp_path / "a.npz", **SIDES, **LABELS, mask=np.ones(4), query_instances=np.arange(4))
    told = said(tmp_path / "a.npz")
    assert any("a.npz also holds mask, query_instances, which" in text for text in told.notes)
    np.savez(tmp_path / "b.npz", **SIDES, **LABELS, query_path=["a", "b", "c", "d"])
    assert not any("also holds" in text for text in said(tmp_path / "b.npz").notes)


def test_values_of_hdf5_that_are_nearly_keys_are_named_and_groups_are_not(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for name, value in (SIDES | LABELS).items():
            file[name] = value
        file.create_group("extra")
        file.attrs["TITLE"] = "of another program"
        file.attrs["scop"] = "class"
    assert any("also holds scop, which" in text for text in said(tmp_path / "a.h5").notes)


@pytest.mark.parametrize(
    ("gallery", "text"),
    [
        (["Cat", "dog"], "(no_relevant=drop): 'cat' ('Cat' there)."),
        (["cow", "dog"], "(no_relevant=drop): 'cat'."),
    ],
)
def test_classes_without_a_photo_are_named(tmp_path, gallery, text):
    labels = {**LABELS, "gallery_label": gallery * 2}
    np.savez(tmp_path / "a.npz", **SIDES, **labels)
    assert any(warning.endswith(text) for warning in said(tmp_path / "a.npz").warnings)


def test_a_class_of_another_group_is_no_other_spelling(tmp_path):
    groups = {"query_group": ["a", "b"] * 2, "gallery_group": ["b", "a"] * 2}
    np.savez(tmp_path / "a.npz", **SIDES, **LABELS, **groups, scope="class")
    (said_so,) = [text for text in said(tmp_path / "a.npz").warnings if "no photo" in text]
    assert said_so.endswith("of their class in their group (no_relevant=drop): 'cat', 'dog'.")
