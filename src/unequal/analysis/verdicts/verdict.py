"""A verdict: its fields, the decision rule for an interval, and conversion from a row of estimates."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import polars as pl

from unequal.analysis.claims import MIN_PEOPLE, Claim
from unequal.analysis.effects.dose_response import ALL_METHODS, NOTHING
from unequal.analysis.units import points_of

Row = dict[str, Any]
SUPPORTED, REFUTED, UNDECIDED, NOT_DECIDABLE = "supported", "refuted", "undecided", "not decidable"


@dataclass(frozen=True)
class Verdict:
    """One claim's verdict: effect with 95% interval, over how much, by which rule; ``why`` is a sentence.

    ``detectable`` is the effect that so precise a study finds in 80% of cases at 5%; null when unknown.
    """

    claim: str
    statement: str
    verdict: str
    effect: float | None
    unit: str
    low: float | None
    high: float | None
    p: float | None
    n_facts: int
    n_people: int
    n_seeds: int
    adjusted_for: str
    rule: str
    figure: str
    why: str
    details: tuple[str, ...] = ()
    detectable: float | None = None


def decide(low: float, high: float, side: int, matters: float) -> str:
    """Return the verdict of an interval for a claim that the effect is below (side −1) or above (side +1)
    zero."""
    if -matters < low and high < matters:
        return REFUTED
    if (high < 0 and side < 0) or (low > 0 and side > 0):
        return SUPPORTED
    return REFUTED if low > 0 or high < 0 else UNDECIDED


def decide_all(verdicts: Collection[str], refuting: Collection[str] | None = None) -> str:
    """Return supported where all are, refuted where one of the ``refuting`` (else of all) is."""
    if REFUTED in (verdicts if refuting is None else refuting):
        return REFUTED
    return SUPPORTED if set(verdicts) == {SUPPORTED} else UNDECIDED


def not_decidable(claim: Claim, why: str = "") -> Verdict:
    """Return that the study cannot decide the claim, and why: what the claim needs unless given."""
    return reached(claim, NOT_DECIDABLE, {}, why or f"needs {claim.needs}")


def reached(claim: Claim, verdict: str, row: Row, why: str, *details: str) -> Verdict:
    """Return a verdict with the effect, interval and sample sizes of its row of estimates."""

    def number(name: str) -> float | None:
        value = row.get(name)
        return float(value) if isinstance(value, int | float) else None

    return Verdict(
        claim=claim.claim,
        statement=claim.statement,
        verdict=verdict,
        effect=number("value"),
        unit=claim.unit,
        low=number("low"),
        high=number("high"),
        p=number("p"),
        n_facts=int(number("n_facts") or 0),
        n_people=int(number("n_people") or 0),
        n_seeds=int(number("n_seeds") or 0),
        adjusted_for=str(row.get("adjusted_for") or NOTHING),
        rule=claim.rule,
        figure=claim.figure,
        why=why,
        details=details,
        detectable=number("detectable"),
    )


def obstacle(row: Row | None, missing: str) -> str | None:
    """Return why a row of estimates cannot decide, or None when it can."""
    if row is None:
        return missing
    people = int(str(row["n_people"] or 0))
    if 0 < people < MIN_PEOPLE:  # which is also why there may be no interval
        return f"only {people} people or other subjects; {MIN_PEOPLE} needed"
    if row["value"] is None or row["low"] is None:
        return str(row["reason"] or missing)
    return None


def first(table: pl.DataFrame, **equal: object) -> Row | None:
    """Return the first row with these values, None without one."""
    rows = table.filter(*[pl.col(name) == value for name, value in equal.items()])
    return rows.row(0, named=True) if rows.height else None


def signed(row: Row | None) -> str:
    """Return a difference of shares with its interval as text, such as ``−7.2 points [−8.9, −5.5]``."""
    if row is None or row["value"] is None:
        return "no estimate"
    return points_of(row["value"], row["low"], row["high"])


def signed_number(row: Row, digits: int = 2) -> str:
    """Return an estimate without a unit with its interval as text, such as ``+0.21 [+0.16, +0.25]``."""
    if row["value"] is None:
        return "no estimate"
    number, *ends = (
        f"{float(row[name]):+.{digits}f}".replace("-", "−")
        for name in ("value", "low", "high")
        if row[name] is not None
    )
    return f"{number} [{', '.join(ends)}]" if len(ends) == 2 else number


def of_all_methods(table: pl.DataFrame, **equal: object) -> Row | None:
    """Return the row of all methods with these values, or the row of the only method."""
    rows = table.filter(*[pl.col(name) == value for name, value in equal.items()])
    return first(rows, method=ALL_METHODS) or (rows.row(0, named=True) if rows.height == 1 else None)
