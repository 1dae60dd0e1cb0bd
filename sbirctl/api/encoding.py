"""`load`: a run, a checkpoint, an export, the starter or a model as something that embeds."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from os import PathLike, fspath
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from sbirctl.api.reporting import PythonReporter
from sbirctl.core.errors import CorruptError, MismatchError, MissingError, UsageError
from sbirctl.inference.encoder import Encoder
from sbirctl.store.manifest import MODALITIES, Modality

Files = str | PathLike[str]
_BATCH = 64


class ImageEncoder(Encoder):
    """An encoder (`inference.encoder.Encoder`) that takes pictures of any size and kind, too.

    Attributes:
        name: what was loaded.
    """

    def __init__(self, name: str, encoder: Encoder) -> None:
        self.name = name
        self._encoder = encoder

    def __repr__(self) -> str:
        reads = "photos, sketches and texts" if self.has_text else "photos and sketches"
        return f"<{self.name}: {reads} to {self.dim} numbers, on {self.device}>"

    @property
    def dim(self) -> int:
        """Length of a vector."""
        return self._encoder.dim

    @property
    def sizes(self) -> Mapping[Modality, int]:
        """Side of the square pictures it takes, by modality."""
        return self._encoder.sizes

    @property
    def has_text(self) -> bool:
        """Whether it reads texts."""
        return self._encoder.has_text

    @property
    def device(self) -> str:
        """Where it computes."""
        return self._encoder.device

    def embed(self, images: Any, modality: Modality) -> np.ndarray:
        """Pictures to vectors.

        Args:
            images: (n, size, size, C) uint8 as a store gives them (`sizes`; C = 3 photos,
                1 sketches), or a sequence of files, Pillow images and (H, W[, C]) uint8 arrays of
                any size, which are squashed to that square as a store's pictures are. A sketch is
                dark on white.
            modality: "photo" or "sketch".

        Returns:
            (n, dim) float32, L2-normalised.

        Raises:
            UsageError: no such modality.
            MismatchError: a value that is no picture.
            CorruptError: a file that gives no picture.
        """
        if modality not in MODALITIES:
            raise UsageError(f"There is no modality {modality!r}.", "Say photo or sketch.")
        size, channels = self.sizes[modality], 3 if modality == "photo" else 1
        shape: tuple[int, ...] | None = getattr(images, "shape", None)
        if isinstance(images, str | bytes) or (shape is None and not isinstance(images, Sequence)):
            raise MismatchError("embed takes several pictures.", "Give a list: [picture].")
        if shape is not None and len(shape) in (2, 3):
            raise MismatchError(
                f"An array of shape {tuple(shape)} may be one picture.",
                "Give (n, height, width, channels), or a list of pictures.",
            )
        ready = shape is not None and shape[1:] == (size, size, channels)
        parts = [np.empty((0, self.dim), dtype=np.float32)]
        for start in range(0, len(images), _BATCH):
            some = images[start : start + _BATCH]
            if not ready:
                some = np.stack([_pixels(one, modality, size) for one in some])
            parts.append(self._encoder.embed(_uint8(some), modality))
        return np.concatenate(parts)

    def embed_text(self, texts: Sequence[str]) -> np.ndarray:
        """(n, dim) float32, L2-normalised.

        Raises:
            UsageError: the model reads no texts.
        """
        return self._encoder.embed_text(texts)


def load(
    model: Files,
    *,
    device: str = "auto",
    weights: str = "",
    seed: int = 0,
    **settings: Any,
) -> ImageEncoder:
    """A model ready to make vectors: `load(run).embed(images, "photo")`.

    Args:
        model: a run (folder, name, or "@1" for the last), a checkpoint file, an exported model's
            folder, "starter" or the name of a model.
        device: auto, cpu, cuda, …; exported models compute on the processor.
        weights: where starting weights are, "" for the published ones or those of the training.
        seed: of random starting values.
        settings: of a model's name, as `--set` takes them.

    Raises:
        UsageError: settings for a model that has its own.
        MissingError, CorruptError, MismatchError: it is not there, or not what it should be.
    """
    from sbirctl.api.stages import assignments
    from sbirctl.inference.onnx import export_named
    from sbirctl.pipeline.gallery_model import ModelChoice, choose

    name = fspath(model)
    if not name:
        raise UsageError("Which model is meant?", "Name a run, or the starter.")
    choice = ModelChoice(
        name,
        weights,
        assignments(settings),
        seed=seed,
        runtime="torch" if export_named(name) is None else "",
    )
    return ImageEncoder(name, choose(choice, None, device, PythonReporter()).encoder)


def _pixels(image: Any, modality: Modality, size: int) -> np.ndarray:
    """(size, size, C) uint8 of one picture."""
    from PIL import Image

    from sbirctl.store.images import load_image, to_pixels

    if isinstance(image, str | PathLike):
        return _file(Path(image), modality, size)
    if isinstance(image, bytes):
        return load_image(image, modality, size)
    if isinstance(image, io.IOBase):
        raise MismatchError("An open file is no picture.", "Give its path or its bytes.")
    if isinstance(image, Image.Image):
        return to_pixels(image, modality, size)
    array = _uint8(image)
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[..., 0]
    if array.ndim != 2 and (array.ndim != 3 or array.shape[2] not in (3, 4)):
        raise MismatchError(
            f"An array of shape {array.shape} is no picture.",
            "Give (height, width) or (height, width, 3), the channels last.",
        )
    return to_pixels(Image.fromarray(array), modality, size)


def _file(path: Path, modality: Modality, size: int) -> np.ndarray:
    from sbirctl.core.files import display_path
    from sbirctl.store.images import ImageError, load_image

    try:
        return load_image(path.read_bytes(), modality, size)
    except FileNotFoundError as error:
        raise MissingError(f"There is no file {display_path(path)}.", "Check the path.") from error
    except ImageError as error:
        raise CorruptError(
            f"{display_path(path)} gives no picture: {error.message}.", error.hint
        ) from error


def _uint8(values: ArrayLike) -> np.ndarray:
    array = np.asarray(values)
    if array.dtype != np.uint8:
        raise MismatchError(
            f"Pictures are uint8, 0 black to 255 white, not {array.dtype}.",
            "Convert them: (255 * images).round().astype('uint8').",
        )
    return array
