"""Semi3-Net: what is shared stays shared, the co-mask by hand, where gradients arrive."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from small_models import CLASSES, SMALL, batch, images
from torch import Tensor, nn
from torch.nn import functional as F

from sbirctl.core.config import to_dict
from sbirctl.core.errors import MissingError, UsageError
from sbirctl.models import create, rebuild, resolve_settings
from sbirctl.models.layers.branches import SCHEMES, Head, Trunk
from sbirctl.models.layers.co_attention import ChannelAttention, co_attend
from sbirctl.models.semi3 import APART, JOINT, Semi3
from sbirctl.retrieval.provenance import Provenance
from sbirctl.training.checkpoint import read_checkpoint, save_checkpoint
from sbirctl.training.step import loss_terms

# All of this network is before its last map, so all of it learns.
TINY = {"backbone": "squeezenet1_1"}
TWO = {"edges": False, "co_attention": False, "hybrid": False}
# Which of photo, sketch and edge map have one set of weights: convolutions, then FC layers.
SAME = {
    "semi": ("p|se", "pse"),
    "all": ("pse", "pse"),
    "fc-only": ("p|s|e", "pse"),
    "sketch-edge-only": ("p|se", "p|s|e"),
    "none": ("p|s|e", "p|s|e"),
}
BRANCHES = {"p": "photo", "s": "sketch", "e": "edge"}


def model_of(**settings: Any) -> Semi3:
    made = create(
        "semi3",
        device="cpu",
        weights="none",
        classes=CLASSES,
        layers=[SMALL["semi3"], TINY, settings],
    )
    assert isinstance(made, Semi3)
    return made.train()


def step(model: Semi3, stage: str = JOINT) -> None:
    """One step of SGD with momentum and decay, on the stage's own groups."""
    groups = [g.params for s in model.recipe() if s.name == stage for g in s.groups]
    params = [p for group in groups for p in group]
    optimizer = torch.optim.SGD(params, 0.1, momentum=0.9, weight_decay=0.1)
    loss_terms(model, batch(), stage)["total"].backward()
    optimizer.step()


def pointers(module: nn.Module) -> list[int]:
    return [p.data_ptr() for p in module.parameters()]


def check_shared(model: Semi3, scheme: str) -> None:
    for pattern, part in zip(
        SAME[scheme], (model.branches.trunk, model.branches.head), strict=True
    ):
        group = {name: i for i, names in enumerate(pattern.split("|")) for name in names}
        for a, b in itertools.combinations(BRANCHES, 2):
            first, second = pointers(part(BRANCHES[a])), pointers(part(BRANCHES[b]))
            same = [x == y for x, y in zip(first, second, strict=True)]
            assert all(same) if group[a] == group[b] else not any(same)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_shared_weights_are_one_tensor_and_stay_so(scheme: str, tmp_path: Path) -> None:
    model = model_of(sharing=scheme)
    check_shared(model, scheme)
    step(model)
    check_shared(model, scheme)
    model.begin(APART)
    assert len({tuple(pointers(model.branches.trunk(b))) for b in model.branches.names}) == 3
    step(model, APART)
    model.begin(JOINT)
    check_shared(model, scheme)
    save_checkpoint(tmp_path / "c", model, Provenance())
    again = rebuild("semi3", to_dict(model.settings), CLASSES, device="cpu", seed=1)
    assert isinstance(again, Semi3)
    again.load_checkpoint_state(read_checkpoint(tmp_path / "c").state)
    check_shared(again, scheme)
    step(again.train())
    check_shared(again, scheme)


def test_a_checkpoint_holds_shared_weights_once(tmp_path: Path) -> None:
    model = model_of(sharing="all")
    save_checkpoint(tmp_path / "c", model, Provenance())
    stored = sum(value.numel() for value in load_file(tmp_path / "c").values())
    buffers = sum(b.numel() for name, b in model.named_buffers() if name[0] != "_")
    assert stored == sum(p.numel() for p in model.parameters()) + buffers


def test_the_co_mask_is_the_product_of_both_masks_and_rescales_both() -> None:
    photo = torch.tensor([[[[1.0, 3.0]], [[2.0, 2.0]]]])  # means 2 and 2
    edge = torch.tensor([[[[0.0, 2.0]], [[-1.0, 3.0]]]])  # means 1 and 1
    own, other = ChannelAttention(2, 2), ChannelAttention(2, 2)
    for attention, excite in ((own, (1.0, -1.0)), (other, (2.0, 0.0))):
        attention.squeeze.weight.data = torch.tensor([[0.5, 0.5]])
        attention.squeeze.bias.data = torch.zeros(1)
        attention.excite.weight.data = torch.tensor([[excite[0]], [excite[1]]])
        attention.excite.bias.data = torch.zeros(2)
    # the photo's hidden value is 2, the edge map's 1
    mask = torch.sigmoid(torch.tensor([2.0, -2.0])) * torch.sigmoid(torch.tensor([2.0, 0.0]))
    got_photo, got_edge = co_attend(photo, edge, own, other)
    torch.testing.assert_close(got_photo[0, 0], photo[0, 0] * mask[0])
    torch.testing.assert_close(got_photo[0, 1], photo[0, 1] * mask[1])
    torch.testing.assert_close(got_edge[0, 1], edge[0, 1] * mask[1])


def test_the_attention_of_no_positive_sum_is_that_of_its_biases() -> None:
    attention = ChannelAttention(4, 16)  # reduced to one value at least
    attention.squeeze.weight.data.fill_(1)
    attention.squeeze.bias.data.zero_()
    expected = attention.excite.bias.sigmoid()
    torch.testing.assert_close(attention(-torch.ones(1, 4, 3, 3))[0], expected)


def test_each_photo_is_masked_with_its_own_edge_map() -> None:
    model = model_of().eval()
    with torch.no_grad():  # as far from constant masks as after training
        for parameter in model.branches.attentions.parameters():
            parameter.mul_(20)
    photo, edge = images(2), images(2, 1, seed=5)
    both = model.embed(photo, "photo", edge)
    torch.testing.assert_close(model.embed(photo[1:], "photo", edge[1:]), both[1:])
    swapped = model.embed(photo, "photo", edge.flip(0))
    assert (swapped - both).abs().max() > 1e-4
    without = model_of(co_attention=False).eval()
    torch.testing.assert_close(
        without.embed(photo, "photo", edge), without.embed(photo, "photo", edge.flip(0))
    )


def test_gradients_reach_every_part() -> None:
    model = model_of()
    loss_terms(model, batch(), JOINT)["total"].backward()
    silent = [n for n, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    # a ReLU may be shut for all of so small a batch; whole partition may not
    partition = {name.rpartition(".")[0] for name, _ in model.named_parameters()}
    reached = {n.rpartition(".")[0] for n, _ in model.named_parameters() if n not in silent}
    assert partition == reached


def test_stage_one_trains_neither_attention_nor_embedding() -> None:
    model = model_of()
    model.begin(APART)
    loss_terms(model, batch(), APART)["total"].backward()
    idle = ("attentions", "embedding")
    for name, parameter in model.named_parameters():
        assert (parameter.grad is None) == any(part in name for part in idle), name
    (first, _) = model.recipe()
    assert {group.name for group in first.groups} == {"convolutions", "fc", "classifier"}
    assert not first.validate


def test_a_classified_embedding_is_trained_in_both_stages_by_cosines_to_proxies() -> None:
    model = model_of(classify="embedding", temperature=0.25)
    encoded = model.encode(batch())
    weight = model.branches.head("sketch").classifier.weight
    assert weight.shape == (len(CLASSES), model.dim)
    for name in BRANCHES.values():
        found = getattr(encoded, name)
        for i, j in itertools.product(range(len(found)), range(len(CLASSES))):
            cosine = (found[i] @ weight[j]) / (found[i].norm() * weight[j].norm())
            torch.testing.assert_close(encoded.extra[f"{name}_logits"][i, j], cosine / 0.25)
    first, second = model.recipe()
    assert {g.name for g in second.groups} - {g.name for g in first.groups} == {"attention"}
    model.begin(APART)
    loss_terms(model, batch(), APART)["total"].backward()
    for name, parameter in model.named_parameters():
        assert (parameter.grad is None) == ("attentions" in name), name


def test_fc7_cosine_is_a_normalised_softmax_on_fc7_without_its_relu() -> None:
    model = model_of(classify="fc7-cosine", temperature=0.25).eval()
    given, head = batch(), model.branches.head("sketch")
    weight = head.classifier.weight
    assert weight.shape == (len(CLASSES), head.fc7.out_features)
    with torch.no_grad():
        head.fc7.weight.normal_(generator=torch.Generator().manual_seed(0))
        given_sketches = {"sketch": model.preprocess(given.sketch, "sketch")}
        features = model.branches(given_sketches)["sketch"]
        encoded = model.encode(given)
    assert (features < 0).any()
    for i, j in itertools.product(range(len(features)), range(len(CLASSES))):
        cosine = (features[i] @ weight[j]) / (features[i].norm() * weight[j].norm())
        torch.testing.assert_close(encoded.extra["sketch_logits"][i, j], cosine / 0.25)
    torch.testing.assert_close(encoded.sketch, F.normalize(head.embedding(features), dim=-1))
    first, second = model.recipe()
    late = {g.name for g in second.groups} - {g.name for g in first.groups}
    assert late == {"attention", "embedding"}


def test_proxies_need_a_temperature() -> None:
    """0 would make the classifier that of classify=fc7 without a word."""
    with pytest.raises(UsageError, match="temperature"):
        model_of(classify="embedding", temperature=0)


def test_a_raw_classifier_is_linear_on_the_vector_before_it_is_normalised() -> None:
    model = model_of(classify="raw").eval()
    given = batch()
    head = model.branches.head("sketch")
    assert head.classifier.weight.shape == (len(CLASSES), model.dim)
    encoded = model.encode(given)
    sketch = model.features(model.preprocess(given.sketch, "sketch"), "sketch")
    for i in range(len(sketch)):
        expected = head.classifier.weight @ sketch[i] + head.classifier.bias
        torch.testing.assert_close(encoded.extra["sketch_logits"][i], expected)
    first, second = model.recipe()
    assert {g.name for g in second.groups} - {g.name for g in first.groups} == {"attention"}


def naive_terms(model: Semi3, power: int, half: float) -> dict[str, float]:
    """Eqs. 8, 9 and 11 by loops."""
    given = batch()
    with torch.no_grad():
        encoded = model.encode(given)
    found = {"align": 0.0, "sketch_edge": 0.0, "sketch_photo": 0.0}
    for photo, edge in zip(encoded.photo, encoded.edge, strict=True):
        found["align"] += half * float((photo - edge).square().sum()) / len(encoded.photo)
    pairs = {"sketch_photo": encoded.photo, "sketch_edge": encoded.edge}
    for name, other in pairs.items():
        for anchor, positive, negative, _ in given.tuples.tolist():
            near = float((encoded.sketch[anchor] - other[positive]).norm())
            far = float((encoded.sketch[anchor] - other[negative]).norm())
            loss = near**power + max(0.0, 0.9 - far) ** power
            found[name] += half * loss / (2 * len(given.tuples))
    return found


@pytest.mark.parametrize("squared", [False, True])
@pytest.mark.parametrize("halves", [False, True])
def test_squares_and_halves_are_those_of_a_loop(squared: bool, halves: bool) -> None:
    settings = {"squared": squared, "halves": halves, "margin_photo": 0.9, "margin_edge": 0.9}
    model = model_of(**settings).eval()
    terms = model.losses(model.encode(batch()), batch(), JOINT)
    expected = naive_terms(model, 2 if squared else 1, 0.5 if halves else 1.0)
    for name, value in expected.items():
        assert terms[name].item() == pytest.approx(value, abs=1e-5), name
    cross = sum(v for n, v in terms.items() if n.startswith("cls_"))
    total = cross + 10 * terms["sketch_photo"] + 100 * terms["align"] + 10 * terms["sketch_edge"]
    torch.testing.assert_close(terms["total"], total)


@pytest.mark.parametrize(
    ("ramp", "done", "share"),
    [(0, 0, 1), (0, 0.5, 1), (0.4, 0, 0), (0.4, 0.1, 0.25), (0.4, 0.4, 1), (0.4, 0.9, 1)],
)
def test_beta_rises_over_its_share_of_the_stage(ramp: float, done: float, share: float) -> None:
    model = model_of(beta_ramp=ramp, beta=7.0).eval()
    model.stage_done = done
    terms = model.losses(model.encode(batch()), batch(), JOINT)
    rest = sum(v for n, v in terms.items() if n.startswith("cls_"))
    rest = rest + 10 * (terms["sketch_photo"] + terms["sketch_edge"])
    torch.testing.assert_close(terms["total"] - rest, 7 * share * terms["align"], atol=1e-4, rtol=0)


def test_a_ramp_is_a_share() -> None:
    with pytest.raises(UsageError, match=r"beta_ramp=1\.5"):
        model_of(beta_ramp=1.5)


def test_under_autocast_the_embedding_layer_keeps_float32() -> None:
    model = model_of().eval()
    seen: list[tuple[torch.dtype, torch.dtype]] = []
    layer = model.branches.head("photo").embedding
    layer.register_forward_hook(lambda m, given, out: seen.append((given[0].dtype, out.dtype)))
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        model.encode(batch())
        model.features(model.preprocess(images(2), "sketch"), "sketch")
    assert set(seen) == {(torch.float32, torch.float32)}
    assert len(seen) == 4


def test_the_preset_short_is_eq_12_with_squares_and_a_ramp() -> None:
    short, small = (resolve_settings("semi3", [{"preset": p}]) for p in ("short", "small"))
    assert (short.classify, short.hybrid, short.squared) == ("fc7-cosine", True, True)
    assert 1 <= short.beta <= 10
    assert short.beta_ramp == pytest.approx(1 / 3)
    assert (short.backbone, short.lr, short.batch) == (small.backbone, small.lr, small.batch)


def test_the_presets_move_convolutions_in_steps_that_leave_sketches_apart() -> None:
    """At 4e-4 all sketches had one embedding after 40 steps (benchmarks/results/semi3.md)."""
    for preset in ("short", "small"):
        assert resolve_settings("semi3", [{"preset": preset}]).lr_backbone <= 1e-4


def test_the_classifier_has_a_rate_of_its_own() -> None:
    (*_, stage) = model_of(lr=1e-3, lr_classifier=0.5).recipe()
    rates = {group.name: group.lr for group in stage.groups}
    assert (rates["classifier"], rates["embedding"], rates["attention"]) == (0.5, 1e-3, 1e-3)


def test_in_stage_one_a_branch_learns_from_its_own_images_alone() -> None:
    model = model_of()
    model.begin(APART)
    loss_terms(model, batch(), APART)["cls_sketch"].backward()
    for name, parameter in model.named_parameters():
        if ".trunks." in name or ".heads." in name:
            own = ".sketch." in name and ".embedding." not in name
            assert (parameter.grad is not None) == own, name


def test_stage_two_takes_photo_layers_and_sketch_convolutions() -> None:
    model = model_of()
    model.begin(APART)
    branches = model.branches
    with torch.no_grad():
        for value, name in enumerate(branches.names):
            branches.trunk(name).backbone.net.features[0].weight.fill_(value)
            branches.head(name).fc6.weight.fill_(value)
            branches.head(name).classifier.weight.fill_(value)
    model.begin(JOINT)
    stems = [branches.trunk(b).backbone.net.features[0].weight for b in ("photo", "sketch", "edge")]
    assert [w.mean().item() for w in stems] == [0, 1, 1]
    assert branches.head("edge").fc6.weight.mean().item() == 0
    assert branches.head("sketch").classifier.weight.mean().item() == 0


VARIANTS = [
    *[{"sharing": scheme} for scheme in SCHEMES],
    {"co_attention": False},
    {"hybrid": False},
    {"co_attention": False, "hybrid": False},
    {"feature": "edge"},
    {"feature": "edge", "co_attention": False},
    {**TWO, "sharing": "fc-only"},
    {**TWO, "sharing": "none"},
    {**TWO, "sharing": "all"},
    {"grid": 2, "dropout": 0.5},
]


@pytest.mark.parametrize("settings", VARIANTS, ids=str)
def test_every_variant_trains_and_embeds(settings: dict[str, Any]) -> None:
    model = model_of(**settings)
    assert model.needs_edges == settings.get("edges", True)
    for stage in (APART, JOINT):
        model.begin(stage)
        terms = loss_terms(model, batch(), stage)
        assert all(torch.isfinite(value) for value in terms.values())
        terms["total"].backward()
    assert ("align" in terms) == settings.get("hybrid", True)
    model.eval()
    given = batch()
    with torch.no_grad():
        encoded = model.encode(given)
    wanted = encoded.edge if settings.get("feature") == "edge" else encoded.photo
    assert wanted is not None
    torch.testing.assert_close(model.embed(given.photo, "photo", given.edge), wanted)
    torch.testing.assert_close(model.embed(given.sketch, "sketch"), encoded.sketch)
    assert (encoded.edge is None) == (not model.needs_edges)


@pytest.mark.parametrize(
    "settings",
    [
        {"edges": False},
        {"edges": False, "co_attention": False},
        {**TWO, "sharing": "semi"},
        {**TWO, "sharing": "sketch-edge-only"},
        {**TWO, "sharing": "none", "feature": "edge"},
    ],
)
def test_what_needs_edge_maps_is_refused_without(settings: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        model_of(**settings)


def test_losses_are_the_papers() -> None:
    model = model_of().eval()
    given = batch()
    encoded = model.encode(given)
    terms = model.losses(encoded, given, JOINT)
    photo, edge, sketch = encoded.photo, encoded.edge, encoded.sketch
    assert photo is not None
    assert edge is not None
    assert sketch is not None

    def pairs(other: Tensor) -> Tensor:
        assert given.tuples is not None
        total = torch.zeros(())
        for s, positive, negative, _ in given.tuples.tolist():
            total += (sketch[s] - other[positive]).norm()
            total += (0.3 - (sketch[s] - other[negative]).norm()).clamp_min(0)
        return total / (2 * len(given.tuples))

    torch.testing.assert_close(terms["sketch_photo"], pairs(photo), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(terms["sketch_edge"], pairs(edge), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(terms["align"], (photo - edge).square().sum(1).mean())
    cls = F.cross_entropy(encoded.extra["edge_logits"], given.photo_label)
    torch.testing.assert_close(terms["cls_edge"], cls)
    total = terms["cls_photo"] + terms["cls_sketch"] + terms["cls_edge"]
    total = total + 10 * terms["sketch_photo"] + 100 * terms["align"] + 10 * terms["sketch_edge"]
    torch.testing.assert_close(terms["total"], total)


def test_a_photo_without_an_edge_map_gets_one_as_in_training() -> None:
    model = model_of().eval()
    photo = images(1)
    model.edge_source = ("canny", {})
    expected = model.embed(photo, "photo", model.make_edges(photo))
    torch.testing.assert_close(model.embed(photo, "photo"), expected)
    model.edge_source = ("folder", {})
    with pytest.raises(MissingError, match="folder"):
        model.embed(photo, "photo")


def test_the_defaults_are_vgg19_with_its_own_fully_connected_layers() -> None:
    with torch.device("meta"):
        model = Semi3(Semi3.Settings(), ("a", "b", "c"))
    branches = model.branches
    assert branches.head("photo").fc6.weight.shape == (4096, 512 * 49)
    assert not any("classifier" in name for name, _ in branches.trunks.named_parameters())
    convolutions = [m for m in branches.trunk("photo").modules() if isinstance(m, nn.Conv2d)]
    assert len(convolutions) == 16
    assert [g.lr for stage in model.recipe() for g in stage.groups] == [2e-4] * 8


def test_a_backbones_own_layers_are_taken_over_where_they_fit() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.features = nn.Sequential(nn.Conv2d(3, 4, 3, 2, 1), nn.MaxPool2d(2))
            layers = [nn.Linear(4 * 9, 8), nn.ReLU(), nn.Linear(8, 8), nn.Identity()]
            self.classifier = nn.Sequential(*layers)

    from sbirctl.models.layers.backbones import Backbone, BackboneSettings

    net = Net()
    given = [net.classifier[0], net.classifier[2]]
    trunk = Trunk(
        Backbone(
            net, 8, "torchvision", BackboneSettings("net"), (), ("features.0", "features.1"), True
        )
    )
    assert (trunk.channels, trunk.grid) == (4, 3)
    head = Head(4, 3, 8, 5, 2, 0.0)
    head.adopt(trunk.own)
    assert torch.equal(head.fc6.weight, given[0].weight)
    assert torch.equal(head.fc7.bias, given[1].bias)
    smaller = Head(4, 1, 8, 5, 2, 0.0)
    before = smaller.fc6.weight.clone()
    smaller.adopt(trunk.own)
    assert torch.equal(smaller.fc6.weight, before)


def test_new_layers_pass_on_what_they_get() -> None:
    maps = torch.rand(400, 8, 2, 2)
    pooled = maps.mean((2, 3))
    torch.testing.assert_close(Head(8, 1, 8, 5, 2, 0.0)(maps), pooled)
    torch.manual_seed(0)
    wider = Head(8, 1, 512, 5, 2, 0.0)(maps)
    assert 0.5 < wider.square().mean() / pooled.square().mean() < 2
