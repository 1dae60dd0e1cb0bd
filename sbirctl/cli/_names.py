"""The names the program knows, for completion: file names and source texts are read, nothing heavy.

Each function is an option's or argument's `autocompletion`: it may ask for what is typed of the
value and for the context with the values before it, and gives names, some with a word about them.
Whoever calls it keeps those that begin so.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import typer

Names = list[str] | list[tuple[str, str]]
_CUTS = (1, 5, 10, 100, 200)


def models() -> Names:
    """Models of the registry."""
    from sbirctl.models import MODELS

    return list(MODELS.names())


def runs(incomplete: str) -> Names:
    """Runs by name and by label; `@1` once an @ is typed."""
    from sbirctl.core.home import finished_runs, label_of, run_folders

    if incomplete.startswith("@"):
        return [(f"@{n}", run.name) for n, run in enumerate(finished_runs(), 1)]
    labels = {folder.name: label_of(folder) for folder in run_folders()}
    return [*labels.items(), *((label, name) for name, label in labels.items() if label)]


def addresses() -> Names:
    """Addresses that were pulled from."""
    from sbirctl.sharing.received import origins

    return [(origin.source, folder.name) for origin, folder in origins() if origin.commit]


def licences() -> Names:
    """Licences by the names that the hub has for them."""
    return ["apache-2.0", "mit", "cc-by-4.0", "cc-by-sa-4.0", "cc-by-nc-4.0", "cc-by-nc-sa-4.0"]


def runs_and_models(incomplete: str) -> Names:
    """What `embed` and `export` take."""
    return [*_pairs(runs(incomplete)), *_pairs(models())]


def gallery_models(incomplete: str) -> Names:
    """What `index` takes."""
    return [("starter", "comes with the program"), *_pairs(runs_and_models(incomplete))]


def prepared() -> Names:
    """Prepared data sets."""
    from sbirctl.core.home import datasets_dir

    root = datasets_dir()
    return sorted(path.name for path in root.iterdir()) if root.is_dir() else []


def known_datasets() -> Names:
    """Data sets there is a reader for."""
    from sbirctl.datasets import DATASETS

    return list(DATASETS.names())


def datasets() -> Names:
    """Known and prepared data sets."""
    return sorted({*map(str, known_datasets()), *map(str, prepared())})


def copies(context: typer.Context) -> Names:
    """Published copies of a data set."""
    from sbirctl.datasets.published.catalogue import catalogue

    dataset = _given(context, "dataset")
    if dataset not in known_datasets():
        return []
    return [(copy.name, copy.title) for copy in catalogue(dataset).copies]


def tasks() -> Names:
    """Tasks."""
    from sbirctl.tasks import TASKS

    return list(TASKS.names())


def splits(context: typer.Context) -> Names:
    """Class lists, those of a chosen data set without its name too; `all`."""
    from sbirctl.pipeline.splits import rows

    found = [row["name"] for row in rows()]
    dataset = _given(context, "dataset")
    own = [name.partition("/")[2] for name in found if name.partition("/")[0] == dataset]
    return ["all", *own, *found]


def split_lists() -> Names:
    """Class lists by their whole name."""
    from sbirctl.pipeline.splits import rows

    return [(row["name"], row["kind"]) for row in rows()]


def definitions() -> Names:
    """Published definitions."""
    from sbirctl.retrieval.definitions import PRESETS

    return [(one.name, one.source) for one in PRESETS.values()]


def parts(incomplete: str) -> Names:
    """Parts of a definition, and their choices once one is typed."""
    from sbirctl.core.settings_source import schema_named

    found = _described(schema_named("sbirctl.retrieval.definitions", "Definition"))
    return _assignments([one for one in found if one.choices], incomplete)


def metrics() -> Names:
    """Metrics with their usual cut-offs."""
    from sbirctl.retrieval.metrics import MEASURES

    return [(str(m), one.summary) for one in MEASURES.values() for m in one.metrics(_CUTS)]


def figures() -> Names:
    """Figures that `explain` knows."""
    from sbirctl.pipeline.explain import explanations

    return [(one.name, one.what) for one in explanations()]


def limits() -> Names:
    """Metrics as `--min` takes them."""
    return [(f"{name}=", text) for name, text in _pairs(metrics())]


def settings(context: typer.Context, incomplete: str) -> Names:
    """Settings of the model that is named and options of the task; a setting's choices."""
    from sbirctl.models import presets_of, settings_schema

    model = _model(context)
    if model is None:
        return []
    found = _described(settings_schema(model))
    if "task" in context.params:
        found = found + _task_options(_given(context, "task") or "cg")
    if incomplete.startswith("preset="):
        return [f"preset={name}" for name in (*presets_of(model), "none")]
    return _assignments(found, incomplete)


def task_options(context: typer.Context, incomplete: str) -> Names:
    """Options of the task alone."""
    return _assignments(_task_options(_given(context, "task") or "cg"), incomplete)


def edge_parameters(context: typer.Context, incomplete: str) -> Names:
    """Parameters of an edge method."""
    from sbirctl.core.settings_source import schema_named
    from sbirctl.edges.settings import METHODS

    method = _given(context, "method") or _given(context, "edges") or "gb"
    if method not in METHODS:
        return []
    found = _described(schema_named("sbirctl.edges.settings", METHODS[method].__name__))
    return _assignments(found, incomplete)


def edge_methods() -> Names:
    """Edge methods."""
    from sbirctl.edges.settings import METHODS

    return list(METHODS)


def dataset_options(context: typer.Context, incomplete: str) -> Names:
    """Options of a data set's reader."""
    from sbirctl.core.settings_source import schema_of
    from sbirctl.datasets import DATASETS

    name = _given(context, "dataset")
    if name not in known_datasets():
        return []
    found = _described(schema_of(DATASETS.module_of(name), "Options"))
    return _assignments(found, incomplete)


def galleries() -> Names:
    """Galleries."""
    from sbirctl.core.home import galleries_dir

    root = galleries_dir()
    return sorted(path.name for path in root.iterdir()) if root.is_dir() else []


def engines() -> Names:
    """Engines of galleries, as their addresses begin."""
    return ["exact", "faiss:flat", "faiss:hnsw", "faiss:ivf", "qdrant://"]


def runtimes() -> Names:
    """What computes vectors."""
    return [("onnx", "ONNX Runtime, without torch"), ("torch", "PyTorch")]


def devices() -> Names:
    """Devices by kind."""
    return ["auto", "cpu", "cuda", "mps"]


def weights() -> Names:
    """Starting weights that are no file."""
    return [
        ("pretrained", "downloaded once"),
        ("none", "random values"),
        *_pairs(named_weights()),
    ]


def named_weights() -> Names:
    """Open weights by name."""
    from sbirctl.models import named_weights as known

    return [(one.name, one.data) for one in known().values()]


def reranking() -> Names:
    """Methods of re-ranking."""
    from sbirctl.retrieval.rerank import METHODS

    return list(METHODS)


def rerank_settings(context: typer.Context, incomplete: str) -> Names:
    """Settings of a method of re-ranking."""
    from sbirctl.core.settings_source import schema_named
    from sbirctl.retrieval.rerank import METHODS

    method = _given(context, "method")
    if method not in METHODS:
        return []
    schema = METHODS[method].Settings
    found = _described(schema_named(schema.__module__, schema.__name__))
    return _assignments(found, incomplete)


def checked() -> Names:
    """What `check` can check by its name, but for losses: their names need torch."""
    known = [models(), known_datasets(), metrics(), definitions(), engines()]
    return [pair for names in known for pair in _pairs(names)]


def papers() -> Names:
    """Models whose paper can be made again."""
    from sbirctl.reproduce.exhibits import papers as reproducible

    return list(reproducible())


def exhibits(context: typer.Context) -> Names:
    """Tables and figures of a paper."""
    from sbirctl.reproduce.exhibits import load_paper

    paper = _given(context, "paper")
    if paper not in papers():
        return []
    return [(one.id, one.title) for one in load_paper(paper).exhibits]


def published() -> Names:
    """Whose figures `report` compares with."""
    return [("paper", "each model's own"), ("ledger", "all systems"), *_pairs(models())]


def kinds_of_query() -> Names:
    """What `search --weight` weighs."""
    return ["sketch=", "photo=", "text="]


def _task_options(task: str) -> list[Any]:
    from sbirctl.core.settings_source import schema_of
    from sbirctl.tasks import TASKS

    return _described(schema_of(TASKS.module_of(task), "Options")) if task in TASKS else []


def _model(context: typer.Context) -> str | None:
    """The model that is named, itself or by a run of it."""
    from sbirctl.core.home import find_run
    from sbirctl.models import MODELS

    for key in ("model", "sources", "what"):
        named = _given(context, key)
        if named in MODELS:
            return named
        if named:
            run = find_run(named)
            model = run.name.partition("-")[0] if run else ""
            return model if model in MODELS else None
    return None


def _given(context: typer.Context, key: str) -> str:
    """What was typed for a parameter; the first of several."""
    value = context.params.get(key)
    value = value[0] if isinstance(value, list | tuple) and value else value
    return value if isinstance(value, str) else ""


def _described(schema: type | None) -> list[Any]:
    """The settings of a schema, none where its source says nothing."""
    from sbirctl.core.config import describe

    return describe(schema) if schema else []


def _assignments(found: Iterable[Any], incomplete: str) -> Names:
    """`key=` of each setting; once a key is typed, `key=choice`."""
    key, sign, _ = incomplete.partition("=")
    if not sign:
        return [(f"{one.key}=", one.help) for one in found]
    return [f"{key}={choice}" for one in found if one.key == key for choice in one.choices]


def _pairs(names: Names) -> list[tuple[str, str]]:
    return [(name, "") if isinstance(name, str) else name for name in names]
