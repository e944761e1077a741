"""Verdicts: each claim's rule applied to the tables, with effect, interval, sample sizes and every remark
that limits it."""

from unequal.analysis.verdicts.judge import judge
from unequal.analysis.verdicts.verdict import (
    NOT_DECIDABLE,
    REFUTED,
    SUPPORTED,
    UNDECIDED,
    Verdict,
    decide,
    signed,
)

__all__ = ["NOT_DECIDABLE", "REFUTED", "SUPPORTED", "UNDECIDED", "Verdict", "decide", "judge", "signed"]
