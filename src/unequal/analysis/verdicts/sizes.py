"""Verdicts on model size: C5 (the disagreement grows) and R5 (larger models are harder)."""

import polars as pl

from unequal.analysis import claims
from unequal.analysis.effects.dose_response import ALL_METHODS, NOTHING, START
from unequal.analysis.sizes.disagreement import EXACT, NEAREST
from unequal.analysis.sizes.slopes import DAMAGE, HARDER
from unequal.analysis.units import in_points
from unequal.analysis.verdicts.verdict import (
    SUPPORTED,
    UNDECIDED,
    Row,
    Verdict,
    decide,
    decide_all,
    not_decidable,
    obstacle,
    of_all_methods,
    reached,
    signed,
)


def grows(trends: pl.DataFrame) -> Verdict:
    """Return the verdict on C5: the disagreement grows with model size."""
    rows = trends.filter(pl.col("adjusted_for") == NOTHING)
    found = {reading: of_all_methods(rows, reading=reading) for reading in (NEAREST, EXACT)}
    row, exact = found[NEAREST], found[EXACT]
    n_sizes = 0 if row is None else row["n_sizes"]
    problem = obstacle(row, "no two sizes with facts known both ways at each of them, and a wrong answer")
    if n_sizes < claims.MIN_SIZES:
        found_sizes = f"; here are {n_sizes}" if n_sizes else ""
        problem = f"at least {claims.MIN_SIZES} model sizes that know the same facts{found_sizes}"
    if problem or row is None:
        return not_decidable(claims.C5, f"needs {problem}")
    verdict = decide(row["low"], row["high"], 1, claims.SIZE_MATTERS)
    why = (
        f"Over {n_sizes} sizes the hidden share above never-seen changes by {signed(row)} per doubling of "
        "parameters, on facts that every size knew."
    )
    at_half = exact["value"] if exact else None
    if verdict == SUPPORTED and (at_half is None or at_half <= 0):
        verdict = UNDECIDED
        why += " At equal forgetting it " + ("cannot be read." if at_half is None else "does not grow.")
    missed = exact["n_not_reached"] if exact else 0
    adjusted = of_all_methods(trends, adjusted_for=START, reading=NEAREST)
    details = [
        f"{EXACT}: {signed(exact)}; {missed} runs that never got there are excluded",
        f"adjusted for the starting log-probability: {signed(adjusted)}",
        f"over people alone {_ends(row, 'people')}, by the line through "
        f"{row['n_models']} models alone {_ends(row, 'models')}",
    ]
    methods = rows.filter((pl.col("reading") == NEAREST) & (pl.col("method") != ALL_METHODS))
    details += [f"{one['method']}: {signed(one)}" for one in methods.to_dicts()]
    return reached(claims.C5, verdict, row, why, *details)


def _ends(row: Row, name: str) -> str:
    return f"[{in_points(row[f'{name}_low'])}, {in_points(row[f'{name}_high'])}]"


def harder_and_hurt(effects: pl.DataFrame) -> Verdict:
    """Return the verdict on R5: larger models are harder to unlearn, and their neighbours suffer more."""
    rows = {measure: of_all_methods(effects, measure=measure) or {} for measure in (HARDER, DAMAGE)}
    n_sizes = min((row["n_sizes"] for row in rows.values() if row), default=0)
    if n_sizes < claims.MIN_SIZES_HARDER:
        found = f"; here are {n_sizes}" if n_sizes else ""
        return not_decidable(claims.R5, f"needs {claims.R5.needs}{found}")
    for measure, row in rows.items():
        if problem := obstacle(row or None, "no estimate at every size"):
            return not_decidable(claims.R5, f"needs the {measure} at every size: {problem}")
    sides = {HARDER: -1, DAMAGE: 1}
    said = {
        measure: decide(row["low"], row["high"], sides[measure], claims.SIZE_MATTERS)
        for measure, row in rows.items()
    }
    verdict = decide_all(said.values())
    parts = [f"{measure} {signed(row)}" for measure, row in rows.items()]
    why = f"Over {n_sizes} sizes, per doubling of parameters: {'; '.join(parts)}."
    left_out = rows[DAMAGE]["n_not_reached"]
    details = [f"{left_out} runs without neighbours' scores around half forgotten are excluded"]
    return reached(claims.R5, verdict, rows[HARDER], why, *(details if left_out else []))
