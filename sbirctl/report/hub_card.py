"""The page of a run that is given away: README.md with the hub's metadata before it."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sbirctl import __version__
from sbirctl.core.files import human_bytes
from sbirctl.datasets import DATASETS
from sbirctl.datasets.published.catalogue import catalogue
from sbirctl.models import RUNGS, Card, named_weights
from sbirctl.report.markdown import table
from sbirctl.retrieval.provenance import Pretraining, Provenance

_NOT_STATED = "not stated"
# what JSON may hold as it is, and YAML only escaped
_NOT_IN_YAML = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")


@dataclass(frozen=True)
class Given:
    """A run to be given away.

    Attributes:
        run: its name.
        card: of its model.
        known: what it was trained on, and how.
        scores: its figures as `evaluate --json` prints them, None for none.
        files: (name, bytes, SHA-256) of what is given.
        place: where it will be had: an address of the hub, or a file's name.
        licence: of the weights, as who gives them says; "" for nothing said.
        exported: whether an ONNX export is among the files; else `no_export` says why not.
        no_export: see `exported`.
        origin: where who gives it has it from, "" for trained there.
    """

    run: str
    card: Card
    known: Provenance
    scores: Mapping[str, Any] | None
    files: tuple[tuple[str, int, str], ...]
    place: str
    licence: str = ""
    exported: bool = False
    no_export: str = ""
    origin: str = ""


def hub_card(given: Given) -> str:
    """README.md: metadata in YAML between two lines of `---`, then the page in Markdown."""
    sections = [
        _title(given),
        _use(given),
        _figures(given),
        _provenance(given),
        _data(given),
        _start(given),
        *([_deviations(given.card)] if given.card.deviations else []),
        _files(given),
    ]
    page = "\n\n".join("\n".join(section) for section in sections)
    return f"---\n{_metadata(given)}---\n\n{page}\n"


def _metadata(given: Given) -> str:
    known = given.known
    values: dict[str, Any] = {
        **({"license": given.licence} if given.licence else {}),
        "library_name": "sbirctl",
        "pipeline_tag": "image-feature-extraction",
        "tags": [
            "sketch-based-image-retrieval",
            *(["zero-shot"] if known.unseen else []),
            *(["onnx"] if given.exported else []),
            given.card.name,
        ],
    }
    if known.dataset:
        values["datasets"] = [known.dataset]
    if given.scores:
        values["metrics"] = list(given.scores["metrics"])
        values["model-index"] = [{"name": given.run, "results": [_result(given.scores)]}]
    # JSON in one line is YAML, too.
    return "".join(f"{key}: {_json(value)}\n" for key, value in values.items())


def _json(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    return _NOT_IN_YAML.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _result(scores: Mapping[str, Any]) -> dict[str, Any]:
    tested = Provenance.from_json(scores["provenance"])
    dataset = tested.target or tested.dataset or _NOT_STATED
    return {
        "task": {"type": "image-retrieval", "name": f"sketch-based image retrieval, {tested.task}"},
        "dataset": {
            "type": dataset,
            "name": dataset,
            "split": tested.split or _NOT_STATED,
            "revision": scores.get("store", ""),
        },
        "metrics": [
            {
                "type": name,
                "name": f"{name}: {scores['definitions'].get(name, _NOT_STATED)}",
                "value": value,
                "args": {"definition": scores["definition"]["name"]},
            }
            for name, value in scores["metrics"].items()
            if value is not None
        ],
    }


def _title(given: Given) -> list[str]:
    paper = given.card.paper
    lines = [f"# {given.run}", "", given.card.summary]
    if paper.title:
        lines += ["", f"{paper.authors}: *{paper.title}*. {paper.venue}, {paper.year}. {paper.url}"]
    lines += ["", f"Written with sbirctl {__version__}."]
    if given.origin:
        lines += [f"Who gives it away has it from {given.origin}."]
    return lines


def _use(given: Given) -> list[str]:
    hub = given.place.startswith("hf://")
    name = given.place if hub else shlex.quote(given.run)
    lines = ["## Use", "", "```bash"]
    lines += [] if hub else [f"sbirctl runs unpack {shlex.quote(given.place)}"]
    lines += [
        f"sbirctl evaluate {name}",
        f"sbirctl embed {name} --dataset NAME --split all",
        f"sbirctl index FOLDER --model {name}",
        "```",
    ]
    if given.exported:
        lines += ["", "`index` uses the ONNX files, without torch."]
    elif given.no_export:
        lines += ["", f"There is no ONNX export: {given.no_export}"]
    return lines


def _figures(given: Given) -> list[str]:
    scores = given.scores
    if scores is None:
        return ["## Figures", "", "None were measured."]
    rows = [
        (
            name,
            _rounded(value),
            _rounded(scores["chance"].get(name)),
            scores["definitions"].get(name),
        )
        for name, value in scores["metrics"].items()
    ]
    tested = Provenance.from_json(scores["provenance"])
    of = f"{scores['queries']:,} sketches against {scores.get('gallery', 0):,} photos"
    where = f"{tested.target or tested.dataset}, split {tested.split}, task {tested.task}"
    lines = ["## Figures", "", f"{of}; {where}. A figure is worth what its definition says.", ""]
    lines += table(("metric", "value", "chance", "definition"), rows)
    for said in (tested.leak, tested.after_model, given.card.trust.remark):
        lines += ["", f"**{said}.**"] if said else []
    return lines


def _rounded(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"


def _provenance(given: Given) -> list[str]:
    known = given.known
    weights, before = known.weights, known.pretraining
    random = weights is not None and weights.name == "none"
    rows: list[tuple[str, object]] = [
        ("run", given.run),
        ("task", known.task),
        ("trained on", known.dataset),
        ("tested on", known.target or known.dataset),
        ("split", known.split),
        ("digest of the split", known.split_digest),
        ("digest of the prepared data", known.store_digest),
        ("learnt", known.learnt),
        ("held out", known.held_out),
        ("seed", known.seed),
        ("trust in the model", _trust(given.card)),
        ("started from", "random values" if random else weights and weights.name),
        *([] if random else [("SHA-256 of that file", weights and weights.sha256)]),
        *([] if random else [("which had learnt", before and _learnt(before))]),
        *([("began with the run", known.init.run)] if known.init else []),
        ("test photos trained on", known.leaks_allowed or "none known"),
    ]
    return [
        "## What it rests on",
        "",
        *table(("what", ""), [(k, _NOT_STATED if v in (None, "") else v) for k, v in rows]),
        *(["", *(f"- {note}" for note in known.notes)] if known.notes else []),
    ]


def _trust(card: Card) -> str:
    trust = card.trust
    partial = f"; partial: {trust.partial}" if trust.partial else ""
    return f"{trust.rung}, {RUNGS[trust.rung]}{partial}"


def _learnt(before: Pretraining) -> str:
    return f"{before.data}; labels: {before.labels}"


def _data(given: Given) -> list[str]:
    lines = ["## Terms of the training data", ""]
    names = dict.fromkeys(filter(None, (given.known.dataset, given.known.target)))
    for name in names:
        title = DATASETS.get(name).title if name in DATASETS else "a data set of one's own"
        terms = catalogue(name).terms if name in DATASETS else ()
        lines += [f"`{name}`, {title}:", ""]
        lines += [f"- {text}" for text in terms or ("No terms are known.",)]
        lines += [f"- cite: {text}" for text in catalogue(name).citation if name in DATASETS]
    return lines if names else [*lines, "The data is not stated."]


def _start(given: Given) -> list[str]:
    licence = given.licence or f"{_NOT_STATED} by who gives them"
    lines = ["## Licence", "", f"These weights: {licence}.", ""]
    weights = given.known.weights
    if weights is None or weights.name == "none":
        return [*lines, "They started from random values."]
    backbone = (given.known.settings or {}).get("backbone", {})
    for one in named_weights().values():
        wanted = one.backbone
        if isinstance(backbone, Mapping) and wanted.items() <= backbone.items():
            return [*lines, f"They started from {one.name}: {one.licence}; trained on {one.data}."]
    lines += [f"They started from {weights.name}. What {given.card.name} usually starts from:", ""]
    return [*lines, *(f"- {one.name}: {one.licence}" for one in given.card.weights)]


def _deviations(card: Card) -> list[str]:
    return ["## Where the model differs from its paper", "", *(f"- {d}" for d in card.deviations)]


def _files(given: Given) -> list[str]:
    rows = [(name, human_bytes(count), digest) for name, count, digest in given.files]
    return [
        "## Files",
        "",
        "sbirctl compares each with these digests, and executes nothing of them.",
        "",
        *table(("file", "size", "SHA-256"), rows),
    ]
