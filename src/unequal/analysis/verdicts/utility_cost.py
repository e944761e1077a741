"""Verdicts on the utility cost (C7: frequent targets cost more) and on count weights (C8: they help)."""

import polars as pl

from unequal.analysis import claims
from unequal.analysis.effects.dose_response import ALL_METHODS
from unequal.analysis.effects.weightings import MEAN, RIVALS, WORST
from unequal.analysis.outcomes import EQUAL_STEPS, at_budget
from unequal.analysis.utility.cost import HIGH_MINUS_LOW, PRIMARY_TARGET
from unequal.analysis.verdicts.verdict import (
    Row,
    Verdict,
    decide,
    decide_all,
    first,
    not_decidable,
    obstacle,
    reached,
    signed,
)


def costlier(cost: pl.DataFrame) -> Verdict:
    """Return the verdict on C7: at equal forgetting, frequent targets cost more utility."""
    rows = cost.filter(
        (pl.col("contrast") == HIGH_MINUS_LOW)
        & (pl.col("target_forgotten") == PRIMARY_TARGET)
        & pl.col("plain")
    )
    valued = rows.filter(pl.col("value").is_not_null())
    row = first(rows, method=ALL_METHODS) or (valued.row(0, named=True) if valued.height else None)
    row = row or (rows.row(0, named=True) if rows.height else None)
    problem = obstacle(row, "no runs that unlearn one level alone, for at least two levels")
    if problem or row is None:
        return not_decidable(claims.C7, f"needs matched forgetting: {problem}")
    verdict = decide(row["low"], row["high"], 1, claims.UTILITY_MATTERS)
    details = [f"{one['method']}: {signed(one)}" for one in rows.to_dicts() if one["method"] != ALL_METHODS]
    missed = int(cost.filter(pl.col("target_forgotten") == PRIMARY_TARGET)["n_not_reached"].sum() or 0)
    details += [f"{missed} runs never forgot half and are excluded"] if missed else []
    why = f"At half forgotten, the highest level costs {signed(row)} of utility more than the lowest."
    return reached(claims.C7, verdict, row, why, *details)


def knows_the_counts(weightings: pl.DataFrame) -> Verdict:
    """Return the verdict on C8: count weights do better than uniform, shuffled and confidence weights."""
    pooled = weightings.filter(pl.col("method") == ALL_METHODS)
    if pooled.is_empty():
        return not_decidable(claims.C8)
    comparisons = (EQUAL_STEPS, at_budget(0.10))
    found: dict[tuple[str, str], Row | None] = {
        (comparison, rival): first(pooled, comparison=comparison, rival=rival, measure=MEAN)
        for comparison in comparisons
        for rival in RIVALS
    }
    problems = [problem for row in found.values() if (problem := obstacle(row, "no estimate of it"))]
    if problems:
        return not_decidable(claims.C8, f"needs every comparison with its interval: {problems[0]}")
    rows = {where: row for where, row in found.items() if row}
    said = {where: decide(row["low"], row["high"], 1, claims.SHARE_MATTERS) for where, row in rows.items()}
    smallest = min((rows[at_budget(0.10), rival] for rival in RIVALS), key=lambda row: row["value"])
    verdict = decide_all(said.values(), [said[at_budget(0.10), rival] for rival in RIVALS])
    parts = [f"{rival.replace('_', ' ')} {signed(rows[at_budget(0.10), rival])}" for rival in RIVALS]
    why = f"At equal utility, forgotten share under count weights minus that under: {'; '.join(parts)}."
    details = [
        f"{EQUAL_STEPS}, {rival.replace('_', ' ')}: {signed(rows[EQUAL_STEPS, rival])}" for rival in RIVALS
    ]
    worst = [
        (rival, first(pooled, comparison=at_budget(0.10), rival=rival, measure=WORST)) for rival in RIVALS
    ]
    details += [f"{WORST}, {rival.replace('_', ' ')}: {signed(row)}" for rival, row in worst]
    return reached(claims.C8, verdict, smallest, why, *details)
