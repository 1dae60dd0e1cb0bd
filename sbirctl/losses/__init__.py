"""Losses for any loop: modules that take (embeddings, labels, is_sketch), and pure functions.

One loss a small file, with formula and equation number. A module of `LOSSES` is chosen by its name
in a training; the functions are what it computes and the terms that papers build theirs from.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sbirctl.core.lazy import lazy_attributes
from sbirctl.losses._registry import LOSSES as LOSSES

if TYPE_CHECKING:
    from sbirctl.losses._adaptive_margin import CosineDistance as CosineDistance
    from sbirctl.losses._adaptive_margin import adaptive_triplet as adaptive_triplet
    from sbirctl.losses._adaptive_margin import text_margin as text_margin
    from sbirctl.losses._alignment import alignment as alignment
    from sbirctl.losses._class_logits import class_logits as class_logits
    from sbirctl.losses._classification import classification as classification
    from sbirctl.losses._clipat import clipat_objective as clipat_objective
    from sbirctl.losses._conditional_jigsaw import conditional_jigsaw as conditional_jigsaw
    from sbirctl.losses._contrastive import ContrastiveLoss as ContrastiveLoss
    from sbirctl.losses._contrastive import contrastive as contrastive
    from sbirctl.losses._cosine import at_least_float32 as at_least_float32
    from sbirctl.losses._cosine import cosine as cosine
    from sbirctl.losses._cosine import pairwise_cosine as pairwise_cosine
    from sbirctl.losses._cosine_triplet import cosine_triplet as cosine_triplet
    from sbirctl.losses._distance import euclidean as euclidean
    from sbirctl.losses._distance import mean_or_zero as mean_or_zero
    from sbirctl.losses._distance import pairwise_euclidean as pairwise_euclidean
    from sbirctl.losses._domain_triplets import TERMS as TERMS
    from sbirctl.losses._domain_triplets import DomainTripletLoss as DomainTripletLoss
    from sbirctl.losses._domain_triplets import MinedTriplets as MinedTriplets
    from sbirctl.losses._domain_triplets import TripletTerm as TripletTerm
    from sbirctl.losses._domain_triplets import domain_triplets as domain_triplets
    from sbirctl.losses._drclip import drclip_objective as drclip_objective
    from sbirctl.losses._ffmln import ffmln_objective as ffmln_objective
    from sbirctl.losses._forgetting import Direction as Direction
    from sbirctl.losses._forgetting import ShiftMean as ShiftMean
    from sbirctl.losses._forgetting import distribution_shift as distribution_shift
    from sbirctl.losses._forgetting import embedding_shift as embedding_shift
    from sbirctl.losses._gradient_weighting import Weighting as Weighting
    from sbirctl.losses._gradient_weighting import gradient_weights as gradient_weights
    from sbirctl.losses._gradient_weighting import third_of_gradient as third_of_gradient
    from sbirctl.losses._gradient_weighting import weighted_sum as weighted_sum
    from sbirctl.losses._hinge import HingeKind as HingeKind
    from sbirctl.losses._hinge import hinge as hinge
    from sbirctl.losses._label_preservation import label_preservation as label_preservation
    from sbirctl.losses._loss import Loss as Loss
    from sbirctl.losses._mining import hardest_negative as hardest_negative
    from sbirctl.losses._mining import hardest_positive as hardest_positive
    from sbirctl.losses._mining import others as others
    from sbirctl.losses._normalised_softmax import NormalisedSoftmaxLoss as NormalisedSoftmaxLoss
    from sbirctl.losses._normalised_softmax import normalised_softmax as normalised_softmax
    from sbirctl.losses._pair_relation import pair_relation as pair_relation
    from sbirctl.losses._quadruplet import domain_balanced_quadruplet as domain_balanced_quadruplet
    from sbirctl.losses._relative_distance import DistanceOrder as DistanceOrder
    from sbirctl.losses._relative_distance import category_divergence as category_divergence
    from sbirctl.losses._relative_distance import relative_distance as relative_distance
    from sbirctl.losses._semi3 import semi3_objective as semi3_objective
    from sbirctl.losses._triplet import TripletLoss as TripletLoss
    from sbirctl.losses._triplet import batch_hard_triplet as batch_hard_triplet
else:
    __getattr__, __dir__ = lazy_attributes(
        __name__,
        {
            "_adaptive_margin": (
                "CosineDistance",
                "adaptive_triplet",
                "text_margin",
            ),
            "_alignment": ("alignment",),
            "_class_logits": ("class_logits",),
            "_classification": ("classification",),
            "_clipat": ("clipat_objective",),
            "_conditional_jigsaw": ("conditional_jigsaw",),
            "_contrastive": (
                "ContrastiveLoss",
                "contrastive",
            ),
            "_cosine_triplet": ("cosine_triplet",),
            "_cosine": ("at_least_float32", "cosine", "pairwise_cosine"),
            "_distance": ("euclidean", "mean_or_zero", "pairwise_euclidean"),
            "_domain_triplets": (
                "TERMS",
                "DomainTripletLoss",
                "MinedTriplets",
                "TripletTerm",
                "domain_triplets",
            ),
            "_drclip": ("drclip_objective",),
            "_ffmln": ("ffmln_objective",),
            "_forgetting": (
                "Direction",
                "ShiftMean",
                "distribution_shift",
                "embedding_shift",
            ),
            "_gradient_weighting": (
                "Weighting",
                "gradient_weights",
                "third_of_gradient",
                "weighted_sum",
            ),
            "_hinge": (
                "HingeKind",
                "hinge",
            ),
            "_label_preservation": ("label_preservation",),
            "_loss": ("Loss",),
            "_mining": (
                "hardest_negative",
                "hardest_positive",
                "others",
            ),
            "_normalised_softmax": (
                "NormalisedSoftmaxLoss",
                "normalised_softmax",
            ),
            "_pair_relation": ("pair_relation",),
            "_quadruplet": ("domain_balanced_quadruplet",),
            "_relative_distance": (
                "DistanceOrder",
                "category_divergence",
                "relative_distance",
            ),
            "_semi3": ("semi3_objective",),
            "_triplet": (
                "TripletLoss",
                "batch_hard_triplet",
            ),
        },
    )
