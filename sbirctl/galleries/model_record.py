"""What a gallery keeps of the model that made its vectors."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from sbirctl.drawings.placement import Placement
from sbirctl.inference.encoder import RUNTIMES

_KEY = re.compile(r"[0-9a-f]{16}")
_MOST_SIZE = 1 << 14


@dataclass(frozen=True)
class ModelRecord:
    """Which model made a gallery's vectors; all that is needed to make it again.

    Attributes:
        name: registry name.
        checkpoint: path of a checkpoint; "" for a model as it comes.
        settings: resolved, as plain values.
        weights: what it starts from: "pretrained", "none" or a file; for a checkpoint "" for
            where they were in training.
        seed: of random starting values.
        digest: of the weights.
        size: side of the square the store's half of preprocessing makes of a photo.
        key: 16 hexadecimal digits of all that decides a photo's vector.
        placement: where its training sketches lie on their sheets.
        runtime: what computes the vectors, onnx or torch; a gallery never mixes them.
        export: folder of the exported model, "" for torch and for the starter.
    """

    name: str
    checkpoint: str
    settings: dict[str, Any]
    weights: str
    seed: int
    digest: str
    size: int
    key: str
    placement: Placement = field(default_factory=Placement)
    runtime: str = "torch"
    export: str = ""

    @property
    def label(self) -> str:
        """For people: a run's folder, or the model's name."""
        if not self.checkpoint:
            return self.name
        path = Path(self.checkpoint)
        return path.parent.name if path.stem == "checkpoint" else path.stem

    @property
    def comparable(self) -> str:
        """Equal where vectors of photos and drawings are the same, so that scores compare."""
        return f"{self.key} {self.digest} {self.runtime}"

    def to_json(self) -> str:
        """As a gallery keeps it."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str | Mapping[str, Any]) -> ModelRecord:
        """A record that a gallery, which may come from elsewhere, keeps.

        Raises:
            ValueError: it is none.
        """
        try:
            values = json.loads(text) if isinstance(text, str) else dict(text)
            record = cls(**{**values, "placement": Placement(**values["placement"])})
        except (RecursionError, TypeError, KeyError) as error:
            raise ValueError(f"the model's record is none: {error!r:.200}") from error
        kinds = {"settings": dict, "seed": int, "size": int, "placement": Placement}
        right = all(type(getattr(record, f.name)) is kinds.get(f.name, str) for f in fields(cls))
        shares = asdict(record.placement).values()
        if (
            not right
            or not _KEY.fullmatch(record.key)
            or not 0 < record.size <= _MOST_SIZE
            or record.runtime not in RUNTIMES
            or not all(type(v) in (int, float) and math.isfinite(v) for v in shares)
        ):
            raise ValueError("the model's record holds values it cannot have")
        return record
