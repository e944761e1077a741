"""Pictures and tables of arms: the dose-response by wording, the slope by family, size, start, precision."""

from typing import Any

import altair as alt
import polars as pl

from unequal.analysis.analyze import Analysis
from unequal.analysis.interactions import BOTH_KNEW, FACTORS
from unequal.analysis.observations import MIXED
from unequal.analysis.outcomes import EQUAL_STEPS
from unequal.report.curve_figures import with_level
from unequal.report.figure import QUIET, ROWS, Control, Figure, Panel, Scales, data, records, spec
from unequal.report.level_figures import dodged
from unequal.report.table import COUNT, EFFECT, MAGNITUDE, NUMBER, WORDS, Column, Table

TALL, ROW_HEIGHT = 260, 30
WORDING = "wording arm"
SHOWN = tuple(factor for factor in FACTORS if factor != "method")  # methods have a picture of their own
WORDINGS = {
    "rerendered": "rerendered: new wording each time",
    "verbatim": "verbatim: the same words again",
    "epochs": "epochs: one wording, more passes",
}


def wording_figure(analysis: Analysis, scales: Scales, model: str) -> Figure:
    """Return the dose-response of each wording arm of the model's family and size, a panel per arm."""
    arms = _arms(analysis.runs, model)
    dose = analysis.dose.filter((pl.col("target_kind") == MIXED) & (pl.col("comparison") == EQUAL_STEPS))
    panels = []
    for wording, arm in arms.items():
        rows = with_level(dose.filter(pl.col("model") == arm), scales)
        values = records(rows, "method", "level", "value", "low", "high")
        panels.append(
            Panel(WORDINGS.get(wording, wording), spec(dodged(scales, "value", None, True), TALL, values))
        )
    caption = (
        "Share of the facts known before that were forgotten, averaged over the evaluated steps, by times "
        "shown, in each wording arm of one family and size. If it falls as steeply where repetitions bring "
        "no new wording, it is frequency and not variety of wording that protects a fact. 95% intervals "
        "over people and seeds."
    )
    shown = panels if len(panels) > 1 else []
    return Figure(
        "wording", "Is it variety of wording?", caption, shown, [], scales.method_legend(), "method"
    )


def _arms(runs: pl.DataFrame, model: str) -> dict[str, str]:
    """Return the models that differ from this one by their wording alone, by wording."""
    same = [name for name in ("family", "size", "start", "precision") if name in runs.columns]
    mine = runs.filter(pl.col("model") == model).select(same).unique()
    alike = runs.join(mine, on=same, how="semi", nulls_equal=True).drop_nulls("wording")
    found = dict(alike.select("wording", "model").unique().iter_rows())
    order = list(WORDINGS)
    return dict(sorted(found.items(), key=lambda one: (order.index(one[0]) if one[0] in order else 9, one)))


def interactions_figure(analysis: Analysis) -> Figure:
    """Return the slope on exposure by family, size, wording, start and precision, a panel per factor."""
    shown = pl.col("factor").is_in(SHOWN) & pl.col("against").is_null()
    rows = analysis.interactions.filter(shown).drop_nulls("slope")
    comparisons = sorted(rows["comparison"].unique(), key=lambda name: (name != EQUAL_STEPS, len(name), name))
    ends = rows.select(pl.col("slope_low").min(), pl.col("slope_high").max()).row(0)
    panels = [
        Panel(f"by {factor}", _forest(rows.filter(pl.col("factor") == factor), ends))
        for factor in SHOWN
        if factor in rows["factor"]
    ]
    caption = (
        "Change of the forgotten share per doubling of exposure, for each value of a factor, with 95% "
        "intervals; left of zero, facts seen more often are harder to unlearn. Values of a factor are "
        "compared on the methods and models found with all of them, each counting equally. Whether two "
        "values differ stands in the table: intervals that overlap may still differ."
    )
    controls = [Control("comparison", "At", {name: name for name in comparisons})]
    title = "Does it hold for every architecture, size and start?"
    return Figure("interactions", title, caption, panels, controls, wide=len(panels) == 1)


def _forest(rows: pl.DataFrame, ends: tuple[Any, ...]) -> dict[str, Any]:
    order = rows["value_of_factor"].unique(maintain_order=True).to_list()
    columns = ("comparison", "value_of_factor", "slope", "slope_low", "slope_high", "n_facts", "n_cells")
    domain = [min(0.0, ends[0] or 0.0), max(0.0, ends[1] or 0.0)]
    x = {"axis": alt.Axis(format="+.2f", tickCount=5), "scale": alt.Scale(domain=domain, nice=True)}
    title = "change of the forgotten share per doubling"
    base = alt.Chart(ROWS).transform_filter("datum.comparison === comparison")
    base = base.encode(y=alt.Y("value_of_factor:N", sort=order, title=None))
    zero = alt.Chart(data([{"zero": 0}])).mark_rule(color=QUIET, strokeDash=[3, 3]).encode(x="zero:Q")
    bars = base.mark_rule(strokeWidth=1.8, color="var(--method-0)").encode(
        x=alt.X("slope_low:Q", title=title, **x), x2="slope_high:Q"
    )
    numbers = [alt.Tooltip(f"{name}:Q", format="+.4f") for name in ("slope", "slope_low", "slope_high")]
    points = base.mark_point(filled=True, size=56, opacity=1, color="var(--method-0)").encode(
        x=alt.X("slope:Q", title=title, **x),
        tooltip=["value_of_factor:N", *numbers, "n_facts:Q", "n_cells:Q"],
    )
    chart = alt.layer(zero, bars, points).add_params(alt.param(name="comparison", value=EQUAL_STEPS))
    return spec(chart, ROW_HEIGHT * len(order) + 20, records(rows, *columns))


def interactions_table(analysis: Analysis) -> Table:
    """Return per factor and value the slope, and its distance from the other values' or from that of one."""
    columns = [
        Column("factor", "Factor", WORDS),
        Column("value_of_factor", "Value", WORDS),
        Column("slope", "Slope", EFFECT),
        Column("against", "Against", WORDS),
        Column("difference", "Difference", EFFECT),
        Column("p_holm", "p (Holm)", NUMBER),
        Column("detectable", "Detectable", MAGNITUDE),
        Column("n_cells", "Methods × models", COUNT),
        Column("n_facts", "Facts", COUNT),
    ]
    compared = [EQUAL_STEPS, f"{EQUAL_STEPS}, {BOTH_KNEW}"]
    chosen = analysis.interactions.filter(
        pl.col("factor").is_in(SHOWN) & pl.col("comparison").is_in(compared)
    ).with_columns((pl.col("against") + ", on " + BOTH_KNEW).fill_null("the others’ mean"))
    ends = {"value": "difference", "low": "difference_low", "high": "difference_high"}
    note = (
        "Change of the forgotten share per doubling of exposure, at equal steps, with 95% intervals, on the "
        "facts that models of a value knew before; beside the value that knew most, on those both knew. "
        "Detectable: the difference that a study of this standard error finds in 80% of cases; p is "
        "corrected over the values of a factor in one comparison."
    )
    return Table("interactions", "The slope by factor", columns, chosen.rename(ends).to_dicts(), note)
