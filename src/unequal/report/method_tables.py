"""Tables of the whole study: its verdicts, and its methods compared."""

import polars as pl

from unequal.analysis.analyze import Analysis
from unequal.analysis.dose_response import NOTHING
from unequal.analysis.observations import MIXED
from unequal.analysis.outcomes import EQUAL_STEPS
from unequal.analysis.verdicts import NOT_DECIDABLE
from unequal.report.table import COUNT, EFFECT, NUMBER, PERCENT, WORDS, Column, Row, Table, estimate


def verdict_table(analysis: Analysis) -> Table:
    """Return the verdicts on all claims that the study can decide."""
    columns = [
        Column("claim", "", WORDS),
        Column("statement", "Claim", WORDS),
        Column("verdict", "Verdict", WORDS),
        Column("effect", "Effect", EFFECT),
        Column("unit", "Unit", WORDS),
        Column("p", "p", NUMBER),
        Column("n_facts", "Facts", COUNT),
        Column("n_people", "People", COUNT),
        Column("n_seeds", "Seeds", COUNT),
    ]
    decided = [one for one in analysis.verdicts if one.verdict != NOT_DECIDABLE]
    keys = ("claim", "statement", "verdict", "effect", "unit", "p", "n_facts", "n_people", "n_seeds")
    rows = [
        {**{key: getattr(one, key) for key in keys}, "effect_low": one.low, "effect_high": one.high}
        for one in decided
    ]
    return Table("verdicts", "Verdicts", columns, rows)


def methods_table(analysis: Analysis, model: str) -> Table:
    """Return per method the slope on exposure, what is left at the last step at the rarest and at the most
    frequent level, and what was kept."""
    columns = [
        Column("method", "Method", WORDS),
        Column("step", "Last step", COUNT),
        Column("slope", "Forgotten per doubling", EFFECT),
        Column("left_rarest", "Left, rarest level", PERCENT),
        Column("left_most_frequent", "Left, most frequent level", PERCENT),
        Column("utility", "Utility kept", PERCENT),
        Column("neighbour", "Neighbours kept", PERCENT),
    ]
    note = (
        f"Of {model}. Forgotten per doubling: change of the forgotten share per doubling of exposure "
        "at equal steps. Left: facts known before that are still right at the last step. Kept: right "
        "answers about people never touched, and about other facts of the same people, relative to step 0."
    )
    return Table("methods", "Methods at the last step", columns, method_rows(analysis, model), note)


def method_rows(analysis: Analysis, model: str) -> list[Row]:
    """Return per method what is left at the last step at the lowest and highest level, the utility kept
    there, and the slope at equal steps."""
    last = analysis.frontier.filter(pl.col("model") == model).filter(
        pl.col("step") == pl.col("step").max().over("method")
    )
    return [
        {"method": method, **_ends(part), **estimate("slope", _slope(analysis, model, str(method)))}
        for (method,), part in last.group_by("method", maintain_order=True)
    ]


def _ends(part: pl.DataFrame) -> Row:
    row: Row = {"step": part["step"][0], "utility": None, "neighbour": None}
    levels = part.unique(["exposure"]).sort("exposure").to_dicts()
    for key, level in (("left_rarest", levels[0]), ("left_most_frequent", levels[-1])):
        row |= _interval(key, level, "remaining")
    for one in part.unique(["role"]).to_dicts():
        row |= _interval(one["role"], one, "utility")
    return row


def _interval(key: str, row: Row, column: str) -> Row:
    return {key: row[column], f"{key}_low": row[f"{column}_low"], f"{key}_high": row[f"{column}_high"]}


def _slope(analysis: Analysis, model: str, method: str) -> Row | None:
    rows = analysis.slopes.filter(
        (pl.col("model") == model)
        & (pl.col("method") == method)
        & (pl.col("target_kind") == MIXED)
        & (pl.col("comparison") == EQUAL_STEPS)
        & (pl.col("adjusted_for") == NOTHING)
    )
    return rows.row(0, named=True) if rows.height else None


def missing_table(analysis: Analysis) -> Table:
    """Return the values that are missing, and why."""
    columns = [
        Column("probe", "Probe", WORDS),
        Column("metric", "Metric", WORDS),
        Column("role", "Role", WORDS),
        Column("reason", "Why", WORDS, "no reason given"),
        Column("rows", "Rows", COUNT),
    ]
    return Table("missing", "Values that are missing", columns, analysis.missing.to_dicts())
