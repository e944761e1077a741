"""Tables of crossed factors: ranked, with what they change; and what was known and forgotten by level."""

import polars as pl

from unequal.analysis.analyze import Analysis
from unequal.analysis.effects.dose_response import NOTHING, START
from unequal.analysis.effects.pooled import together
from unequal.analysis.factors.ranking import FORGOTTEN, KNOWN, MATTERS, OPEN, TOGETHER
from unequal.analysis.factors.rows import TITLES
from unequal.analysis.outcomes import EQUAL_STEPS
from unequal.report.page import percent
from unequal.report.quantities import ADJUSTED, heading, with_points
from unequal.report.sample import sample_name
from unequal.report.tables.table import COUNT, EFFECT, NUMBER, PERCENT, WORDS, Column, Row, Table, estimate


def factor_rows(analysis: Analysis, adjusted_for: str = NOTHING) -> pl.DataFrame:
    """Return the factors' rows on forgetting at equal steps, over all methods, those that explain most first.

    Without what all factors explain together.
    """
    rows = analysis.factors.filter(
        (pl.col("outcome") == FORGOTTEN)
        & (pl.col("comparison") == EQUAL_STEPS)
        & (pl.col("adjusted_for") == adjusted_for)
        & (pl.col("factor") != TOGETHER)
    )
    return together(rows).sort("rank", nulls_last=True, maintain_order=True)


def explained_together(analysis: Analysis) -> Row | None:
    """Return the row of what all factors explain together, None without one."""
    rows = analysis.factors.filter(
        (pl.col("outcome") == FORGOTTEN)
        & (pl.col("comparison") == EQUAL_STEPS)
        & (pl.col("adjusted_for") == NOTHING)
        & (pl.col("factor") == TOGETHER)
    )
    rows = together(rows)
    return rows.row(0, named=True) if rows.height and rows["share"][0] is not None else None


def factor_sentence(analysis: Analysis) -> str:
    """Return which factors matter, what they explain, and how frequency compares; empty without factors."""
    rows, whole = factor_rows(analysis), explained_together(analysis)
    if rows.is_empty() or whole is None:
        return ""
    ranked = rows.drop_nulls("share").to_dicts()
    found = [row for row in ranked if row["verdict"] == MATTERS]
    n_open = sum(row["verdict"] == OPEN for row in ranked)
    named = "; ".join(f"{row['title']} ({percent(row['share'])})" for row in found)
    first = (
        f"What mattered, with the share it explains: {named}." if found else "No factor is shown to matter."
    )
    left = f" {n_open} of {len(ranked)} stay open." if n_open else ""
    ends = f"{percent(whole['share_low'])} to {percent(whole['share_high'])}"
    return (
        f"{first}{left} Together the {len(ranked)} factors explain {percent(whole['share'])} of how facts "
        f"differ in the forgotten share (95% interval {ends})."
    )


def factors_table(analysis: Analysis) -> Table:
    """Return the factors ranked, with their effects on forgetting and on what was known before."""
    columns = [
        Column("title", "Factor", WORDS),
        Column("levels", "From, to", WORDS),
        Column("verdict", "Verdict", WORDS),
        Column("share", "Explains", PERCENT),
        Column("effect", with_points("Forgotten share changes by"), EFFECT),
        Column("p_holm", "p, Holm", NUMBER),
        Column("adjusted", with_points(heading(ADJUSTED[START])), EFFECT),
        Column("known", with_points("Share known before changes by"), EFFECT),
    ]
    adjusted = {row["factor"]: row for row in factor_rows(analysis, START).to_dicts()}
    known = {row["factor"]: row for row in analysis.factors.filter(pl.col("outcome") == KNOWN).to_dicts()}
    rows: list[Row] = [
        {
            "title": row["title"],
            "levels": f"{row['low_level']}, {row['high_level']}",
            "verdict": row["verdict"] if row["reason"] is None else f"{row['verdict']} ({row['reason']})",
            **estimate("share", {**row, "low": row["share_low"], "high": row["share_high"]}, "share"),
            **estimate("effect", row),
            "p_holm": row["p_holm"],
            **estimate("adjusted", adjusted.get(row["factor"])),
            **estimate("known", known.get(row["factor"])),
        }
        for row in factor_rows(analysis).to_dicts()
    ]
    note = (
        "Changes are those from the first level to the second, all other factors held equal; below 0, facts "
        "of the second level are harder to unlearn. A factor matters when its effect lies off 0 after Holm's "
        "correction and may be larger than 5 points; it does not when its interval lies within ±5 points; "
        "else it is open. A factor explains what it adds to all others. "
        f"Sample: {sample_name(analysis)}."
    )
    return Table("factors", "Factors by explained variance", columns, rows, note)


def factor_levels_table(analysis: Analysis) -> Table:
    """Return per level of each factor what was known before, what can be guessed, and what was forgotten."""
    columns = [
        Column("factor", "Factor", WORDS),
        Column("level", "Level", WORDS),
        Column("n_facts", "Facts", COUNT),
        Column("known_share", "Known before", PERCENT),
        Column("never_seen_share", "Never seen, right", PERCENT),
        Column("forgotten", "Forgotten share", PERCENT),
    ]
    rows = [{**row, "factor": TITLES[row["factor"]]} for row in analysis.factor_levels.to_dicts()]
    note = (
        "Known before: right greedy answers before unlearning; never-seen facts that are right were guessed, "
        "where the level shapes the facts themselves. Forgotten share: mean over methods and evaluated steps "
        "of facts known before, whatever the other factors. "
        f"Sample: {sample_name(analysis)}."
    )
    return Table("factor_levels", "Levels of the factors", columns, rows, note)
