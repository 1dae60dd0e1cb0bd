"""FFMLN from its command's settings to embeddings, on eight classes of small pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sbirctl.core.files import read_json
from sbirctl.core.progress import SILENT, Reporter
from sbirctl.pipeline.embed import embed
from sbirctl.pipeline.train import train
from sbirctl.retrieval.embeddings import read

SETTINGS = ("backbone=mobilenetv2_050", "size=32", "width=8", "depth=1", "heads=2", "per_class=4")


class Notes(Reporter):
    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, message: str) -> None:
        self.notes.append(message)


def run(*settings: str, report: Reporter = SILENT) -> Path:
    return train(
        "ffmln",
        dataset="small",
        weights="none",
        device="cpu",
        epochs=1,
        assignments=[*SETTINGS, "batch=12", *settings],
        report=report,
    )


@pytest.mark.parametrize("dim", [64, 512])
def test_both_sizes_go_through_training_and_embedding(home: Path, dim: int) -> None:
    folder = run(f"dim={dim}", "preset=small")
    assert folder.parent.parent == home
    result = read_json(folder / "result.json")
    names = {"norm", "mul", "cro", "triplets", "total"}
    assert set(result["phases"]["train"]["losses"]["last"]) == names
    # Table 4's row
    assert result["chosen_epochs"] == {"train": 1}
    assert result["minutes"] > 0
    assert result["images_per_second"] > 0
    assert result["parameters"]["all"] == result["parameters"]["trained"]
    found = read(embed(str(folder), device="cpu"))
    assert found.query.shape[1] == found.gallery.shape[1] == dim
    np.testing.assert_allclose(np.linalg.norm(found.query, axis=1), 1, rtol=1e-5)


def test_the_released_preset_trains_on_shuffled_batches(home: Path) -> None:
    report = Notes()
    result = read_json(run("preset=released", report=report) / "result.json")
    assert home.is_dir()
    assert report.notes[1] == "trust in ffmln: from the paper only (unverified)"
    # six of eight classes of 6 photos and 6 sketches, in whole batches of 12
    assert result["phases"]["train"]["images"] == 72
    assert np.isfinite(result["phases"]["train"]["losses"]["last"]["total"])
