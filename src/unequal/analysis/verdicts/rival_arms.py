"""Verdicts on R1, R4 and R6: the slope of C1 compared between arms (wording, start, precision)."""

import polars as pl

from unequal.analysis import claims
from unequal.analysis.claims import SLOPE_MATTERS, Claim
from unequal.analysis.outcomes import EQUAL_STEPS
from unequal.analysis.verdicts.verdict import (
    REFUTED,
    SUPPORTED,
    UNDECIDED,
    Row,
    Verdict,
    decide,
    not_decidable,
    obstacle,
    reached,
    signed,
)


def wording(interactions: pl.DataFrame) -> Verdict:
    """Return the verdict on R1: not frequency but variety of wording."""
    return _only_with(claims.R1, _arms(interactions, "wording arm"), "rerendered", ("verbatim", "epochs"))


def precision(interactions: pl.DataFrame) -> Verdict:
    """Return the verdict on R6: rounding looks like hard to unlearn."""
    return _only_with(claims.R6, _arms(interactions, "precision"), "bf16", ("fp32",))


def starts(interactions: pl.DataFrame) -> Verdict:
    """Return the verdict on R4: a base or an instruction-tuned start reverses the sign."""
    arms = {name: row for name, row in _arms(interactions, "start").items() if name in ("base", "instruct")}
    if problem := _problem(claims.R4, arms, 2):
        return problem
    sides = {(row["low"] > 0) - (row["high"] < 0) for row in arms.values()}
    verdict = SUPPORTED if sides == {-1, 1} else REFUTED if sides in ({-1}, {1}) else UNDECIDED
    return _reached(claims.R4, verdict, arms, max(arms.values(), key=lambda row: row["value"]))


def _arms(interactions: pl.DataFrame, factor: str) -> dict[str, Row]:
    """Return each arm's slope as a row of estimates."""
    rows = interactions.filter((pl.col("factor") == factor) & (pl.col("comparison") == EQUAL_STEPS))
    slopes = {"value": "slope", "low": "slope_low", "high": "slope_high"}
    sizes = ("n_facts", "n_people", "n_seeds", "reason")
    return {
        row["value_of_factor"]: {name: row[column] for name, column in slopes.items()}
        | {name: row[name] for name in sizes}
        for row in rows.to_dicts()
    }


def _only_with(claim: Claim, arms: dict[str, Row], cause: str, without: tuple[str, ...]) -> Verdict:
    """Return whether C1 is found only in the arm that has the rival's cause."""
    chosen = {name: row for name, row in arms.items() if name in (cause, *without)}
    if cause not in chosen:
        return not_decidable(claim)
    if problem := _problem(claim, chosen, 2):
        return problem
    said = {name: decide(row["low"], row["high"], -1, SLOPE_MATTERS) for name, row in chosen.items()}
    bare = {said[name] for name in without if name in said}
    verdict = UNDECIDED
    if bare == {SUPPORTED}:
        verdict = REFUTED
    elif said[cause] == SUPPORTED and bare == {REFUTED}:
        verdict = SUPPORTED
    shown = max((chosen[name] for name in without if name in chosen), key=lambda row: row["value"])
    return _reached(claim, verdict, chosen, shown)


def _problem(claim: Claim, arms: dict[str, Row], needed: int) -> Verdict | None:
    if len(arms) < needed:
        return not_decidable(claim)
    problems = [f"{name}: {why}" for name, row in arms.items() if (why := obstacle(row, "no slope"))]
    return not_decidable(claim, f"needs a slope in every arm ({'; '.join(problems)})") if problems else None


def _reached(claim: Claim, verdict: str, arms: dict[str, Row], shown: Row) -> Verdict:
    parts = [f"{name} {signed(row)}" for name, row in arms.items()]
    return reached(claim, verdict, shown, f"The slope of C1 by arm: {'; '.join(parts)}.")
