"""Verdicts on all claims: each claim's rule applied to the tables of an analysis."""

from collections.abc import Mapping
from dataclasses import replace

import polars as pl

from unequal.analysis.verdicts import disagreement, frequency, rival_arms, sizes, utility_cost
from unequal.analysis.verdicts.verdict import NOT_DECIDABLE, Verdict


def decide_claims(tables: Mapping[str, pl.DataFrame], remarks: tuple[str, ...]) -> tuple[Verdict, ...]:
    """Return the verdicts on C1 to C8 and R1 to R7, by claim; a decided one has the remarks in its details.

    ``tables`` holds the tables of an analysis by name.
    """
    harder = frequency.harder(tables["slopes"])
    disagree = disagreement.disagree(tables["hidden"])
    found = [
        harder,
        frequency.natural_counts(tables["effects"]),
        frequency.every_method(tables["slopes"]),
        disagree,
        sizes.grows(tables["size_trends"]),
        disagreement.other_format(tables["formats"]),
        utility_cost.costlier(tables["cost"]),
        utility_cost.knows_the_counts(tables["weightings"]),
        rival_arms.wording(tables["interactions"]),
        frequency.confidence(tables["slopes"], harder),
        frequency.answers(tables["slopes"], harder),
        rival_arms.starts(tables["interactions"]),
        sizes.harder_and_hurt(tables["size_effects"]),
        rival_arms.precision(tables["interactions"]),
        disagreement.bad_metric(tables["nulls"], disagree),
    ]
    return tuple(one if one.verdict == NOT_DECIDABLE else _with(one, remarks) for one in found)


def _with(verdict: Verdict, remarks: tuple[str, ...]) -> Verdict:
    return replace(verdict, details=(*verdict.details, *remarks))
