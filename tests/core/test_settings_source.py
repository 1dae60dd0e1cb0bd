"""Settings rebuilt from source are those of the imported class; every number says its unit."""

import re
from typing import get_type_hints

import pytest

from sbirctl.core.config import describe
from sbirctl.core.settings_source import literal_of, schema_of
from sbirctl.datasets import DATASETS
from sbirctl.edges.settings import METHODS
from sbirctl.models import MODELS, is_trainable, presets_of, reads_edges
from sbirctl.retrieval.rerank import METHODS as RERANKING
from sbirctl.tasks import TASKS

OWN = [
    *((registry, name, attribute)
      for registry, attribute in ((MODELS, "Settings"), (TASKS, "Options"), (DATASETS, "Options"))
      for name in registry.names() if registry.is_own(name)),
]  # fmt: skip
UNITS = (
    r"pixels?|similarit|multiplied|tuples|numbers|targets|scenes|things|triplets|prompts|layers|orders|0\.\.1|epochs|passes|images|sketches|photos|drawings|quadruplets|pieces|classes"
    r"|instances|weight|share|learning rate|temperature|margin|distance|gradient|sharpness|seed"
    r"|dimensions|outputs|levels|feature map|cells|branches|tokens|blocks|heads|neighbours|nodes"
    r"|ranks?|power|deviation|weakest"
)


@pytest.mark.parametrize("registry, name, attribute", OWN, ids=[name for _, name, _ in OWN])
def test_the_source_says_what_the_class_is(registry, name, attribute):
    read = schema_of(registry.module_of(name), attribute)
    made = getattr(registry.get(name), attribute)
    if read is None:  # a reader that is an instance of another's class; nothing is completed
        assert registry is DATASETS
        return
    told = [(one.key, one.help, one.kind, one.choices) for one in describe(made)]
    assert [(one.key, one.help, one.kind, one.choices) for one in describe(read)] == told
    hints = get_type_hints(made)
    for field, kind in get_type_hints(read).items():
        plain = kind in (int, float, bool, str)
        assert not plain or kind is hints[field], field


@pytest.mark.parametrize("name", MODELS.names())
def test_presets_are_known_without_the_model(name):
    assert sorted(presets_of(name)) == sorted(MODELS.get(name).presets)


@pytest.mark.parametrize("name", MODELS.names())
def test_whether_a_model_is_trained_and_reads_edge_maps_is_known_without_it(name):
    said = literal_of(MODELS.module_of(name), "edges_setting") or ""
    assert said == MODELS.get(name).edges_setting
    assert is_trainable(name) == MODELS.get(name).trainable


@pytest.mark.parametrize(
    "layers, known",
    [
        ([], True),
        ([{"edges": "false"}], False),
        ([{"edges": "false"}, {"edges": "true"}], True),
        ([{"preset": "none"}], True),
        ([{"preset": "small"}], False),  # the preset may say otherwise: only the model knows
        ([{"preset": "small", "edges": "true"}], True),
        ([{"preset": "small"}, {"preset": "none"}], True),
    ],
)
def test_settings_that_make_a_model_read_edge_maps(layers, known):
    assert reads_edges("semi3", layers) is known
    assert not reads_edges("baseline", [])


def is_number(text):
    try:
        return bool(text) and all(float(one) is not None for one in text.split(","))
    except ValueError:
        return False


def schemas():
    yield from ((name, getattr(registry.get(name), what)) for registry, name, what in OWN)
    yield from METHODS.items()
    yield from ((name, method.Settings) for name, method in RERANKING.items())


def test_every_setting_has_help_and_every_number_its_unit():
    bare = [
        f"{name} {one.key}: {one.help}"
        for name, schema in schemas()
        for one in describe(schema)
        if not one.help or (is_number(one.default) and not re.search(UNITS, one.help))
    ]
    assert not bare
