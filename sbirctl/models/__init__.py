"""Models, one paper a file, found by its name; layers and networks are in `layers`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sbirctl.core.lazy import lazy_attributes
from sbirctl.models._registry import MODELS as MODELS
from sbirctl.models._registry import is_trainable as is_trainable
from sbirctl.models._registry import reads_edges as reads_edges
from sbirctl.models._registry import settings_schema as settings_schema

if TYPE_CHECKING:
    from sbirctl.models._base import Model as Model
    from sbirctl.models._cards import RUNGS as RUNGS
    from sbirctl.models._cards import Card as Card
    from sbirctl.models._cards import Paper as Paper
    from sbirctl.models._cards import Trust as Trust
    from sbirctl.models._cards import card_file as card_file
    from sbirctl.models._cards import card_presets as card_presets
    from sbirctl.models._cards import load_card as load_card
    from sbirctl.models._cards import parse_card as parse_card
    from sbirctl.models._cards import presets_of as presets_of
    from sbirctl.models._cards import refuse_preset as refuse_preset
    from sbirctl.models._cards import trust_line as trust_line
    from sbirctl.models._cards import trust_remark as trust_remark
    from sbirctl.models._factory import create as create
    from sbirctl.models._factory import rebuild as rebuild
    from sbirctl.models._factory import resolve_settings as resolve_settings
    from sbirctl.models._named_weights import NamedWeights as NamedWeights
    from sbirctl.models._named_weights import find_named_weights as find_named_weights
    from sbirctl.models._named_weights import misfit as misfit
    from sbirctl.models._named_weights import named_weights as named_weights
    from sbirctl.models._named_weights import pretrained_on as pretrained_on
    from sbirctl.models._named_weights import publishers as publishers
    from sbirctl.models._named_weights import refuse_missing as refuse_missing
    from sbirctl.models._named_weights import search_weights as search_weights
    from sbirctl.models._named_weights import starting_models as starting_models
    from sbirctl.models._pairs import PairModel as PairModel
    from sbirctl.models._parameters import count_parts as count_parts
    from sbirctl.models._presets import PAPER as PAPER
    from sbirctl.models._presets import Preset as Preset
    from sbirctl.models._presets import flat as flat
    from sbirctl.models._recipe import Augmentation as Augmentation
    from sbirctl.models._recipe import ModelSettings as ModelSettings
    from sbirctl.models._recipe import ParamGroup as ParamGroup
    from sbirctl.models._recipe import Stage as Stage
    from sbirctl.models._tables import Column as Column
    from sbirctl.models._tables import Table as Table
    from sbirctl.models._weights import WeightsRecord as WeightsRecord
else:
    __getattr__, __dir__ = lazy_attributes(
        __name__,
        {
            "_base": ("Model",),
            "_cards": (
                "RUNGS",
                "Card",
                "Paper",
                "Trust",
                "card_file",
                "card_presets",
                "load_card",
                "parse_card",
                "trust_line",
                "trust_remark",
                "presets_of",
                "refuse_preset",
            ),
            "_factory": ("create", "rebuild", "resolve_settings"),
            "_named_weights": (
                "NamedWeights",
                "find_named_weights",
                "named_weights",
                "pretrained_on",
                "publishers",
                "refuse_missing",
                "search_weights",
                "misfit",
                "starting_models",
            ),
            "_pairs": ("PairModel",),
            "_parameters": ("count_parts",),
            "_presets": ("PAPER", "Preset", "flat"),
            "_recipe": ("Augmentation", "ModelSettings", "ParamGroup", "Stage"),
            "_tables": ("Column", "Table"),
            "_weights": ("WeightsRecord",),
        },
    )
