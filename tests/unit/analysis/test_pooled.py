"""All models together: the mean of cells that the headline speaks of, and tables of all models as one."""

from dataclasses import replace
from functools import partial

import polars as pl
import pytest

from simulated_study import Truth, relabelled, simulate
from unequal.analysis.analyze import analyze_scores
from unequal.analysis.effects.pooled import ALL_METHODS, ALL_MODELS, mean_of_cells, with_all_models
from unequal.analysis.known import known_before
from unequal.analysis.observations import observe
from unequal.analysis.stats.bootstrap import make_resampler

LEAN = Truth(
    people_per_level=10,
    exposures=(30, 120),
    never_seen=4,
    utility_people=4,
    relations=("birth_city",),
    seeds=(0,),
    steps=(0, 1, 5),
    known_share=1.0,
)


@pytest.fixture(scope="module")
def two_models():
    return pl.concat(
        [
            relabelled(replace(LEAN, slope=slope), family=name)
            for name, slope in [("gpt2", -0.2), ("llama", 0.1)]
        ]
    )


@pytest.mark.full
def test_all_models_and_methods_are_the_mean_of_each_method_of_each_model(two_models):
    dose = analyze_scores(two_models, draws=20).dose.filter(pl.col("comparison") == "equal steps")
    cells = dose.filter((pl.col("model") != ALL_MODELS) & (pl.col("method") != ALL_METHODS))
    assert cells.height == 2 * 2 * 2
    every, gpt2, ga = pl.lit(True), pl.col("model") == "gpt2 2m", pl.col("method") == "ga"
    scopes = [(ALL_MODELS, ALL_METHODS, every), (ALL_MODELS, "ga", ga), ("gpt2 2m", ALL_METHODS, gpt2)]
    for model, method, own in scopes:
        found = dose.filter((pl.col("model") == model) & (pl.col("method") == method)).sort("exposure")
        chosen = cells.filter(own)
        expected = chosen.group_by("exposure").agg(pl.col("value").mean()).sort("exposure")["value"]
        assert found["value"].to_list() == pytest.approx(expected.to_list())
        assert (found["low"] <= found["value"]).all() and (found["value"] <= found["high"]).all()


def test_a_cell_without_rows_in_a_group_takes_no_part_in_it():
    rows = pl.DataFrame(
        {
            "cell": ["a", "a", "b"], "level": [1, 2, 1], "forgotten": [0.0, 1.0, 1.0],
            "fact_id": ["x", "y", "x"], "person": ["p", "q", "p"], "seed_cluster": ["s"] * 3,
        }
    )  # fmt: skip
    resampler = make_resampler(["p", "q"], ["s"], 0, 10)
    found = mean_of_cells(resampler, rows, ["cell"], ["level"])
    assert found["value"].to_list() == [0.5, 1.0]
    assert mean_of_cells(resampler, rows.clear(), ["cell"], ["level"]).height == 0


def test_a_table_of_several_models_ends_with_all_of_them_and_that_of_one_does_not(two_models):
    for scores, models in (
        (simulate(LEAN)[0], ["gpt2 2m"]),
        (two_models, ["gpt2 2m", "llama 2m", ALL_MODELS]),
    ):
        observations = observe(scores)
        table = observations.scores
        resampler = make_resampler(
            table["person"].unique().to_list(), table["seed_cluster"].unique().to_list(), 0, 10
        )
        found = with_all_models(partial(known_before, resampler=resampler), observations)
        assert found["model"].unique(maintain_order=True).to_list() == models
