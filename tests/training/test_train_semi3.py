"""Semi3-Net's two stages on a small prepared data set: resumed, skipped, taken over."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import torch
from crashes import Crash, CrashingReporter

from sbirctl.core.errors import MismatchError, MissingError, UsageError
from sbirctl.models import create
from sbirctl.models.semi3 import Semi3
from sbirctl.pipeline.edges import prepare_edges
from sbirctl.pipeline.embed import embed
from sbirctl.pipeline.train import train
from sbirctl.retrieval import embeddings as files
from sbirctl.training.checkpoint import read_checkpoint, restore
from sbirctl.training.config import Execution
from sbirctl.training.inputs import Inputs
from sbirctl.training.loader import BatchLoader, to_rgb
from sbirctl.training.loop import Trainer
from sbirctl.training.step import gradients

SMALL = (
    "backbone=mobilenetv3_small_050",
    "size=32",
    "fc=16",
    "dim=8",
    "batch=8",
    "pretrain_epochs=1",
    "epochs=1",
)


@pytest.fixture(scope="module")
def with_edges(prepared, tmp_path_factory):
    """The prepared data set with Canny edge maps, apart from the one others use."""
    home = tmp_path_factory.mktemp("edged")
    shutil.copytree(prepared, home / "datasets")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SBIRCTL_HOME", str(home))
        prepare_edges(home / "datasets" / "small", method="canny")
    return home / "datasets"


@pytest.fixture
def edged(tmp_path, with_edges, monkeypatch):
    """A home of its own with that data set."""
    place = tmp_path / "home"
    place.mkdir()
    (place / "datasets").symlink_to(with_edges, target_is_directory=True)
    monkeypatch.setenv("SBIRCTL_HOME", str(place))
    return place


def run(*assignments, **more):
    own = {text.partition("=")[0] for text in assignments}
    usual = [text for text in SMALL if text.partition("=")[0] not in own]
    return train(
        "semi3",
        task="sbir",
        weights="none",
        workers=0,
        assignments=(*usual, *assignments),
        **more,
    )


def trainer(folder, report=None, **options):
    data = Inputs(task="sbir").open()
    layer = {key: value for key, _, value in (text.partition("=") for text in SMALL)}
    model = create(
        "semi3", device="cpu", weights="none", classes=data.partition.train.classes, layers=[layer]
    )
    execution = Execution(workers=0, log_every=2, save_steps=2)
    more = options if report is None else {"report": report, **options}
    return Trainer(model, data.partition, folder, execution=execution, **more)


@pytest.fixture(scope="module")
def whole(with_edges, tmp_path_factory):
    """The checkpoint of an uninterrupted run and its log."""
    folder = tmp_path_factory.mktemp("whole")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SBIRCTL_HOME", str(with_edges.parent))
        made = trainer(folder)
        made.run()
    return made.checkpoint.read_bytes(), (folder / "log.jsonl").read_text()


# Five steps a stage: within the first, at its end, within the second.
@pytest.mark.parametrize(
    "steps", [pytest.param(3, marks=pytest.mark.slow), pytest.param(5, marks=pytest.mark.slow), 8]
)
def test_a_crash_in_either_stage_leaves_no_trace(edged, whole, tmp_path, steps):
    folder = tmp_path / "cut"
    with pytest.raises(Crash):
        trainer(folder, CrashingReporter(steps)).run()
    again = trainer(folder)
    again.run()
    assert again.checkpoint.read_bytes() == whole[0]
    assert (folder / "log.jsonl").read_text() == whole[1]


def test_both_stages_are_logged_and_only_the_second_chooses_an_epoch(whole):
    lines = [json.loads(line) for line in whole[1].splitlines()]
    steps = [line for line in lines if line["event"] == "step"]
    assert {line["stage"] for line in steps} == {"branches", "joint"}
    assert {"align", "sketch_edge", "sketch_photo"} & set(steps[0]) == set()
    assert {"align", "sketch_edge", "sketch_photo"} <= set(steps[-1])
    epochs = {line["stage"]: line for line in lines if line["event"] == "epoch"}
    assert "val_map@all" not in epochs["branches"]
    assert "val_map@all" in epochs["joint"]


def test_the_second_stage_starts_from_the_branches(edged, tmp_path):
    """With nothing learned in it, stage 2 holds the branches it takes over."""
    first = trainer(tmp_path / "one", epochs={"joint": 0})
    seen = {}
    begin = first.model.begin

    def watching(stage):
        if stage == "joint":
            seen.update({k: v.clone() for k, v in first.model.state_dict().items()})
        begin(stage)

    first.model.begin = watching
    first.run()
    for name, value in first.model.state_dict().items():
        assert torch.equal(value, seen[name]), name
    last = seen["branches.trunks.sketch.backbone.net.conv_stem.weight"]
    assert not torch.equal(last, seen["branches.trunks.edge.backbone.net.conv_stem.weight"])
    assert not torch.equal(last, seen["branches.trunks.photo.backbone.net.conv_stem.weight"])


def test_stage_one_alone_then_stage_two_with_other_settings(edged):
    first = run("epochs=0")
    assert json.loads((first / "result.json").read_text())["chosen_epochs"] == {"branches": 1}
    state = read_checkpoint(first / "checkpoint.safetensors").state
    assert {name.split(".")[2] for name in state if ".heads." in name} == {
        "photo",
        "sketch",
        "edge",
    }
    second = run("sharing=all", "co_attention=false", init=first.name, from_stage="joint")
    checkpoint = read_checkpoint(second / "checkpoint.safetensors")
    assert checkpoint.provenance.init.run == first.name
    assert checkpoint.provenance.init.earlier_stages
    assert json.loads((second / "result.json").read_text())["chosen_epochs"] == {"joint": 1}
    assert "branches.trunks.sketch.backbone.net.conv_stem.weight" not in checkpoint.state
    log = (second / "log.jsonl").read_text()
    assert '"joint"' in log
    assert '"branches"' not in log
    assert run("sharing=all", "co_attention=false", from_stage="joint") != second
    third = run("preset=two-branch", "val=auto", init=first.name, from_stage="joint")
    assert read_checkpoint(third / "checkpoint.safetensors").provenance.init.run == first.name


def test_the_edge_maps_feature_of_a_trained_network(edged):
    """Table IV: the same weights, searched by the other feature."""
    whole = run("pretrain_epochs=0")
    usual, other = embed(whole), embed(whole, assignments=["feature=edge"])
    assert other.name == "embeddings-feature-edge.h5"
    photo, edge = files.read(usual), files.read(other)
    assert (photo.checkpoint, photo.provenance.settings["feature"]) == (edge.checkpoint, "photo")
    assert edge.provenance.settings["feature"] == "edge"
    assert np.array_equal(photo.query, edge.query)
    assert not np.allclose(photo.gallery, edge.gallery, atol=1e-3)
    trained = run("pretrain_epochs=0", "epochs=0", "feature=edge", init=whole.name)
    assert np.array_equal(files.read(embed(trained)).gallery, edge.gallery)
    again = run("pretrain_epochs=0", init=whole.name)  # all stages, after all stages
    assert not read_checkpoint(again / "checkpoint.safetensors").provenance.init.earlier_stages


def test_a_run_on_other_data_is_no_beginning(edged):
    first = run("epochs=0")
    with pytest.raises(MismatchError, match="validation"):
        run(init=first.name, seed=1)
    with pytest.raises(MismatchError, match="fit"):
        run("fc=8", init=first.name)
    with pytest.raises(UsageError, match="refit"):
        run(init=first.name, refit=True)
    with pytest.raises(UsageError, match="jiont"):
        run(from_stage="jiont")


def test_embedding_takes_the_stores_edge_maps_and_no_others(edged, with_edges, monkeypatch):
    made = run("pretrain_epochs=0")
    checkpoint = read_checkpoint(made / "checkpoint.safetensors")
    assert checkpoint.provenance.edges.method == "canny"
    found = files.read(embed(made))
    assert found.provenance.edges == checkpoint.provenance.edges
    model = restore(checkpoint, device="cpu")
    assert isinstance(model, Semi3)
    part = Inputs(task="sbir").open().partition.test
    photos = torch.from_numpy(part.photo.store.read("photo", part.photo.row[:3]))
    # outside a store the same maps are made on the fly
    again = model.embed(photos.permute(0, 3, 1, 2), "photo")
    assert np.allclose(found.gallery[:3], again.numpy(), atol=1e-5)
    own = edged.parent / "other"
    shutil.copytree(with_edges, own / "datasets")
    monkeypatch.setenv("SBIRCTL_HOME", str(own))
    prepare_edges(own / "datasets" / "small", method="gb-color")
    with pytest.raises(MismatchError, match="canny"):
        embed(made, fresh=True)
    assert run("pretrain_epochs=0", epochs=1).name != made.name


def test_a_data_set_without_edge_maps_is_refused_unless_none_are_needed(home):
    with pytest.raises(MissingError, match="edge maps") as caught:
        run()
    assert "--edges gb" in caught.value.hint
    assert not (home / "runs").exists()
    made = run("preset=two-branch", "pretrain_epochs=0")
    header = read_checkpoint(made / "checkpoint.safetensors", tensors=False)
    assert header.provenance.edges is None
    assert len(files.read(embed(made)).gallery)


def test_a_batch_in_pieces_gives_the_whole_batchs_gradients(edged):
    data = Inputs(task="sbir").open()
    layer = {"backbone": "squeezenet1_1", "size": 32, "fc": 16, "dim": 8, "dropout": 0, "batch": 4}
    model = create("semi3", weights="none", classes=data.partition.train.classes, layers=[layer])
    model.train()
    plan = model.recipe()[1].plan
    loader = BatchLoader(data.partition.train, torch.device("cpu"), 0, edges=model.needs_edges)
    batch = to_rgb(next(iter(loader.batches(plan.batches(data.partition.train, 0, 0)))))
    assert batch.edge.shape == (8, 1, 32, 32)
    found = []
    for pieces in (1, 2):
        model.zero_grad()
        terms = gradients(model, batch, "joint", pieces=pieces, seed=0, autocast=model.autocast())
        found.append([p.grad for p in model.parameters() if p.grad is not None])
    assert terms["align"] > 0
    for whole, pieced in zip(*found, strict=True):
        torch.testing.assert_close(whole, pieced, atol=1e-4, rtol=1e-3)
