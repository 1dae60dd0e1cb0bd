"""What a card's claim to be its paper's model rests on, in one of a few fixed rungs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

UNVERIFIED = "paper"
OWN = "own"
RUNGS: Mapping[str, str] = {
    "parity": "computes what the released code computes, compared by numbers",
    "checkpoint": "a released checkpoint scores its published figure",
    "retrained": "retrained on the full data, within the interval of the published figure",
    UNVERIFIED: "from the paper only (unverified)",
    OWN: "no paper's own system is claimed",
}


@dataclass(frozen=True)
class Trust:
    """How a model was compared with its paper, and what is missing of it.

    Attributes:
        rung: the highest reached, a key of `RUNGS`.
        evidence: the script or measurement, with its figures; "" where there is none.
        partial: what the paper has and the model has not, in words; "" for a whole model.
    """

    rung: str
    evidence: str = ""
    partial: str = ""

    @property
    def short(self) -> str:
        """A few words for lists."""
        name = "paper (unverified)" if self.rung == UNVERIFIED else self.rung
        return f"{name}, partial" if self.partial else name

    @property
    def line(self) -> str:
        """What is said before a training, "" where no paper's system is claimed."""
        if self.rung == OWN:
            return ""
        return ", ".join([RUNGS[self.rung], *(["partial"] if self.partial else [])])

    @property
    def remark(self) -> str:
        """What must stand beside figures of the model, "" for nothing."""
        found = [RUNGS[UNVERIFIED]] if self.rung == UNVERIFIED else []
        return ", ".join([*found, *(["partial"] if self.partial else [])])


def parse_trust(data: Mapping[str, Any] | None) -> Trust:
    """The `[trust]` of a card; a card that says nothing is unverified.

    Raises:
        TypeError, ValueError: a key is unknown, there is no such rung, or one that was reached by
            a comparison does not name it.
    """
    trust = Trust(**data) if data else Trust(UNVERIFIED)
    if trust.rung not in RUNGS:
        raise ValueError(f"trust has the rung {trust.rung!r}, not one of {', '.join(RUNGS)}")
    if trust.rung not in (UNVERIFIED, OWN) and not trust.evidence:
        raise ValueError(f"trust has the rung {trust.rung} and names no evidence")
    return trust
