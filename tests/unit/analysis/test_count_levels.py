"""Groups of natural counts: cut fairly, with the shares that the scores hold."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from simulated_study import Truth, natural, simulate
from unequal.analysis.analyze import analyze_scores
from unequal.analysis.effects.count_levels import CHOICE, CLOZE, GREEDY, MAX_GROUPS, count_groups
from unequal.analysis.effects.dose_response import ALL_METHODS, ANSWER, COUNT
from unequal.analysis.outcomes import EQUAL_STEPS

STUDY = Truth(
    people_per_level=16,
    exposures=(3, 9, 30, 90, 300, 900, 2_700),
    never_seen=4,
    utility_people=4,
    relations=("birth_city",),
    seeds=(0, 1),
    known_share=0.8,
)


@pytest.fixture(scope="module")
def scores():
    return natural(STUDY)


@pytest.fixture(scope="module")
def analysis(scores):
    return analyze_scores(scores[0], draws=100, generations=scores[1])


def facts(*counts):
    return pl.DataFrame({"fact_id": [f"f{n}" for n in range(len(counts))], "count": counts})


def test_groups_hold_about_as_many_facts_and_name_their_range():
    placed = count_groups(facts(*range(60)))
    assert placed["group"].value_counts()["count"].to_list() == [10] * MAX_GROUPS
    assert placed["counts"].unique(maintain_order=True).to_list()[:2] == ["0–9", "10–19"]
    first = placed.filter(pl.col("group") == 0)
    assert first["log10_count"][0] == pytest.approx(np.log10(1 + np.arange(10)).mean())


def test_equal_counts_are_never_parted_and_facts_without_one_are_left_out():
    placed = count_groups(facts(*[0] * 40, *[5] * 3, 7, 9, None))
    assert placed.height == 45 and placed.filter(pl.col("count") == 0)["group"].n_unique() == 1
    assert placed["group"].unique().sort().to_list() == list(range(placed["group"].n_unique()))
    assert placed["counts"].unique(maintain_order=True).to_list() == ["0", "5–9"]
    one = count_groups(facts(4, 4, 4))
    assert one["group"].to_list() == [0, 0, 0] and count_groups(facts(None, None)).is_empty()


def test_shares_of_each_group_are_those_of_the_scores(scores, analysis):
    table = scores[0].filter(
        (pl.col("role") == "forget") & (pl.col("probe") == "question") & (pl.col("metric") == "said")
    )
    known = table.filter((pl.col("step") == 0) & (pl.col("value") == 1)).select("run_id", "fact_id")
    later = table.filter(pl.col("step") >= 1).join(known, on=["run_id", "fact_id"])
    levels = analysis.count_levels.filter(pl.col("comparison") == EQUAL_STEPS)
    assert levels["method"].unique().sort().to_list() == [ALL_METHODS, "ga", "npo"]
    for row in levels.filter(pl.col("method") == "ga").to_dicts():
        group = (pl.col("count") >= row["count_low"]) & (pl.col("count") <= row["count_high"])
        mine = later.filter(group & (pl.col("method") == "ga"))
        assert row["value"] == pytest.approx(1 - mine["value"].mean())
        assert row["n_facts"] == mine["fact_id"].n_unique() and row["low"] <= row["value"] <= row["high"]
    means = levels.filter(pl.col("method") != ALL_METHODS).group_by("group").agg(pl.col("value").mean())
    together = levels.filter(pl.col("method") == ALL_METHODS).join(means, on="group")
    assert together["value"].to_list() == pytest.approx(together["value_right"].to_list())


def test_what_was_known_is_told_by_each_way_of_asking(scores, analysis):
    table = analysis.count_known
    assert set(table["measure"]) == {GREEDY, CHOICE, CLOZE}
    start = scores[0].filter((pl.col("role") == "forget") & (pl.col("step") == 0))
    for measure, probe, metric in (
        (GREEDY, "question", "said"),
        (CLOZE, "cloze", "choice_accuracy"),
    ):
        rows = start.filter((pl.col("probe") == probe) & (pl.col("metric") == metric))
        for row in table.filter(pl.col("measure") == measure).to_dicts():
            mine = rows.filter(pl.col("count").is_between(row["count_low"], row["count_high"]))
            assert row["value"] == pytest.approx(mine["value"].mean())


def test_the_slope_beside_them_covers_the_truth(analysis):
    rows = analysis.effects.filter((pl.col("dose") == COUNT) & (pl.col("adjusted_for") == ANSWER))
    row = rows.row(
        by_predicate=(pl.col("method") == ALL_METHODS) & (pl.col("comparison") == EQUAL_STEPS), named=True
    )
    assert row["low"] < STUDY.slope * np.log2(10) < row["high"]


def test_a_study_without_counts_has_empty_tables():
    analysis = analyze_scores(simulate(replace(STUDY, exposures=(30, 120, 480)))[0], draws=20)
    assert analysis.count_levels.is_empty() and analysis.count_known.is_empty()
    assert {"counts", "log10_count", "value", "measure"} <= set(analysis.count_known.columns)
