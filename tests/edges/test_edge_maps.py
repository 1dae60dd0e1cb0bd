"""The public function: shapes, determinism, batches, and shapes whose edges are known."""

import subprocess
import sys

import pytest
import torch

from sbirctl.core.errors import UsageError
from sbirctl.edges import METHODS, edge_digest, edge_maps, edge_settings
from sbirctl.edges.gb import gb_boundaries
from sbirctl.edges.settings import GbColorSettings, GbSettings


def disc(size: int = 96, radius: float = 28) -> torch.Tensor:
    """(3, size, size): an orange disc on blue, with a little deterministic texture."""
    y, x = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    inside = (y - size / 2) ** 2 + (x - size / 2) ** 2 < radius**2
    orange, blue = torch.tensor([[230, 160, 60], [20, 40, 120]])[..., None, None]
    photo = torch.where(inside, orange, blue)
    return (photo + (y * 7 + x * 3) % 11).to(torch.uint8)


def noise(count: int, height: int = 40, width: int = 56, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(count, 3, height // 8, width // 8, generator=generator)
    blocks = torch.nn.functional.interpolate(coarse, (height, width), mode="nearest")
    smooth = torch.nn.functional.interpolate(coarse, (height, width), mode="bilinear")
    return ((blocks + smooth) * 127).to(torch.uint8)


@pytest.mark.parametrize("method", sorted(METHODS))
def test_the_outline_of_a_disc_is_dark_and_the_rest_white(method: str) -> None:
    edges = edge_maps(disc()[None], method, **({} if method == "canny" else {"thin": True}))
    assert edges.shape == (1, 1, 96, 96)
    assert edges.dtype == torch.uint8
    y, x = torch.meshgrid(torch.arange(96), torch.arange(96), indexing="ij")
    distance = ((y - 48.0) ** 2 + (x - 48.0) ** 2).sqrt()
    dark = edges[0, 0] < 155
    assert int(dark.sum()) > 0.8 * 2 * 3.14159 * 28 * 0.9
    assert float((distance[dark] - 28).abs().max()) <= 2.5
    assert int(edges.max()) == 255


@pytest.mark.parametrize(
    "method, parameters",
    [
        ("gb-color", {}),
        ("gb", {}),
        ("gb-color", {"contours": True}),
        ("gb-color", {"thin": True}),
        ("gb-color", {"low": 0.1, "high": 0.4}),
        ("canny", {}),
    ],
)
def test_a_batch_is_its_photos_one_by_one_and_twice_the_same(
    method: str, parameters: dict[str, object]
) -> None:
    photos = noise(3)
    together = edge_maps(photos, method, **parameters)
    apart = torch.cat([edge_maps(photo[None], method, **parameters) for photo in photos])
    assert torch.equal(together, apart)
    assert torch.equal(together, edge_maps(photos, method, **parameters))
    reordered = edge_maps(photos.flip(0), method, **parameters).flip(0)
    assert torch.equal(together, reordered)
    assert int((together < 255).sum()) > 0


@pytest.mark.parametrize("method", sorted(METHODS))
def test_one_colour_gives_white_paper(method: str) -> None:
    photos = torch.full((2, 3, 30, 41), 93, dtype=torch.uint8)
    assert torch.equal(
        edge_maps(photos, method), torch.full((2, 1, 30, 41), 255, dtype=torch.uint8)
    )


@pytest.mark.parametrize("method", sorted(METHODS))
@pytest.mark.parametrize("shape", [(8, 8), (9, 70), (300, 20)])
def test_small_and_long_photos(method: str, shape: tuple[int, int]) -> None:
    photos = torch.randint(0, 256, (1, 3, *shape), dtype=torch.uint8)
    assert edge_maps(photos, method).shape == (1, 1, *shape)


def test_soft_segmentation_is_the_default_and_weighs_the_colour_map() -> None:
    photos = noise(1, 48, 48)
    soft = gb_boundaries(photos, GbSettings())
    color = gb_boundaries(photos, GbColorSettings())
    assert torch.equal(soft.angle, color.angle)
    assert not torch.allclose(soft.strength, color.strength)
    assert torch.equal(edge_maps(photos), edge_maps(photos, "gb"))
    for found in (soft, color):
        assert found.strength.max() == 1
        assert found.strength.min() >= 0


def test_thin_edges_are_a_part_of_the_strength() -> None:
    photos = noise(1)
    thin, strength = (edge_maps(photos, thin=value) for value in (True, False))
    assert torch.equal(strength, edge_maps(photos))
    contours = edge_maps(photos, contours=True)
    assert torch.equal(contours, edge_maps(photos, contours=True, thin=True))
    assert bool((thin[contours < 255] < 255).all())
    kept = thin < 255
    assert torch.equal(thin[kept], strength[kept])
    assert int(kept.sum()) < int((strength < 255).sum()) / 3


def test_hysteresis_only_takes_away() -> None:
    photos = noise(1)
    plain, kept = edge_maps(photos), edge_maps(photos, low=0.05, high=0.5)
    assert bool(((kept == plain) | (kept == 255)).all())
    assert int((kept < 255).sum()) < int((plain < 255).sum())


def test_brightness_and_contrast_of_a_channel_change_nothing_in_colour() -> None:
    """Channels are stretched first: half the contrast is the same photo (up to rounding)."""
    photo = (noise(1) // 2 * 2).clamp(max=254)
    halved = photo // 2 + 60
    assert torch.equal(edge_maps(photo, "gb-color"), edge_maps(halved, "gb-color"))


def test_no_photos_give_no_maps() -> None:
    assert edge_maps(torch.zeros(0, 3, 20, 30, dtype=torch.uint8)).shape == (0, 1, 20, 30)


@pytest.mark.parametrize(
    "photos",
    [
        torch.zeros(1, 3, 20, 20),
        torch.zeros(3, 20, 20, dtype=torch.uint8),
        torch.zeros(1, 1, 20, 20, dtype=torch.uint8),
        torch.zeros(1, 3, 7, 20, dtype=torch.uint8),
    ],
)
def test_other_photos_are_refused(photos: torch.Tensor) -> None:
    with pytest.raises(UsageError, match="Photos of"):
        edge_maps(photos)


def test_unknown_names_name_the_nearest() -> None:
    with pytest.raises(UsageError) as refused:
        edge_maps(disc()[None], "gb-colour")
    assert "gb-color" in refused.value.hint
    with pytest.raises(UsageError) as refused:
        edge_settings("gb", {"radiuss": 1})
    assert "radius" in refused.value.hint


@pytest.mark.parametrize(
    "method, parameters",
    [
        ("gb", {"radius": 0}),
        ("gb", {"soft_radius": -1}),
        ("gb", {"low": 0.5, "high": 0.2}),
        ("canny", {"low": 300}),
        ("canny", {"sigma": -1}),
    ],
)
def test_bad_values_are_refused(method: str, parameters: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        edge_settings(method, parameters)


def test_the_digest_tells_methods_and_parameters_apart() -> None:
    settings = [("gb", {}), ("gb-color", {}), ("canny", {}), ("gb", {"chroma": 1.5})]
    digests = [edge_digest(name, edge_settings(name, values)) for name, values in settings]
    assert len(set(digests)) == 4
    assert all(len(digest) == 8 for digest in digests)
    assert edge_digest("gb", edge_settings("gb", {"chroma": 1.9})) == digests[0]


def test_names_and_settings_need_no_torch() -> None:
    code = (
        "import sys, sbirctl.edges as e; e.edge_settings('gb'); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
@pytest.mark.parametrize("method", sorted(METHODS))
def test_a_gpu_gives_the_same_up_to_rounding(method: str) -> None:
    photos = noise(3, 96, 96)
    here, there = edge_maps(photos, method).int(), edge_maps(photos.cuda(), method).cpu().int()
    assert float(((here - there).abs() > 3).float().mean()) < 0.01
