"""How scores are shown: a row a metric, or a row a class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sbirctl.cli._output import Table


def table_of(found: Sequence[tuple[str, Mapping[str, Any]]]) -> Table:
    """The scores of one run, or of several under their titles.

    Args:
        found: title and scores of each, as `pipeline.evaluate.evaluate` gives them.
    """
    tables = [_table(scores) for _, scores in found]
    if len(found) == 1:
        return tables[0]
    header = list(dict.fromkeys(name for table in tables for name in table.header))
    rows = []
    for (title, _), table in zip(found, tables, strict=True):
        for row in table.rows:
            values = dict(zip(table.header, row, strict=True))
            rows.append([title, *(values.get(name) for name in header)])
    return Table(["run", *header], rows, least=tables[0].least)


def _table(scores: Mapping[str, Any]) -> Table:
    if "per_class" in scores:
        names = list(scores["metrics"])
        rows = [[c, e["queries"], *(e[n] for n in names)] for c, e in scores["per_class"].items()]
        rows.append(["(all)", scores["queries"], *(scores["metrics"][n] for n in names)])
        rows.append(["(chance)", scores["queries"], *(scores["chance"][n] for n in names)])
        return Table(("class", "queries", *names), rows)
    columns: list[tuple[str, dict[str, Any]]] = [("value", scores["metrics"])]
    columns += [(kind, scores[kind]) for kind in ("unseen", "seen", "harmonic") if kind in scores]
    header = ["metric", *(name for name, _ in columns)]
    rows = [[m, *(values[m] for _, values in columns)] for m in scores["metrics"]]
    if "intervals" in scores:
        header += ["low", "high", "unit"]
        for row in rows:
            row += [*(scores["intervals"][row[0]] or [None, None]), scores["interval_unit"]]
    header.append("chance")
    for row in rows:
        row += [scores["chance"][row[0]], scores["definitions"][row[0]]]
    sides = (
        f"{scores['depth']} photos a list"
        if "depth" in scores
        else f"{scores['gallery']} photos, {scores['classes']} classes"
    )
    title = f"{scores['queries']} queries, {sides}; definition {scores['definition']['name']}"
    title += _remarks(scores)
    least = ("definition", "unit", "chance")
    return Table([*header, "definition"], rows, title, least)


def _remarks(scores: Mapping[str, Any]) -> str:
    from sbirctl.retrieval.provenance import Provenance

    known = Provenance.from_json(scores.get("provenance", {}))
    about = (known.leak, known.after_model, scores.get("trust", ""))
    return "".join(f"; {text}" for text in about if text)
