"""Verdicts on frequency: C1, C2, C3 and the rivals R2 and R3, by slopes on exposure or count."""

import polars as pl

from unequal.analysis import claims
from unequal.analysis.claims import LEVEL_OF_TEST, Claim
from unequal.analysis.effects.dose_response import (
    ALL_METHODS,
    ANSWER,
    COUNT,
    EVERYTHING,
    NOTHING,
    START,
)
from unequal.analysis.effects.pooled import together
from unequal.analysis.observations import MIXED
from unequal.analysis.outcomes import EQUAL_STEPS, at_budget
from unequal.analysis.stats.holm import holm
from unequal.analysis.verdicts.verdict import (
    REFUTED,
    SUPPORTED,
    UNDECIDED,
    Row,
    Verdict,
    decide,
    not_decidable,
    obstacle,
    of_all_methods,
    reached,
    signed,
)


def primary(slopes: pl.DataFrame, comparison: str, adjusted_for: str) -> pl.DataFrame:
    """Return the plain methods' slopes over all models of one comparison."""
    rows = slopes.filter(
        (pl.col("comparison") == comparison)
        & (pl.col("adjusted_for") == adjusted_for)
        & (pl.col("target_kind") == MIXED)
        & pl.col("plain")
    )
    return together(rows, "model")


def overall(slopes: pl.DataFrame, comparison: str, adjusted_for: str = NOTHING) -> Row | None:
    """Return the slope of all plain methods, or of the only one there is."""
    return of_all_methods(primary(slopes, comparison, adjusted_for))


def harder(slopes: pl.DataFrame) -> Verdict:
    """Return the verdict on C1: the more often seen, the harder to unlearn."""
    budgets = (at_budget(0.05), at_budget(0.10))
    details = [f"{budget}: {signed(overall(slopes, budget))}" for budget in budgets]
    needs = "two comparable levels", "no runs that mix at least two levels with facts known before"
    return _negative(claims.C1, slopes, NOTHING, claims.SLOPE_MATTERS, "doubling of exposure", needs, details)


def _negative(
    claim: Claim,
    slopes: pl.DataFrame,
    adjusted_for: str,
    matters: float,
    unit: str,
    needs: tuple[str, str],
    details: list[str],
) -> Verdict:
    """Return whether the slope at equal steps lies below 0, and at equal utility not above it."""
    row = overall(slopes, EQUAL_STEPS, adjusted_for)
    problem = obstacle(row, needs[1]) or _alike(row)
    if problem or row is None:
        return not_decidable(claim, f"needs {needs[0]}: {problem}")
    verdict = decide(row["low"], row["high"], -1, matters)
    why = f"At equal steps the forgotten share changes by {signed(row)} per {unit}."
    utility = overall(slopes, at_budget(0.10), adjusted_for)
    if verdict == SUPPORTED and utility and utility["low"] is not None and utility["low"] > 0:
        verdict, why = UNDECIDED, f"{why} At equal utility the sign is the opposite."
    return reached(claim, verdict, row, why, *details)


def _alike(row: Row | None) -> str | None:
    """Return that nothing can be compared, where all facts were forgotten to the same degree."""
    if row is None or row["low"] < row["high"]:
        return None
    return "all facts were forgotten alike, or none was; unlearn longer, or at another rate"


def every_method(slopes: pl.DataFrame) -> Verdict:
    """Return the verdict on C3: it holds for every method."""
    rows = primary(slopes, EQUAL_STEPS, NOTHING).filter(pl.col("method") != ALL_METHODS).to_dicts()
    if len(rows) < 2:
        return not_decidable(claims.C3, "needs at least two methods with mixed levels")
    blocked = [f"{row['method']}: {reason}" for row in rows if (reason := obstacle(row, "no estimate"))]
    if blocked:
        return not_decidable(claims.C3, f"needs an estimate for every method ({'; '.join(blocked)})")
    rows = holm(rows)
    sure = [row for row in rows if row["p_holm"] <= LEVEL_OF_TEST]
    negative = [row["method"] for row in sure if row["value"] < 0]
    positive = [row["method"] for row in sure if row["value"] > 0]
    open_ones = [row["method"] for row in rows if row not in sure]
    worst = max(rows, key=lambda row: row["value"])
    verdict = REFUTED if positive else UNDECIDED if open_ones else SUPPORTED
    parts = [f"{len(negative)} of {len(rows)} methods have a slope below 0 after Holm's correction"]
    parts += [f"above 0: {', '.join(positive)}"] if positive else []
    parts += [f"undecided: {', '.join(open_ones)}"] if open_ones else []
    details = [f"{row['method']}: {signed(row)}" for row in rows]
    return reached(claims.C3, verdict, worst, "; ".join(parts) + ".", *details)


def natural_counts(effects: pl.DataFrame) -> Verdict:
    """Return the verdict on C2: the same with natural counts."""
    slopes = effects.filter(pl.col("dose") == COUNT)
    if slopes.is_empty():
        return not_decidable(claims.C2)
    details = [f"{at_budget(0.10)}: {signed(overall(slopes, at_budget(0.10), ANSWER))}"]
    details += [
        f"adjusted for {name}: {signed(overall(slopes, EQUAL_STEPS, name))}" for name in (NOTHING, EVERYTHING)
    ]
    needs = (
        "the adjusted slope on natural counts",
        "no runs over facts of several counts that were known before",
    )
    return _negative(claims.C2, slopes, ANSWER, claims.COUNT_MATTERS, "tenfold count", needs, details)


def confidence(slopes: pl.DataFrame, found: Verdict) -> Verdict:
    """Return the verdict on R2: not frequency but starting confidence; ``found`` is that on C1."""
    what = "Adjusted for the starting log-probability"
    return _explained(claims.R2, slopes, found, START, what, "no starting log-probabilities")


def answers(slopes: pl.DataFrame, found: Verdict) -> Verdict:
    """Return the verdict on R3: not frequency but answer length and rarity; ``found`` is that on C1."""
    what = "Adjusted for relation, answer tokens and object rarity"
    return _explained(claims.R3, slopes, found, ANSWER, what, claims.R3.needs)


def _explained(
    claim: Claim, slopes: pl.DataFrame, found: Verdict, adjusted_for: str, what: str, missing: str
) -> Verdict:
    """Return whether a rival explains C1: nothing is left of the slope once it is adjusted for."""
    if found.verdict != SUPPORTED:
        return not_decidable(claim, "needs C1 to be supported first; there is no effect to explain yet")
    row = overall(slopes, EQUAL_STEPS, adjusted_for)
    problem = obstacle(row, missing)
    if problem or row is None:
        return not_decidable(claim, f"needs the adjusted slope: {problem}")
    rival = {SUPPORTED: REFUTED, REFUTED: SUPPORTED, UNDECIDED: UNDECIDED}
    verdict = rival[decide(row["low"], row["high"], -1, claims.SLOPE_MATTERS)]
    return reached(claim, verdict, row, f"{what} the slope is {signed(row)}.")
