"""Verdicts: each claim's rule applied to the tables, with effect, interval, sample sizes and remarks."""

from unequal.analysis.verdicts.decide_claims import decide_claims
from unequal.analysis.verdicts.verdict import (
    NOT_DECIDABLE,
    REFUTED,
    SUPPORTED,
    UNDECIDED,
    Verdict,
    decide,
    signed,
)

__all__ = [
    "NOT_DECIDABLE",
    "REFUTED",
    "SUPPORTED",
    "UNDECIDED",
    "Verdict",
    "decide",
    "decide_claims",
    "signed",
]
