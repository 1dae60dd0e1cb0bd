"""The starter model's script: drawing, mapping, gradients and vectors, without data or weights."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from benchmarks.starter import choose, drawings, files, mapping, measure, network  # noqa: E402
from benchmarks.starter.vectors import Head, Shape, expected_scores, head  # noqa: E402
from sbirctl.drawings.placement import Placement, normalize_placement  # noqa: E402
from sbirctl.inference.onnx import OnnxEncoder  # noqa: E402
from sbirctl.store.images import to_pixels  # noqa: E402

SQUARE = [np.array([[0.0, 0], [10, 0], [10, 10], [0, 10], [0, 0]])]
LONG = [np.array([[0.0, 0], [100, 0]]), np.array([[0.0, 20], [100, 20]])]


def box(picture):
    rows, columns = np.nonzero(picture < 200)
    return rows.min(), rows.max() + 1, columns.min(), columns.max() + 1


@pytest.mark.parametrize("strokes", [SQUARE, LONG])
@pytest.mark.parametrize("fill", [0.5, 0.9])
def test_the_ink_fills_its_share_and_lies_in_the_middle(strokes, fill):
    top, bottom, left, right = box(drawings.rasterise(strokes, size=200, fill=fill))
    assert max(bottom - top, right - left) == pytest.approx(fill * 200, abs=3)
    assert top + bottom == pytest.approx(200, abs=2)
    assert left + right == pytest.approx(200, abs=2)


def test_a_drawing_keeps_its_proportions():
    top, bottom, left, right = box(drawings.rasterise(LONG, size=200))
    assert (right - left) / (bottom - top) == pytest.approx(100 / 20, rel=0.15)


def test_a_single_point_is_drawn():
    assert (drawings.rasterise([np.array([[5.0, 5.0]] * 2)]) < 200).any()


def test_wider_lines_have_more_ink():
    ink = [(255 - drawings.rasterise(SQUARE, width=w).astype(int)).sum() for w in (0.01, 0.04)]
    assert ink[1] > 2 * ink[0]


def test_changed_drawings_differ_and_come_again_with_the_seed():
    one, two, again = (drawings.copy(SQUARE, np.random.default_rng(s)) for s in (0, 1, 0))
    assert (one == again).all()
    assert (one != two).any()


def test_what_the_product_puts_in_place_looks_like_what_was_trained():
    sheet = Image.new("L", (300, 200), 255)
    small = Image.fromarray(drawings.rasterise(LONG, size=100))
    sheet.paste(small, (10, 90))
    placed = normalize_placement(sheet, Placement(drawings.FILL, drawings.FILL, drawings.FILL, 0))
    picture = to_pixels(placed, "sketch", drawings.SIZE)
    assert picture.shape == (drawings.SIZE, drawings.SIZE, 1)
    assert np.allclose(box(picture[..., 0]), box(drawings.rasterise(LONG)), atol=4)


def test_simplified_strokes_are_read(tmp_path):
    line = json.dumps({"word": "x", "drawing": [[[0, 1, 2], [3, 4, 5]], [[7], [8]]]})
    (tmp_path / "x.ndjson").write_text(line + "\n\n")
    assert drawings.categories(tmp_path) == ["x"]
    ((first, second),) = drawings.read(tmp_path, "x")
    assert first.tolist() == [[0, 3], [1, 4], [2, 5]]
    assert second.tolist() == [[7, 8]]


def test_the_mapping_names_classes_of_imagenet_once_each():
    data = json.loads(mapping.FILE.read_text())
    assert not set(data["below"]) & set(data["near"])
    for category, classes in mapping.read().items():
        assert classes, category
        assert len(set(classes)) == len(classes), category
        assert all(0 <= index < mapping.CLASSES for index in classes), category


@pytest.mark.parametrize(
    "category, index", [("zebra", 340), ("banana", 954), ("umbrella", 879), ("belt", 464)]
)
def test_the_mapping_has_known_classes(category, index):
    assert index in mapping.read()[category]


def test_targets_of_an_unmapped_category_are_empty_and_others_sum_to_one():
    goal = mapping.targets(["zebra", "circle"], torch.randn(1000, 16))
    assert goal.member[0].nonzero().flatten().tolist() == [340]
    assert goal.smooth.sum(1).tolist() == pytest.approx([1, 0], abs=1e-4)
    assert goal.smooth[0].argmax() == 340


@pytest.mark.parametrize("size", [4, 5, 7, 8])
@pytest.mark.parametrize("kernel", [3, 5])
@pytest.mark.parametrize("stride", [1, 2])
def test_the_fast_gradient_is_the_gradient(size, kernel, stride):
    x = torch.randn(2, 6, size, size, dtype=torch.float64, requires_grad=True)
    w = torch.randn(6, 1, kernel, kernel, dtype=torch.float64)
    ours = network._FixedDepthwise.apply(x, w, stride)
    padded = network._same(x, w, stride)
    plain = F.conv2d(padded, w, stride=stride, groups=6)
    weights = torch.randn_like(plain)
    assert torch.allclose(ours, plain)
    (a,) = torch.autograd.grad((ours * weights).sum(), x)
    (b,) = torch.autograd.grad((plain * weights).sum(), x)
    assert torch.allclose(a, b)


def constants():
    generator = torch.Generator().manual_seed(0)
    offsets = {side: torch.randn(1000, generator=generator) for side in ("photo", "drawing")}
    classes = torch.randn(1000, 24, generator=generator)
    return Head(offsets, {"photo": 4.0, "drawing": 2.0}, classes)


@pytest.mark.parametrize("side", ["photo", "drawing"])
def test_vectors_have_length_one_and_do_not_depend_on_the_others(side):
    scores = torch.randn(5, 1000)
    together = constants().vectors(scores, side)
    assert together.shape == (5, 24)
    assert together.norm(dim=1).tolist() == pytest.approx([1.0] * 5)
    assert torch.allclose(constants().vectors(scores[2:3], side)[0], together[2], atol=1e-6)


def test_a_vector_by_hand():
    fixed = Head({"photo": torch.tensor([1.0, 0])}, {"photo": 2.0}, torch.eye(2))
    scores = torch.tensor([[1 + 2 * float(np.log(3)), 0.0]])  # probabilities 3/4 and 1/4
    assert fixed.vectors(scores, "photo")[0].tolist() == pytest.approx([3 / 10**0.5, 1 / 10**0.5])


@pytest.fixture(scope="module")
def untrained():
    import timm

    torch.manual_seed(0)
    return timm.create_model(network.MODEL).eval()


@pytest.mark.slow
def test_the_folder_gives_the_vectors_of_both_sides(untrained, tmp_path):
    drawing = network.lite0(untrained.state_dict())
    with torch.no_grad():
        drawing.conv_head.weight.add_(0.01)
    fixed = head(untrained, torch.zeros(1000), Shape(8, power=0.0))
    assert (fixed.classes.T @ fixed.classes).numpy() == pytest.approx(np.eye(8), abs=1e-4)
    some = np.stack([drawings.rasterise(strokes) for strokes in (SQUARE, LONG)])
    worst = files.save(tmp_path / "a", untrained, drawing, fixed, some)
    assert sum(path.stat().st_size for path in (tmp_path / "a").iterdir()) < 20_000_000
    encoder = OnnxEncoder(tmp_path / "a")
    assert encoder.card["parity"] == {"pictures": 2, "worst_cosine": worst}
    assert worst > 0.999
    found = encoder.embed(some[..., None], "sketch")
    with torch.inference_mode():
        wanted = fixed.vectors(drawing(network.pixels(some)), "drawing").numpy()
    assert (found * wanted).sum(1).min() > 0.999
    # what both sides share is kept once
    once = sum(v.numel() for v in untrained.parameters()) + drawing.conv_head.weight.numel()
    assert (tmp_path / "a" / "weights.bin").stat().st_size < 2 * once + 200_000


def test_weights_between_are_between(untrained):
    other = network.lite0(untrained.state_dict())
    with torch.no_grad():
        other.conv_head.weight.add_(1)
    half = choose.between(untrained, other, 0.25).conv_head.weight
    assert torch.allclose(half, untrained.conv_head.weight + 0.25)


def test_expected_scores_are_those_of_normal_activations(untrained):
    generator = torch.Generator().manual_seed(1)
    noise = torch.randn(20_000, 1280, generator=generator)
    features = (untrained.bn2.bias + untrained.bn2.weight.abs() * noise).clamp(0, 6).mean(0)
    wanted = untrained.classifier(features)
    assert torch.allclose(expected_scores(untrained), wanted, atol=0.02)


def test_figures_by_hand():
    similarity = np.array([[0.9, 0.5, 0.7], [0.1, 0.2, 0.3]])
    relevant = np.array([[True, True, False], [False, False, True]])
    precision, average = measure.figures(similarity, relevant)
    assert average == pytest.approx(((1 + 2 / 3) / 2 + 1) / 2)
    assert precision == pytest.approx((2 / 3 + 1 / 3) / 2)


def test_the_split_removes_the_categories_it_does_not_choose_by(tmp_path):
    names = ["ant", "bird", "cup", "dolphin", "guitar"]
    rows = ["caltech101,group,copied,in_full_set,sketchy_mini_class,quickdraw_class"]
    rows += [f"{name},matched,1,1,,{name}" for name in names] + ["anchor,distractors,1,1,,"]
    (tmp_path / "classes.csv").write_text("\n".join(rows))
    for place in [*(f"matched/{name}" for name in names), "distractors/anchor"]:
        (tmp_path / place).mkdir(parents=True)
        (tmp_path / place / "1.jpg").write_bytes(b"")
    parts = choose.split(tmp_path)
    assert len(parts.photos) == 5
    assert parts.removed == ("ant", "bird", "cup")
    assert parts.held_out == ("guitar",)
    assert "dolphin" in parts.without
