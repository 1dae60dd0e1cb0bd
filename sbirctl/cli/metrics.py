"""`sbirctl metrics`: what can be measured, and under whose definitions."""

from __future__ import annotations

from sbirctl.cli._output import Listing, Table

panel = "What there is"


def command() -> Listing:
    """List the metrics and the published definitions."""
    from sbirctl.retrieval.definitions import all_definitions
    from sbirctl.retrieval.metrics import all_measures

    known = all_definitions()
    metrics = [
        (", ".join([f"{m.kind}@K"] * m.allows_k + [f"{m.kind}@all"] * m.allows_all), m.summary)
        for m in all_measures().values()
    ]

    definitions = {
        d.name: {**d.choices(), "source": d.source, "note": d.note} for d in known.values()
    }
    rows: list[list[str]] = [["metric", name, text] for name, text in metrics]
    standard = known["standard"].choices()
    for d in known.values():
        own = [f"{k}={v}" for k, v in d.choices().items() if v != standard[k]]
        text = "; ".join(filter(None, [", ".join(own), d.note, f"source: {d.source}"]))
        rows.append(["definition", d.name, text])
    table = Table(("kind", "name", "what it is"), rows)
    return Listing({"metrics": dict(metrics), "definitions": definitions}, (table,))
