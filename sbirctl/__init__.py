"""sbirctl: sketch-based image retrieval, from raw archives to a number one can trust.

The names below are for Python programs and notebooks (docs/python.md). Nothing heavy is imported
here: each is imported when it is used, and torch only by what needs it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sbirctl.core.lazy import lazy_attributes

__version__ = "0.2.0"

if TYPE_CHECKING:
    from sbirctl import losses as losses
    from sbirctl import metrics as metrics
    from sbirctl import sampling as sampling
    from sbirctl.api.encoding import ImageEncoder as ImageEncoder
    from sbirctl.api.encoding import load as load
    from sbirctl.api.reporting import SbirctlWarning as SbirctlWarning
    from sbirctl.api.scores import AuditTable as AuditTable
    from sbirctl.api.scores import Differences as Differences
    from sbirctl.api.scores import Scores as Scores
    from sbirctl.api.scores import audit as audit
    from sbirctl.api.scores import compare as compare
    from sbirctl.api.scores import evaluate as evaluate
    from sbirctl.api.stages import create as create
    from sbirctl.api.stages import embed as embed
    from sbirctl.api.stages import open_store as open_store
    from sbirctl.api.stages import prepare as prepare
    from sbirctl.api.stages import rerank as rerank
    from sbirctl.api.stages import search as search
    from sbirctl.api.stages import train as train
    from sbirctl.core.errors import SbirctlError as SbirctlError
    from sbirctl.retrieval.embeddings import Embeddings as Embeddings
else:
    __getattr__, __dir__ = lazy_attributes(
        __name__,
        {
            "api.encoding": ("ImageEncoder", "load"),
            "api.reporting": ("SbirctlWarning",),
            "api.scores": ("AuditTable", "Differences", "Scores", "audit", "compare", "evaluate"),
            "api.stages": ("create", "embed", "open_store", "prepare", "rerank", "search", "train"),
            "core.errors": ("SbirctlError",),
            "retrieval.embeddings": ("Embeddings",),
        },
        modules=("losses", "metrics", "sampling"),
    )
