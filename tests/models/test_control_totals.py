"""Every cell of the papers' tables, in cards and ledger, against a second reading."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from sbirctl.models import MODELS, Table, load_card

FILE = Path(__file__).with_name("control_totals.toml")
TOTALS = {
    (one["model"], one["id"]): one
    for one in tomllib.loads(FILE.read_text(encoding="utf-8"))["tables"]
}
TABLES = {(name, table.id): table for name in MODELS.names() for table in load_card(name).tables}


def _total(cells: Iterable[Any]) -> int:
    return sum(round(float(cell) * 10_000) for cell in cells if cell != "-")


def _cells(table: Table) -> list[tuple[Any, ...]]:
    return [tuple(row[len(table.keys) :]) for row in table.rows]


def test_every_table_was_read_twice() -> None:
    assert set(TABLES) == set(TOTALS)


@pytest.mark.parametrize("which", TABLES, ids="-".join)
def test_rows_and_columns_add_up_to_the_second_reading_s(which: tuple[str, str]) -> None:
    cells = _cells(TABLES[which])
    assert [_total(row) for row in cells] == TOTALS[which]["rows"]
    assert [_total(column) for column in zip(*cells, strict=True)] == TOTALS[which]["columns"]


# In thousandths, by data set in the ledger's order. What SpLIP's tables have is read there again.
PRINTED = {
    "ZSE-Ret": (504, 602, 736, 808, 569, 637, 142, 202),
    "ZSE-RN": (525, 624, 698, 797, 542, 657, 145, 216),
    "TLT": (661, 730, 779, 843, 615, 695, 278),
    "MARL": (691, 755, 705, 777, 327, 425),
    "SD-PL": (746, 747, 680, 744, 231, 397),
    "SketchFusion": (761, 763, 695, 753, 242, 399),
    "Doodle2Search": (461, 370),
    "SEM-PCYC": (459, 370),
    "CLIP-AT": (556, 627, 609, 638),
    "CLIP features": (250,),
    "DINO features": (493,),
    "DINOv2 features": (527,),
    "Stable Diffusion features": (558,),
    "SketchScape": (619, 872, 600, 861),
}


def test_the_ledger_s_own_rows_are_as_printed() -> None:
    text = files("sbirctl.report").joinpath("ledger.toml").read_text(encoding="utf-8")
    found = {
        row["system"]: tuple(
            round(1000 * value) for one in row["protocols"] for value in one["figures"].values()
        )
        for row in tomllib.loads(text)["rows"]
    }
    assert found == PRINTED


def test_what_splip_quotes_is_in_the_ledger_as_its_tables_have_it() -> None:
    at = TABLES["splip", "1"].keys.index("method")
    quoted = {row[at]: row[-8:] for row in TABLES["splip", "1"].rows}
    for system in ("ZSE-Ret", "ZSE-RN", "TLT", "MARL"):
        random25, others = quoted[system][:2], quoted[system][2:]
        cells = [*others[:2], *random25, *others[2:]]
        assert tuple(round(1000 * cell) for cell in cells if cell != "-") == PRINTED[system]
