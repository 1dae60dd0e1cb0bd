"""How batches are drawn: plans, samplers for one's own loop, and labelled subsets of a store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sbirctl.core.lazy import lazy_attributes

if TYPE_CHECKING:
    from sbirctl.sampling._samplers import PlanSampler as PlanSampler
    from sbirctl.sampling.plans import BalancedPlan as BalancedPlan
    from sbirctl.sampling.plans import BatchPlan as BatchPlan
    from sbirctl.sampling.plans import PooledPlan as PooledPlan
    from sbirctl.sampling.tuple_plans import PairPlan as PairPlan
    from sbirctl.sampling.tuple_plans import QuadrupletPlan as QuadrupletPlan
else:
    __getattr__, __dir__ = lazy_attributes(
        __name__,
        {
            "_samplers": ("PlanSampler",),
            "plans": ("BalancedPlan", "BatchPlan", "PooledPlan"),
            "tuple_plans": ("PairPlan", "QuadrupletPlan"),
        },
    )
