"""`sbirctl metrics`: what can be measured, and under whose definitions."""

from __future__ import annotations

from sbirctl.cli import _console

panel = "What there is"


def command(json: _console.JsonOption = False) -> None:
    """List the metrics and the published definitions."""
    from sbirctl.retrieval.definitions import PRESETS

    if json:
        listed = {
            d.name: {**d.parts(), "source": d.source, "note": d.note} for d in PRESETS.values()
        }
        _console.print_json({"metrics": dict(_METRICS), "definitions": listed})
        return
    rows: list[list[str]] = [["metric", name, text] for name, text in _METRICS]
    standard = PRESETS["standard"].parts()
    for d in PRESETS.values():
        own = [f"{k}={v}" for k, v in d.parts().items() if v != standard[k]]
        text = "; ".join(filter(None, [", ".join(own), d.note, f"source: {d.source}"]))
        rows.append(["definition", d.name, text])
    _console.print_table(("kind", "name", "what it is"), rows)


_METRICS = (
    ("map@all", "mean average precision over the whole gallery"),
    ("map@K", "mean average precision of the first K"),
    ("prec@K", "share of relevant photos among the first K (also p@K, precision@K)"),
    ("recall@K", "share of the relevant photos that are among the first K"),
    ("acc@K", "share of sketches whose own photo is among the first K; ties count against"),
)
