"""Tables of the whole study: its verdicts, and its methods compared."""

import polars as pl

from unequal.analysis.analyze import Analysis
from unequal.analysis.effects.dose_response import ALL_METHODS, NOTHING, START
from unequal.analysis.outcomes import EQUAL_STEPS
from unequal.analysis.verdicts import NOT_DECIDABLE
from unequal.report.quantities import ADJUSTED, FORGOTTEN, PER_DOUBLING, heading, with_points
from unequal.report.sample import sample_name, scope_of, slope_rows
from unequal.report.tables.table import (
    COUNT,
    EFFECT,
    METHOD,
    NUMBER,
    PERCENT,
    WORDS,
    Column,
    Row,
    Table,
    estimate,
)

SLOPES = {"slope": heading(PER_DOUBLING), "adjusted": heading(ADJUSTED[START])}


def verdict_table(analysis: Analysis) -> Table:
    """Return the verdicts on all claims that the study can decide."""
    columns = [
        Column("claim", "", WORDS),
        Column("statement", "Claim", WORDS),
        Column("verdict", "Verdict", WORDS),
        Column("effect", with_points("Effect"), EFFECT),
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


def methods_table(analysis: Analysis) -> Table:
    """Return per method the slope on exposure, what is left at the last step at the rarest and at the most
    frequent level, and what was kept."""
    columns = [
        METHOD,
        Column("step", "Last step", COUNT),
        *(Column(key, with_points(title), EFFECT) for key, title in SLOPES.items()),
        Column("left_rarest", "Left, rarest level", PERCENT),
        Column("left_most_frequent", "Left, most frequent level", PERCENT),
        Column("utility", "Utility kept", PERCENT),
        Column("neighbour", "Neighbours kept", PERCENT),
    ]
    note = (
        f"{heading(PER_DOUBLING)}: at equal steps, as in the picture. Left: facts known before that are "
        "still right at the last step. Kept: right answers about people never touched, and about other "
        f"facts of the same people, relative to step 0. Sample: {sample_name(analysis)}."
    )
    return Table("methods", "Methods at the last step", columns, method_rows(analysis), note)


def method_rows(analysis: Analysis) -> list[Row]:
    """Return per method what is left at the last step at the lowest and highest level, the utility kept
    there, and the slope at equal steps, plain and adjusted; all methods together last, with slopes alone."""
    last = analysis.frontier.filter(pl.col("model") == scope_of(analysis)).filter(
        pl.col("step") == pl.col("step").max().over("method")
    )
    rows: dict[str, Row] = {
        str(method): {"method": method, **_ends(part)}
        for (method,), part in last.group_by("method", maintain_order=True)
    }
    nothing = dict.fromkeys(("step", "left_rarest", "left_most_frequent", "utility", "neighbour"))
    for key, adjusted_for in (("slope", NOTHING), ("adjusted", START)):
        for row in slope_rows(analysis, EQUAL_STEPS, adjusted_for).to_dicts():
            rows.setdefault(row["method"], {"method": row["method"], **nothing}).update(estimate(key, row))
    return sorted(rows.values(), key=lambda row: row["method"] == ALL_METHODS)


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


def weightings_table(analysis: Analysis) -> Table:
    """Return the forgotten share under count weights less that under each rival, as C8 has it."""
    columns = [
        METHOD,
        Column("rule", "Weights", WORDS),
        Column("rival", "Against", WORDS),
        Column("comparison", "At", WORDS),
        Column("measure", "Of", WORDS),
        Column("difference", with_points(f"{heading(FORGOTTEN)}, difference"), EFFECT),
        Column("n_facts", "Facts", COUNT),
    ]
    keys = ("method", "rule", "comparison", "measure", "n_facts")
    rows = [
        {key: row[key] for key in keys}
        | {"rival": row["rival"].replace("_", " "), **estimate("difference", row)}
        for row in analysis.weightings.to_dicts()
    ]
    note = f"Above 0 knowing the counts helps. Sample: {sample_name(analysis)}, as far as they ran both."
    return Table("weightings", "Weights that know the counts", columns, rows, note)


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
