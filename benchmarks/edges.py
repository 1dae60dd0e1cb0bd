"""Edge maps a second, beside the same formula with OpenCV's filter2D, and beside Canny.

    python benchmarks/edges.py [--photos FOLDER] [--device cuda] [--size 256] [--seconds 3]

Every method runs on the same images, one after the other in each round, and the best rounds are
compared: by the clock, and by the processors' time, which other work on the machine disturbs less.
Without --photos the images are smooth coloured noise with a few hard shapes.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import torch
from PIL import Image

from sbirctl.edges import edge_maps
from sbirctl.edges.batched import in_threads
from sbirctl.edges.boundary import boundary, filter_radius, gradient_filters, step_responses
from sbirctl.edges.color import lab_layers, stretched

BASELINE = "formula with filter2D"


def drawn(count: int, size: int) -> list[np.ndarray]:
    """Images with the same seed every time: (size, size, 3) uint8."""
    generator = np.random.default_rng(0)
    images = []
    for _ in range(count):
        image = np.zeros((size, size, 3), np.float32)
        for cells in (4, 16, 64):
            noise = generator.random((cells, cells, 3), dtype=np.float32)
            image += cv2.resize(noise, (size, size), interpolation=cv2.INTER_CUBIC) / cells**0.5
        image = image / image.max() * 255
        for _ in range(6):
            centre = tuple(int(v) for v in generator.integers(0, size, 2))
            colour = tuple(int(v) for v in generator.integers(0, 256, 3))
            cv2.circle(image, centre, int(generator.integers(size // 20, size // 5)), colour, -1)
        images.append(image.clip(0, 255).astype(np.uint8))
    return images


def found(folder: Path, count: int, size: int) -> list[np.ndarray]:
    """So many images spread over a folder."""
    paths = sorted(p for p in folder.rglob("*") if p.suffix.lower() in (".jpg", ".jpeg", ".png"))
    chosen = paths[:: max(1, len(paths) // count)][:count]
    return [np.array(Image.open(p).convert("RGB").resize((size, size))) for p in chosen]


def by_filter2d(image: np.ndarray, kernels: list[np.ndarray], chroma: float = 1.9) -> np.ndarray:
    """Colour strength before the stretch to 0..1, with NumPy and OpenCV, one image."""
    rgb = image.astype(np.float32)
    low, high = rgb.min((0, 1)), rgb.max((0, 1))
    rgb = (rgb - low) / np.maximum(high - low, 1e-6)
    matrix = np.array(
        [
            [0.412453, 0.357580, 0.180423],
            [0.212671, 0.715160, 0.072169],
            [0.019334, 0.119193, 0.950227],
        ],
        np.float32,
    )
    xyz = cv2.transform(rgb, matrix / np.array([[0.950456], [1], [1.088754]], np.float32))
    curve = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    x, y, z = cv2.split(curve.astype(np.float32))
    lightness = np.where(xyz[..., 1] > 0.008856, 116 * y - 16, 903.3 * xyz[..., 1])
    layers = (lightness, chroma * 500 * (x - y), chroma * 200 * (y - z))
    yy, xx, xy = (np.zeros(image.shape[:2], np.float32) for _ in range(3))
    for layer in layers:
        ry, rx = filtered(layer, kernels)
        yy, xx, xy = yy + ry * ry, xx + rx * rx, xy + rx * ry
    return np.sqrt((yy + xx) / 2 + np.hypot((yy - xx) / 2, xy))


def filtered(layer: np.ndarray, kernels: list[np.ndarray]) -> list[np.ndarray]:
    """Both filters on one layer."""
    mirror = cv2.BORDER_REFLECT
    return [cv2.filter2D(layer, cv2.CV_32F, kernel, borderType=mirror) for kernel in kernels]


def canny(image: np.ndarray) -> np.ndarray:
    """OpenCV alone, without the conversion of tensors."""
    grey = cv2.GaussianBlur(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), (0, 0), 1.0)
    return cv2.Canny(grey, 100, 200, L2gradient=True)


def contestants(images: list[np.ndarray], device: torch.device) -> dict[str, Callable[[], object]]:
    """What is timed, each on all images."""
    size = images[0].shape[0]
    radius = filter_radius(0.016, size, size)
    kernels = [kernel.float().numpy() for kernel in gradient_filters(radius)]
    photos = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).contiguous().to(device)
    layers = torch.cat([lab_layers(stretched(photo[None]), 1.9) for photo in photos])
    planes = [list(one) for one in layers.cpu().numpy()]
    strength = boundary(layers[:1], radius)[0][0].cpu().numpy()
    difference = float(np.abs(by_filter2d(images[0], kernels) - strength).max() / strength.max())
    print(f"filter2D and FFT differ by {difference:.1e} of the greatest strength\n")

    def wait() -> None:
        if device.type == "cuda":
            torch.cuda.synchronize()

    def maps(method: str, **parameters: bool) -> Callable[[], object]:
        return lambda: (edge_maps(photos, method, **parameters), wait())

    def one(i: int) -> None:
        step_responses(layers[i : i + 1], radius)

    def responses() -> None:
        if device.type == "cpu":
            in_threads(one, len(layers))
        else:
            step_responses(layers, radius)
        wait()

    return {
        BASELINE: lambda: [by_filter2d(image, kernels) for image in images],
        "filters alone, filter2D": lambda: [filtered(p, kernels) for one in planes for p in one],
        "filters alone, FFT": responses,
        "gb-color": maps("gb-color"),
        "gb-color, thin": maps("gb-color", thin=True),
        "gb": maps("gb"),
        "gb, thin": maps("gb", thin=True),
        "gb, contours": maps("gb", contours=True),
        "canny": maps("canny"),
        "cv2.Canny alone": lambda: [canny(image) for image in images],
    }


def same_as_processor(images: list[np.ndarray], device: torch.device) -> None:
    """Print how far the maps that the device makes are from the processor's."""
    photos = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).contiguous()
    for method in ("gb-color", "gb", "canny"):
        here = edge_maps(photos, method).cpu().int()
        there = edge_maps(photos.to(device), method).cpu().int()
        apart = (here - there).abs()
        print(
            f"{method} on {device} and on the processor: {(apart > 0).float().mean():.4%} of the "
            f"pixels differ, by {int(apart.max())} of 255 at most"
        )
    print()


def measure(
    runs: dict[str, Callable[[], object]], seconds: float
) -> dict[str, list[tuple[float, float]]]:
    """Seconds each takes, and seconds of processors, in rounds until the time is up."""
    for run in runs.values():
        run()
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in runs}
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(times[BASELINE]) < 3:
        for name, run in runs.items():
            start = time.perf_counter(), time.process_time()
            run()
            times[name].append((time.perf_counter() - start[0], time.process_time() - start[1]))
    return times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--photos", type=Path)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--count", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=20)
    options = parser.parse_args()
    count, size = options.count, options.size
    images = found(options.photos, count, size) if options.photos else drawn(count, size)
    device = torch.device(options.device)
    print(f"{len(images)} images of {size} x {size}, {device}, {torch.get_num_threads()} threads,")
    print(f"torch {torch.__version__}, OpenCV {cv2.__version__}, NumPy {np.__version__}")
    same_as_processor(images, device)
    times = measure(contestants(images, device), options.seconds)
    print("| method | ms an image | images/s | times the baseline | processor ms | times |")
    print("|---|---:|---:|---:|---:|---:|")
    best = {name: tuple(map(min, zip(*rows, strict=True))) for name, rows in times.items()}
    for name, (wall, processor) in best.items():
        cells = (
            f"{wall / len(images) * 1e3:.2f}",
            f"{len(images) / wall:.0f}",
            f"{best[BASELINE][0] / wall:.2f}",
            f"{processor / len(images) * 1e3:.2f}",
            f"{best[BASELINE][1] / processor:.2f}",
        )
        print(f"| {name} | " + " | ".join(cells) + " |")
    print(f"\nthe baseline is the {BASELINE}; the best of {len(times[BASELINE])} rounds")


if __name__ == "__main__":
    main()
