"""A model's page: its card, settings and figures as Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sbirctl.models import RUNGS
from sbirctl.report.markdown import table
from sbirctl.report.published import as_printed

KINDS = {
    "input": "input",
    "network": "network",
    "loss": "losses",
    "recipe": "recipe",
    "machine": "machine and preset",
}
"""Kinds of settings in the order they are shown, with a heading each."""
MARK = "* is not as in the paper's settings (the preset paper)."
"""What the star behind a preset's setting means."""


def model_page(
    described: Mapping[str, Any],
    measured: Sequence[Mapping[str, Any]] = (),
    step: Mapping[str, Any] | None = None,
) -> str:
    """The page of one model.

    Args:
        described: what `pipeline.models.show` gives.
        measured: figures measured with this project: dataset, task, split, metric, definition,
            value, and where known deviation, runs and note.
        step: what `pipeline.models.step_cost` gives.
    """
    name = described["name"]
    sections = [
        [
            f"# {name}",
            "",
            f"<!-- Written by `sbirctl models show {name} --format md` from the model's card. -->",
            "",
            described["summary"],
        ],
        _paper(described["paper"]),
        _trust(described["trust"]),
        _network(described, step),
        _weights(described["weights"]),
        *([_published(described["tables"])] if described["tables"] else []),
        *([_commands(described["commands"])] if described.get("commands") else []),
        *([_measured(measured)] if measured else []),
        *([_deviations(described["deviations"])] if described["deviations"] else []),
        _settings(described),
    ]
    return "\n\n".join("\n".join(section) for section in sections) + "\n"


def _paper(paper: Mapping[str, Any]) -> list[str]:
    places = {
        "Paper": f"<{paper['url']}>",
        "DOI": paper["doi"],
        "arXiv": paper["arxiv"],
        "Code": paper["code"],
    }
    return [
        "## Paper",
        "",
        f"{paper['authors']}: *{paper['title']}*. {paper['venue']}, {paper['year']}.",
        "",
        *(f"- {what}: {where}" for what, where in places.items() if where),
        *([f"- {paper['figures']}"] if paper["figures"] else []),
    ]


def _trust(trust: Mapping[str, str]) -> list[str]:
    """What the model's claim to be the paper's rests on."""
    lines = ["## Trust", "", f"- Rung: {trust['rung']}, {RUNGS[trust['rung']]}."]
    if trust["evidence"]:
        lines.append(f"- {trust['evidence']}")
    if trust["partial"]:
        lines.append(f"- Partial: {trust['partial']}")
    return lines


def _network(described: Mapping[str, Any], step: Mapping[str, Any] | None) -> list[str]:
    parts = described["parameters_by_part"]
    facts = [
        ("input", described["input"]),
        ("preprocessing", described["preprocessing"].strip()),
        ("embedding", f"{described['dim']} dimensions, L2-normalised"),
        ("parameters", f"{described['parameters']:,}, without what grows with the classes"),
        ("trained", "yes" if described["trainable"] else "no, embeds as it comes"),
    ]
    lines = ["## Network", ""]
    if described["architecture"]:
        lines += [described["architecture"].strip(), ""]
    lines += table(("what", ""), facts)
    if len(parts) > 1:
        lines += ["", "Parameters by part, with one training class:", ""]
        lines += table(("part", "parameters"), [(k, f"{v:,}") for k, v in parts.items()])
    return lines if step is None else [*lines, "", _cost(step)]


def _cost(step: Mapping[str, Any]) -> str:
    """What a training step was measured to cost, and where."""
    settings = f"the preset {step['preset']}" if step["preset"] else "the default settings"
    return (
        f"A training step with {settings} (forward, losses, backward, optimiser) took "
        f"{step['seconds']} s an image and {step['gigabytes']} GB of memory in all, with "
        f"{step['images']} images a step: {step['machine']}, {step['versions']}, {step['date']}."
    )


def _weights(weights: Sequence[Mapping[str, Any]]) -> list[str]:
    rows = [(w["name"], w["source"], w["licence"]) for w in weights]
    return ["## Weights it starts from", "", *table(("name", "source", "licence"), rows)]


def _published(tables: Sequence[Mapping[str, Any]]) -> list[str]:
    lines = ["## Published figures", "", "As the paper prints them, as fractions of 1."]
    for one in tables:
        lines += ["", f"### {one['title']}", ""]
        stated = one["definition"] or "not stated"
        lines += [f"{one['source']}; task {one['task']}, definition {stated}."]
        lines += ["", *table(one["header"], _rows(one))]
        lines += ["", *(f"- {text}" for text in _remarks(one))]
    return lines


def _rows(one: Mapping[str, Any]) -> list[list[object]]:
    metrics = [""] * len(one["keys"]) + [column["metric"] for column in one["columns"]]
    return [
        [
            as_printed(value) if metric and isinstance(value, float) else value
            for value, metric in zip(row, metrics, strict=True)
        ]
        for row in one["rows"]
    ]


def _remarks(one: Mapping[str, Any]) -> list[str]:
    """What the card says of columns and cells."""
    said: dict[str, None] = dict.fromkeys(one["note"].splitlines())
    for column in one["columns"]:
        named = column["split"] or f"{column['trained_on']}→{column['dataset']}"
        if column["split_status"] == "inferred":
            said[f"{named}: inferred from the paper's numbers of classes."] = None
        if column["undetermined"]:
            said[f"{named}: never compared: {column['undetermined']}."] = None
    return list(said) or ["Every split is stated in the paper."]


def _commands(commands: Sequence[Mapping[str, Any]]) -> list[str]:
    """How the main figures are made, and what is never compared with them."""
    rows = [
        (
            ", ".join(c["tables"]),
            c["where"],
            f"`{c['command']}`" + (" (*)" * bool(c["undetermined"])),
        )
        for c in commands
    ]
    lines = [
        "## Commands",
        "",
        "Each trains a run whose figures `sbirctl report` sets beside those of the tables named. "
        "The other rows come from the same command with their preset.",
        "",
        *table(("tables", "where", "command"), rows),
    ]
    if any(c["undetermined"] for c in commands):
        lines += [
            "",
            "(*) The paper does not determine this protocol: the nearest there is, never compared.",
        ]
    return lines


def _measured(figures: Sequence[Mapping[str, Any]]) -> list[str]:
    header = ("data set", "task", "split", "metric", "definition", "value", "note")
    rows = [
        (f["dataset"], f["task"], f["split"], f["metric"], f["definition"], _value(f), _note(f))
        for f in figures
    ]
    return ["## Measured figures", "", "With this project.", "", *table(header, rows)]


def _value(figure: Mapping[str, Any]) -> str:
    if "deviation" not in figure:
        return f"{figure['value']:.4f}"
    return f"{figure['value']:.4f} ± {figure['deviation']:.4f} ({figure['runs']})"


def _note(figure: Mapping[str, Any]) -> str:
    return str(figure.get("note", ""))


def _deviations(deviations: Sequence[str]) -> list[str]:
    return ["## Where it differs from the paper", "", *(f"- {text}" for text in deviations)]


def _settings(described: Mapping[str, Any]) -> list[str]:
    lines = ["## Settings"]
    for kind, title in KINDS.items():
        rows = [
            (f"`{s['key']}`", s["default"], s["help"])
            for s in described["settings"]
            if s["kind"] == kind
        ]
        if rows:
            heading = title[0].upper() + title[1:]
            lines += ["", f"### {heading}", "", *table(("key", "default", "what"), rows)]
    if described["presets"]:
        lines += ["", "### Presets", "", "Chosen with `--set preset=NAME`."]
        if described["beside_the_paper"] is not None:
            lines[-1] += f" {MARK}"
        shown = [(f"`{name}`", sets or "the defaults") for name, sets in marked(described).items()]
        lines += ["", *table(("preset", "sets"), shown)]
    return lines


def marked(described: Mapping[str, Any]) -> dict[str, str]:
    """{preset: its settings beside the defaults}, a star behind what differs from the paper.

    Where a paper's settings are stated "(none)" is what differs without a preset.

    Args:
        described: what `pipeline.models.show` gives.
    """
    presets, beside = described["presets"], described["beside_the_paper"]
    if beside is None:
        return {name: _line(values, {}) for name, values in presets.items()}
    bare = {"(none)": _line({}, beside[""])} if beside[""] else {}
    return bare | {name: _line(values, beside[name]) for name, values in presets.items()}


def _line(sets: Mapping[str, Any], differs: Mapping[str, Any]) -> str:
    both = {**sets, **differs}
    return " ".join(f"{k}={_plain(v)}{'*' * (k in differs)}" for k, v in both.items())


def _plain(value: object) -> str:
    """A setting's value as it is typed."""
    if isinstance(value, tuple | list):
        return ",".join(_plain(one) for one in value)
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.6g}" if isinstance(value, float) else str(value)
