"""Reads an exported model: pixels and texts to vectors by ONNX Runtime.

One comes with the program, `sbirctl/starter/`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sbirctl.core.errors import CorruptError, MismatchError, MissingError, UsageError
from sbirctl.core.files import announce_reading, digest_file, display_path
from sbirctl.core.forms import NATURAL, Maybe, check_form
from sbirctl.core.text import parse_toml, read_text
from sbirctl.drawings.placement import Placement
from sbirctl.inference import STARTER, presence
from sbirctl.inference.presence import Presence
from sbirctl.inference.tokenizer import ClipTokenizer
from sbirctl.store.manifest import MODALITIES, Modality

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

SCHEMA = 1
CARD = "card.toml"
STARTER_FOLDER = Path(__file__).absolute().parents[1] / STARTER
_FILE = {"sha256": str, "size": range(1, (1 << 13) + 1)}
_FORM: dict[str, Any] = {
    "model": str,
    "dim": range(1, (1 << 16) + 1),
    "weights_digest": str,
    "files": {**dict.fromkeys(MODALITIES, _FILE), "weights": {"sha256": str}},
    "placement": dict.fromkeys((field.name for field in fields(Placement)), float),
    "presence": Maybe(presence.FORM),
}
MERGES = "merges.txt.gz"
WEIGHTS = "weights.bin"
BATCH = 16
"""Pictures of one call: vectors of other batch sizes can differ in the last bits."""


def export_named(text: str) -> Path | None:
    """The folder of the exported model that is meant; None where `text` means none."""
    folder = STARTER_FOLDER if text == STARTER else Path(text).expanduser()
    return folder if (folder / CARD).is_file() else None


def zero_shot_note() -> str:
    """What the starter's card says of classes it knows, for figures that are measured with it."""
    return str(read_card(STARTER_FOLDER)["zero_shot"]["note"])


class OnnxEncoder:
    """An exported model, see `Encoder`; its vectors are torch's to a cosine of 0.99999 (card).

    A file is checked and loaded when it is first needed, so a search never reads the photo side.

    Args:
        folder: that `sbirctl export` made.
        threads: of one call, 0 for one a core.

    Attributes:
        card: what the folder says of itself.

    Raises:
        MissingError: there is no such folder, or ONNX Runtime is not installed.
        CorruptError: a file is missing, changed since the export, or cannot be read.
        MismatchError: a newer version made it.
    """

    device = "cpu"

    def __init__(self, folder: Path, threads: int = 0) -> None:
        self.folder, self.card = folder, read_card(folder)
        self.dim = int(self.card["dim"])
        self.sizes = {m: int(self.card["files"][m]["size"]) for m in MODALITIES}
        self._threads = threads
        self._sessions: dict[str, Any] = {}
        self._tokenizer: ClipTokenizer | None = None

    @property
    def placement(self) -> Placement:
        """Where its training sketches lie on their sheets."""
        given = self.card["placement"]
        return Placement(**{field.name: given[field.name] for field in fields(Placement)})

    @property
    def presence(self) -> Presence | None:
        """Whether anything like a drawing is there; None where the card does not say how."""
        return Presence.of(self.card)

    @property
    def has_text(self) -> bool:
        """Whether it reads texts."""
        return "text" in self.card["files"]

    def open(self) -> None:
        """Check and load the files of both kinds of pictures now."""
        for modality in MODALITIES:
            self._session(modality)

    def embed(self, pixels: np.ndarray, modality: Modality) -> np.ndarray:
        """See `Encoder.embed`."""
        size = self.sizes[modality]
        if pixels.shape[1:3] != (size, size):
            raise MismatchError(
                f"The model takes {size} x {size} pixels, not "
                f"{pixels.shape[2]} x {pixels.shape[1]}."
            )
        return self._run(modality, pixels)

    def embed_text(self, texts: Sequence[str]) -> np.ndarray:
        """See `Encoder.embed_text`."""
        if not self.has_text:
            raise UsageError(f"{self.card['model']} has no text tower.", "Draw it instead.")
        if self._tokenizer is None:
            facts = self.card["files"]["text"]
            _check(self.folder / MERGES, facts["merges"])
            self._tokenizer = ClipTokenizer(self.folder / MERGES, int(facts["context"]))
        return self._run("text", self._tokenizer(texts))

    def _run(self, name: str, values: np.ndarray) -> np.ndarray:
        session = self._session(name)
        given = session.get_inputs()[0]
        fixed = given.shape[0] if isinstance(given.shape[0], int) else 0
        step = fixed or BATCH
        found = np.empty((len(values), self.dim), dtype=np.float32)
        for start in range(0, len(values), step):
            batch = values[start : start + step]
            count = len(batch)
            if fixed and count < fixed:
                batch = np.concatenate([batch, np.repeat(batch[-1:], fixed - count, axis=0)])
            found[start : start + count] = session.run(None, {given.name: batch})[0][:count]
        return found

    def _session(self, name: str) -> InferenceSession:
        if name not in self._sessions:
            try:
                import onnxruntime
            except ModuleNotFoundError as error:
                raise MissingError(
                    "ONNX Runtime is not installed.", "Type `pip install onnxruntime`."
                ) from error
            path = self.folder / f"{name}.onnx"
            _check(path, self.card["files"][name]["sha256"])
            if not self._sessions:
                _check(self.folder / WEIGHTS, self.card["files"]["weights"]["sha256"])
            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = self._threads
            options.add_session_config_entry("session.intra_op.allow_spinning", "0")
            options.log_severity_level = 3
            announce_reading(path)
            try:
                self._sessions[name] = onnxruntime.InferenceSession(
                    str(path), options, providers=["CPUExecutionProvider"]
                )
            except Exception as error:  # onnxruntime's errors are not exported by name
                raise CorruptError(
                    f"{display_path(path)} cannot be loaded: {' '.join(str(error).split())[:200]}",
                    "Export the model again.",
                ) from error
        return self._sessions[name]


def read_card(folder: Path) -> Mapping[str, Any]:
    """What an export says of itself; its files are checked when they are used.

    Raises:
        MissingError, CorruptError, MismatchError: see `OnnxEncoder`.
    """
    path = folder / CARD
    if not path.is_file():
        raise MissingError(
            f"{display_path(folder)} holds no exported model.", "Make one: `sbirctl export RUN`."
        )
    hint = "Export the model again."
    try:
        card = parse_toml(read_text(path), display_path(path))
    except UsageError as error:
        raise CorruptError(error.message, hint) from error
    check_form(card, {"schema": NATURAL}, path, hint)
    if card["schema"] > SCHEMA:
        raise MismatchError(
            f"{display_path(folder)} was exported by a newer sbirctl.", "Install that version."
        )
    check_form(card, _FORM, path, hint)
    return card


def _check(path: Path, digest: str) -> None:
    if path.is_symlink() or not path.is_file():
        raise CorruptError(f"{display_path(path)} is missing.", "Export the model again.")
    if digest_file(path) != digest:
        raise CorruptError(
            f"{display_path(path)} is not what its card says.", "Export the model again."
        )
