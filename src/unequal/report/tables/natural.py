"""Tables of natural counts: what was known and forgotten by count, and the slopes on counts."""

import polars as pl

from unequal.analysis.analyze import Analysis
from unequal.analysis.effects.count_levels import CHOICE, CLOZE, GREEDY
from unequal.analysis.effects.dose_response import ALL_METHODS, ANSWER, EVERYTHING, NOTHING
from unequal.analysis.effects.dose_response import COUNT as NATURAL_COUNT
from unequal.analysis.observations import MIXED
from unequal.analysis.outcomes import EQUAL_STEPS, at_budget
from unequal.report.quantities import (
    BY_GENERATION,
    FORGOTTEN,
    MOST_PROBABLE,
    PER_TENFOLD,
    heading,
    with_points,
)
from unequal.report.sample import sample_name, scope_of
from unequal.report.tables.table import (
    COUNT,
    EFFECT,
    MAGNITUDE,
    METHOD,
    PERCENT,
    WORDS,
    Column,
    Row,
    Table,
    by_method,
    estimate,
)

MEASURES = {GREEDY: BY_GENERATION, CHOICE: MOST_PROBABLE, CLOZE: f"{MOST_PROBABLE}, as a statement"}


def natural_table(analysis: Analysis) -> Table:
    """Return per group of counts what was known before, each way, and what was forgotten."""
    columns = [
        Column("counts", "Occurrences", WORDS),
        Column("n_facts", "Facts", COUNT),
        *(Column(name, heading(title), PERCENT) for name, title in MEASURES.items()),
        Column("forgotten", heading(FORGOTTEN), PERCENT),
    ]
    model = scope_of(analysis)
    rows: dict[int, Row] = {}
    for row in analysis.count_known.filter(pl.col("model") == model).sort("group").to_dicts():
        labels = {"counts": row["counts"], "n_facts": row["n_facts"]}
        rows.setdefault(row["group"], labels).update(estimate(row["measure"], row))
    levels = analysis.count_levels.filter((pl.col("model") == model) & (pl.col("comparison") == EQUAL_STEPS))
    together = levels.filter(pl.col("method") == ALL_METHODS)
    one = levels["method"].n_unique() == 1
    for row in (together if together.height else levels if one else levels.clear()).to_dicts():
        rows.setdefault(row["group"], {"counts": row["counts"]}).update(estimate("forgotten", row))
    note = (
        "Known before, by each way of asking; forgotten share: of the facts known before, averaged over the "
        f"evaluated steps. Sample: {sample_name(analysis)}."
    )
    found = [rows[group] for group in sorted(rows)]
    return Table("natural", "Known and forgotten, by natural count", columns, found, note)


def natural_slopes_table(analysis: Analysis) -> Table:
    """Return per method the slopes on log10(1 + count), plain, adjusted, at equal utility, and what could be
    seen."""
    columns = [
        METHOD,
        Column("adjusted", with_points("Adjusted for answers (C2)"), EFFECT),
        Column("plain", with_points("Not adjusted"), EFFECT),
        Column("everything", with_points("Also for starting confidence"), EFFECT),
        Column("utility", with_points("Adjusted, at equal utility (−10%)"), EFFECT),
        Column("detectable", with_points("Detectable"), MAGNITUDE),
    ]
    found = analysis.effects.filter(
        (pl.col("dose") == NATURAL_COUNT) & (pl.col("model") == scope_of(analysis))
    )
    found = found.filter(pl.col("target_kind") == MIXED)
    places = {
        (EQUAL_STEPS, ANSWER): "adjusted",
        (EQUAL_STEPS, NOTHING): "plain",
        (EQUAL_STEPS, EVERYTHING): "everything",
        (at_budget(0.10), ANSWER): "utility",
    }
    rows: dict[str, Row] = {}
    for row in found.to_dicts():
        key = places.get((row["comparison"], row["adjusted_for"]))
        mine = rows.setdefault(row["method"], {"method": row["method"]})
        mine |= estimate(key, row) if key else {}
        mine |= {"detectable": row["detectable"]} if key == "adjusted" else {}
    note = (
        f"{heading(PER_TENFOLD)}, adjusted for {ANSWER}, within base models. Detectable: the slope that a "
        f"study of this standard error finds in 80% of cases. Sample: {sample_name(analysis)}."
    )
    ordered = by_method(rows.values())
    return Table("natural_slopes", "Slopes on natural counts", columns, ordered, note)
