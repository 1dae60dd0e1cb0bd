"""Data sets, one file each; what their readers share is in `readers`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sbirctl.core.lazy import lazy_attributes
from sbirctl.datasets._registry import DATASETS as DATASETS

if TYPE_CHECKING:
    from sbirctl.datasets._base import Dataset as Dataset
    from sbirctl.datasets._base import NoOptions as NoOptions
else:
    __getattr__, __dir__ = lazy_attributes(__name__, {"_base": ("Dataset", "NoOptions")})
