"""Verdicts: each claim's rule applied to the tables, with effect, interval, sample sizes and every remark
that limits it."""

from dataclasses import dataclass, replace

import polars as pl
from statsmodels.stats.multitest import multipletests

from unequal.analysis import claims
from unequal.analysis.claims import Claim
from unequal.analysis.dose_response import ALL_METHODS, ALL_MODELS, NOTHING, START
from unequal.analysis.observations import MIXED
from unequal.analysis.outcomes import EQUAL_STEPS, at_budget
from unequal.analysis.utility_cost import HIGH_MINUS_LOW, PRIMARY_TARGET

SUPPORTED, REFUTED, UNDECIDED, NOT_DECIDABLE = "supported", "refuted", "undecided", "not decidable"


@dataclass(frozen=True)
class Verdict:
    """One claim's verdict: effect with 95% interval, over how much, by which rule; ``why`` says it in a
    sentence."""

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


def decide(low: float, high: float, side: int, matters: float) -> str:
    """Return the verdict of an interval for a claim that the effect is below (side −1) or above (side +1)
    zero."""
    if -matters < low and high < matters:
        return REFUTED
    if (high < 0 and side < 0) or (low > 0 and side > 0):
        return SUPPORTED
    return REFUTED if low > 0 or high < 0 else UNDECIDED


def judge(
    slopes: pl.DataFrame,
    hidden: pl.DataFrame,
    formats: pl.DataFrame,
    cost: pl.DataFrame,
    remarks: tuple[str, ...],
) -> tuple[Verdict, ...]:
    """Return the verdicts on C1, C3, C4, C6, C7 and R2, then the claims this design cannot decide."""
    harder = _harder(slopes)
    decided = [
        harder,
        _every_method(slopes),
        _disagree(hidden),
        _other_format(formats),
        _costlier(cost),
        _confidence(slopes, harder),
    ]
    decided = [one if one.verdict == NOT_DECIDABLE else _with(one, remarks) for one in decided]
    undecided = [
        _not_decidable(Claim(name, statement, "", "", ""), f"needs {needs}")
        for name, (statement, needs) in claims.OPEN.items()
    ]
    return tuple(sorted([*decided, *undecided], key=lambda one: one.claim))


def _not_decidable(claim: Claim, why: str) -> Verdict:
    return _verdict(claim, NOT_DECIDABLE, {}, why)


def _verdict(claim: Claim, verdict: str, row: dict[str, object], why: str, *details: str) -> Verdict:
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
    )


def _with(verdict: Verdict, remarks: tuple[str, ...]) -> Verdict:
    return replace(verdict, details=(*verdict.details, *remarks))


def _obstacle(row: dict[str, object] | None, missing: str) -> str | None:
    """Return why a row of estimates cannot decide, or None when it can."""
    if row is None:
        return missing
    if row["value"] is None or row["low"] is None:
        return str(row["reason"] or missing)
    people = int(str(row["n_people"]))
    return f"only {people} people; {claims.MIN_PEOPLE} needed" if people < claims.MIN_PEOPLE else None


def _first(table: pl.DataFrame, **equal: object) -> dict[str, object] | None:
    rows = table.filter(*[pl.col(name) == value for name, value in equal.items()])
    return rows.row(0, named=True) if rows.height else None


def _primary(slopes: pl.DataFrame, comparison: str, adjusted_for: str) -> pl.DataFrame:
    """Return the plain methods' slopes over all models of one comparison."""
    rows = slopes.filter(
        (pl.col("comparison") == comparison)
        & (pl.col("adjusted_for") == adjusted_for)
        & (pl.col("target_kind") == MIXED)
        & pl.col("plain")
    )
    scope = rows.filter(pl.col("model") == ALL_MODELS)
    return scope if scope.height else rows


def _overall(slopes: pl.DataFrame, comparison: str, adjusted_for: str = NOTHING) -> dict[str, object] | None:
    rows = _primary(slopes, comparison, adjusted_for)
    pooled = _first(rows, method=ALL_METHODS)
    return pooled or (rows.row(0, named=True) if rows.height == 1 else None)


def signed(row: dict[str, object] | None, digits: int = 3) -> str:
    """Return an estimate with its interval as text, such as ``−0.072 [−0.089, −0.055]``."""
    if row is None or row["value"] is None:
        return "no estimate"
    numbers = [
        f"{float(str(row[name])):+.{digits}f}".replace("-", "−")
        for name in ("value", "low", "high")
        if row[name] is not None
    ]
    return numbers[0] if len(numbers) < 3 else f"{numbers[0]} [{numbers[1]}, {numbers[2]}]"


def _harder(slopes: pl.DataFrame) -> Verdict:
    row = _overall(slopes, EQUAL_STEPS)
    obstacle = _obstacle(row, "no runs that mix at least two levels with facts known before")
    if obstacle or row is None:
        return _not_decidable(claims.C1, f"needs two comparable levels: {obstacle}")
    verdict = decide(row["low"], row["high"], -1, claims.SLOPE_MATTERS)  # type: ignore[arg-type]
    why = f"At equal steps the forgotten share changes by {signed(row)} per doubling of exposure."
    utility = _overall(slopes, at_budget(0.10))
    details = [
        f"{at_budget(budget)}: {signed(_overall(slopes, at_budget(budget)))}" for budget in (0.05, 0.10)
    ]
    if verdict == SUPPORTED and utility and utility["low"] is not None and float(str(utility["low"])) > 0:
        verdict, why = UNDECIDED, f"{why} At equal utility the sign is the opposite."
    return _verdict(claims.C1, verdict, row, why, *details)


def _every_method(slopes: pl.DataFrame) -> Verdict:
    rows = _primary(slopes, EQUAL_STEPS, NOTHING).filter(pl.col("method") != ALL_METHODS).to_dicts()
    if len(rows) < 2:
        return _not_decidable(claims.C3, "needs at least two methods with mixed levels")
    blocked = [f"{row['method']}: {reason}" for row in rows if (reason := _obstacle(row, "no estimate"))]
    if blocked:
        return _not_decidable(claims.C3, f"needs an estimate for every method ({'; '.join(blocked)})")
    rejected = multipletests([row["p"] for row in rows], alpha=0.05, method="holm")[0]
    negative = [row["method"] for row, sure in zip(rows, rejected, strict=True) if sure and row["value"] < 0]
    positive = [row["method"] for row, sure in zip(rows, rejected, strict=True) if sure and row["value"] > 0]
    open_ones = [row["method"] for row, sure in zip(rows, rejected, strict=True) if not sure]
    worst = max(rows, key=lambda row: float(row["value"]))
    verdict = REFUTED if positive else UNDECIDED if open_ones else SUPPORTED
    parts = [f"{len(negative)} of {len(rows)} methods have a slope below 0 after Holm's correction"]
    parts += [f"above 0: {', '.join(positive)}"] if positive else []
    parts += [f"undecided: {', '.join(open_ones)}"] if open_ones else []
    details = [f"{row['method']}: {signed(row)}" for row in rows]
    return _verdict(claims.C3, verdict, worst, "; ".join(parts) + ".", *details)


def _disagree(hidden: pl.DataFrame) -> Verdict:
    methods = hidden["method"].unique()
    scope = ALL_METHODS if ALL_METHODS in methods else (methods[0] if len(methods) == 1 else "")
    found = {row["measure"]: row for row in hidden.filter(pl.col("method") == scope).to_dicts()}
    excess, agreement = found.get("excess"), found.get("kappa")
    obstacle = _obstacle(excess, "no facts known both by generation and by choice accuracy at step 0")
    if found and found["never-seen share"]["value"] is None:
        obstacle = "no never-seen facts with both measures, so chance is unknown"
    if obstacle or excess is None or agreement is None:
        return _not_decidable(claims.C4, f"needs facts scored both ways: {obstacle}")
    verdict = decide(excess["low"], excess["high"], 1, claims.SHARE_MATTERS)
    low, high = agreement["low"], agreement["high"]
    if low is not None and low > claims.KAPPA_SUBSTANTIAL:
        verdict = REFUTED
    elif verdict == SUPPORTED and (high is None or high >= claims.KAPPA_SUBSTANTIAL):
        verdict = UNDECIDED
    hidden_share, chance = found["hidden share"]["value"], found["never-seen share"]["value"]
    why = (
        f"Of the facts that generation calls forgotten, {hidden_share:.0%} still have the right answer as "
        "the most "
        f"probable one, against {chance:.0%} of never-seen facts; kappa {signed(agreement, 2)}."
    )
    return _verdict(claims.C4, verdict, excess, why, f"Cohen's kappa {signed(agreement, 2)}")


def _other_format(formats: pl.DataFrame) -> Verdict:
    rows = formats.filter(
        pl.col("exposure").is_null() & (pl.col("metric") == "choice_accuracy") & pl.col("plain")
    )
    scope = rows.filter(pl.col("method") == ALL_METHODS)
    rows = scope if scope.height else rows
    row = _first(rows, probe="cloze")
    obstacle = _obstacle(row, "no facts known both as a question and as a statement, scored after step 0")
    if obstacle or row is None:
        return _not_decidable(claims.C6, f"needs both formats: {obstacle}")
    verdict = decide(row["low"], row["high"], 1, claims.SHARE_MATTERS)  # type: ignore[arg-type]
    why = (
        f"{row['left_in_other']:.0%} is left in the statement, {row['left_in_question']:.0%} in the question."
    )
    others = [f"{one['probe']}: {signed(one)}" for one in rows.to_dicts() if one["probe"] != "cloze"]
    return _verdict(claims.C6, verdict, row, why, *others)


def _costlier(cost: pl.DataFrame) -> Verdict:
    rows = cost.filter(
        (pl.col("contrast") == HIGH_MINUS_LOW)
        & (pl.col("target_forgotten") == PRIMARY_TARGET)
        & pl.col("plain")
    )
    reached = rows.filter(pl.col("value").is_not_null())
    row = _first(rows, method=ALL_METHODS) or (reached.row(0, named=True) if reached.height else None)
    row = row or (rows.row(0, named=True) if rows.height else None)
    obstacle = _obstacle(row, "no runs that unlearn one level alone, for at least two levels")
    if obstacle or row is None:
        return _not_decidable(claims.C7, f"needs matched forgetting: {obstacle}")
    verdict = decide(row["low"], row["high"], 1, claims.UTILITY_MATTERS)  # type: ignore[arg-type]
    details = [f"{one['method']}: {signed(one)}" for one in rows.to_dicts() if one["method"] != ALL_METHODS]
    missed = int(cost.filter(pl.col("target_forgotten") == PRIMARY_TARGET)["n_not_reached"].sum() or 0)
    details += [f"{missed} runs never forgot half and are left out"] if missed else []
    why = f"At half forgotten, the highest level costs {signed(row)} of utility more than the lowest."
    return _verdict(claims.C7, verdict, row, why, *details)


def _confidence(slopes: pl.DataFrame, harder: Verdict) -> Verdict:
    if harder.verdict != SUPPORTED:
        return _not_decidable(claims.R2, "needs C1 to be supported first; there is no effect to explain yet")
    row = _overall(slopes, EQUAL_STEPS, START)
    obstacle = _obstacle(row, "no starting log-probabilities")
    if obstacle or row is None:
        return _not_decidable(claims.R2, f"needs the adjusted slope: {obstacle}")
    rival = {SUPPORTED: REFUTED, REFUTED: SUPPORTED, UNDECIDED: UNDECIDED}
    verdict = rival[decide(row["low"], row["high"], -1, claims.SLOPE_MATTERS)]  # type: ignore[arg-type]
    why = f"Adjusted for the starting log-probability the slope is {signed(row)}."
    return _verdict(claims.R2, verdict, row, why)
