"""The contracts of what has a name, as checks that run on any implementation of it.

One file a kind: its `CHECKS` are functions of a subject that raise `ContractError`. The project's
own tests and `sbirctl check` run the same ones.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

S = TypeVar("S")


class ContractError(Exception):
    """What a thing does otherwise than its contract says."""


class NotCheckedError(Exception):
    """Why a check says nothing of a thing."""


@dataclass(frozen=True)
class CheckOutcome:
    """What one check found.

    Attributes:
        what: the contract, in words.
        problem: what is wrong, "" where nothing is.
        skipped: why it was not checked, "" where it was.
    """

    what: str
    problem: str = ""
    skipped: str = ""


def require(true: object, message: str) -> None:
    """Raise ContractError unless something is true."""
    if not true:
        raise ContractError(message)


def run_checks(checks: Sequence[Callable[[S], None]], subject: S) -> list[CheckOutcome]:
    """The outcome of every check, whatever the others find; the first has to pass for the rest.

    Args:
        checks: the first sentence of each docstring says what it holds to.
        subject: a thing of their kind.
    """
    found: list[CheckOutcome] = []
    for check in checks:
        what = first_sentence(check)
        if found and found[0].problem:
            found.append(CheckOutcome(what, skipped="the first check has to pass"))
            continue
        try:
            check(subject)
        except NotCheckedError as reason:
            found.append(CheckOutcome(what, skipped=str(reason)))
        except ContractError as error:
            found.append(CheckOutcome(what, problem=str(error)))
        except Exception as error:  # whatever somebody's code raises is what is wrong with it
            text = " ".join(str(error).split()) or "no message"
            found.append(CheckOutcome(what, problem=f"{type(error).__name__}: {text}"))
        else:
            found.append(CheckOutcome(what))
    return found


def first_sentence(check: Callable[[S], None]) -> str:
    """What a check holds to, in words."""
    return " ".join((check.__doc__ or check.__name__).split("\n\n")[0].split()).rstrip(".")
