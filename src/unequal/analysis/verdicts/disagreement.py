"""Verdicts on disagreement of generation and probability: C4, C6 and the rival R7 (a bad metric)."""

import polars as pl

from unequal.analysis import claims
from unequal.analysis.agreement.nulls import CHOICE_DRIFT, TRUE_FALSE
from unequal.analysis.effects.dose_response import ALL_METHODS
from unequal.analysis.effects.pooled import together
from unequal.analysis.verdicts.verdict import (
    REFUTED,
    SUPPORTED,
    UNDECIDED,
    Verdict,
    decide,
    first,
    not_decidable,
    obstacle,
    of_all_methods,
    reached,
    signed,
    signed_number,
)


def disagree(hidden: pl.DataFrame) -> Verdict:
    """Return the verdict on C4: generation and probability disagree about what is forgotten."""
    methods = hidden["method"].unique()
    scope = ALL_METHODS if ALL_METHODS in methods else (methods[0] if len(methods) == 1 else "")
    found = {row["measure"]: row for row in hidden.filter(pl.col("method") == scope).to_dicts()}
    excess, agreement = found.get("excess"), found.get("kappa")
    problem = obstacle(excess, "no facts known both by generation and by choice accuracy at step 0")
    if found and found["never-seen share"]["value"] is None:
        problem = "no never-seen facts with both measures, so chance is unknown"
    if problem or excess is None or agreement is None:
        return not_decidable(claims.C4, f"needs facts scored both ways: {problem}")
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
        f"probable one, against {chance:.0%} of never-seen facts; kappa {signed_number(agreement)}."
    )
    return reached(claims.C4, verdict, excess, why, f"Cohen's kappa {signed_number(agreement)}")


def other_format(formats: pl.DataFrame) -> Verdict:
    """Return the verdict on C6: what was unlearned as a question is left as a statement."""
    rows = formats.filter(
        pl.col("exposure").is_null() & (pl.col("metric") == "choice_accuracy") & pl.col("plain")
    )
    rows = together(rows)
    row = first(rows, probe="cloze")
    problem = obstacle(row, "no facts known both as a question and as a statement, scored after step 0")
    if problem or row is None:
        return not_decidable(claims.C6, f"needs both formats: {problem}")
    verdict = decide(row["low"], row["high"], 1, claims.SHARE_MATTERS)
    why = (
        f"{row['left_in_other']:.0%} is left in the statement, {row['left_in_question']:.0%} in the question."
    )
    others = [f"{one['probe']}: {signed(one)}" for one in rows.to_dicts() if one["probe"] != "cloze"]
    return reached(claims.C6, verdict, row, why, *others)


def bad_metric(nulls: pl.DataFrame, found: Verdict) -> Verdict:
    """Return the verdict on R7: a badly built metric makes the disagreement; ``found`` is that on C4."""
    if found.verdict != SUPPORTED:
        return not_decidable(claims.R7, "needs C4 to be supported first; there is no disagreement to explain")
    rows = {name: of_all_methods(nulls, measure=name) for name in (CHOICE_DRIFT, TRUE_FALSE)}
    problem = obstacle(rows[CHOICE_DRIFT], "no choice accuracy of never-seen facts after step 0")
    if problem:
        return not_decidable(claims.R7, f"needs never-seen facts scored at step 0 and after: {problem}")
    scored = {name: row for name, row in rows.items() if row and row["low"] is not None}
    band = claims.SHARE_MATTERS
    outside = [name for name, row in scored.items() if row["low"] > band or row["high"] < -band]
    inside = [name for name, row in scored.items() if row["low"] > -band and row["high"] < band]
    verdict = SUPPORTED if outside else REFUTED if len(inside) == len(scored) else UNDECIDED
    farthest = max(scored.values(), key=lambda row: abs(row["value"]))
    parts = [f"{name} {signed(row)}" for name, row in scored.items()]
    why = f"Of facts that no model ever saw: {'; '.join(parts)}; a sound metric gives 0."
    return reached(claims.R7, verdict, farthest, why)
