"""Slopes, adjustments, matching, hazards, areas and power: hand-worked numbers, and simulated truth."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
import statsmodels.api as sm
from statsmodels.stats.multitest import multipletests

from gate import only_in_full
from simulated_outcomes import OutcomesTruth, resampler_for, simulate_outcomes
from unequal.analysis.covariates import answer_tokens, object_rarity
from unequal.analysis.effects.area_between_levels import areas_between_levels
from unequal.analysis.effects.dose_response import (
    ANSWER,
    COUNT,
    EXPOSURE,
    MATCHED,
    NOTHING,
    PLUS_ONE,
    START,
    dose_slopes,
    slope_samples,
)
from unequal.analysis.effects.interactions import interactions
from unequal.analysis.effects.ratios import hazard_ratios
from unequal.analysis.effects.steps_to_forget import survival_curves
from unequal.analysis.effects.weightings import MEAN, WORST, weightings
from unequal.analysis.stats.estimates import DETECTABLE, estimate
from unequal.analysis.stats.holm import holm, step_down
from unequal.analysis.stats.least_squares import slope_within
from unequal.analysis.utility.matched import at_equal_confidence, at_equal_forgetting, matched_comparisons

COVARIATES = ["start_log_prob", "answer_tokens", "object_rarity"]


def test_the_adjusted_slope_is_least_squares_in_the_sample_and_in_every_draw():
    facts = simulate_outcomes(OutcomesTruth(tokens_slope=0.1, tokens_with_dose=0.5, seeds=(0, 1)))
    resampler = resampler_for(facts, draws=5)
    slopes = slope_within(facts, "log2_exposure", "forgotten", COVARIATES, ["relation"], resampler)
    dummies = facts["relation"].to_dummies().to_numpy()
    design = np.column_stack([facts.select("log2_exposure", *COVARIATES).to_numpy(), dummies])
    expected = [
        sm.WLS(facts["forgotten"].to_numpy(), design, weights=weights).fit().params[0]
        for weights in resampler.row_weights(facts)
    ]
    np.testing.assert_allclose(slopes, expected, rtol=1e-8)


def test_a_covariate_that_says_nothing_new_adjusts_for_nothing_and_one_that_is_the_dose_leaves_nothing():
    facts = simulate_outcomes().with_columns(
        constant=pl.lit(3.0), twice=2 * pl.col("answer_tokens"), dose=1 - pl.col("log2_exposure")
    )
    resampler = resampler_for(facts, draws=3)

    def slopes(*covariates):
        return slope_within(facts, "log2_exposure", "forgotten", covariates, ["base"], resampler)

    np.testing.assert_allclose(slopes("constant"), slopes(), rtol=1e-9)
    np.testing.assert_allclose(slopes("answer_tokens", "twice"), slopes("answer_tokens"), rtol=1e-6)
    assert np.isnan(slopes("dose")).all()


def test_holm_is_statsmodels_and_leaves_out_what_was_not_tested():
    p = np.random.default_rng(0).uniform(0, 0.2, 12)
    np.testing.assert_allclose(step_down(p), multipletests(p, method="holm")[1])
    rows = holm([{"p": 0.01}, {"p": None}, {"p": 0.04}, {"p": 0.03}])
    assert [row["p_holm"] for row in rows] == [0.03, None, 0.06, 0.06]


def test_answer_tokens_are_read_off_both_probabilities():
    n, nats = np.array([1, 4, 7]), np.array([0.5, 3.0, 1e-7])
    frame = pl.DataFrame(
        {
            "run_id": "r",
            "fact_id": [*"abc", "d", "a"],
            "answer_log_prob": [*-nats, 0.0, 0.0],
            "answer_prob": [*np.exp(-nats / n), 1.0, 1.0],
        }
    )
    tokens = frame.select(answer_tokens().alias("n"))["n"].to_list()
    assert tokens == [1.0, 4.0, 7.0, None, 1.0]  # the last is certain, but was not at another step


def test_object_rarity_counts_the_facts_of_a_relation_that_share_an_answer():
    scores = pl.DataFrame(
        {
            "run_id": "r",
            "fact_id": ["a", "b", "c", "d", "a"],
            "relation": ["city", "city", "city", "job", "city"],
        }
    )
    texts = pl.DataFrame(
        {
            "run_id": "r",
            "fact_id": ["a", "b", "c", "d", "a", "c"],
            "answer": ["Oslo", "oslo", "Rome", "Oslo", "Oslo", "Oslo"],
            "probe": [*["question"] * 5, "reverse"],
        }
    )
    rarity = object_rarity(scores, texts)
    assert dict(rarity.select("fact_id", "object_rarity").rows()) == {"a": 1, "b": 1, "c": 0, "d": 0}


def test_the_three_doses_are_named_and_have_their_units():
    facts = simulate_outcomes(OutcomesTruth(noise=0, person_spread=0, levels=(1.0, 2.0, 3.0)))
    resampler = resampler_for(facts, draws=20)
    found = {dose: slope_samples(facts, NOTHING, resampler, dose)[0] for dose in (EXPOSURE, PLUS_ONE, COUNT)}
    assert found[EXPOSURE] == pytest.approx(-0.08) and found[COUNT] == pytest.approx(-0.08)
    steps = np.log2(1 + 2.0 ** np.array([1, 2, 3]))
    assert found[PLUS_ONE] == pytest.approx(np.polyfit(steps, [0, -0.08, -0.16], 1)[0])
    table = dose_slopes(facts, resampler, COUNT)
    assert table["dose"].unique().to_list() == [COUNT]
    without = dose_slopes(facts.with_columns(answer_tokens=pl.lit(None, pl.Float64)), resampler, COUNT)
    row = without.filter(pl.col("adjusted_for") == ANSWER).row(0, named=True)
    assert row["value"] is None and row["reason"] == "answer_tokens not in these scores"


CONFOUNDED = OutcomesTruth(slope=0.0, tokens_slope=-0.1, tokens_with_dose=0.8)
BENT = OutcomesTruth(slope=0.0, start_with_dose=0.5, start_bend=-0.3, people=200)


def test_what_answers_explain_is_adjusted_for():
    facts = simulate_outcomes(replace(CONFOUNDED, people=300))
    resampler = resampler_for(facts)
    assert slope_samples(facts, NOTHING, resampler, COUNT)[0] == pytest.approx(-0.08, abs=0.02)
    assert slope_samples(facts, ANSWER, resampler, COUNT)[0] == pytest.approx(0, abs=0.02)


def test_matching_in_deciles_sees_through_confidence_of_any_shape():
    """Where confidence acts through its square, a straight line through it adjusts for too little."""
    slopes = {adjusted_for: [] for adjusted_for in (NOTHING, START, MATCHED)}
    for seed in range(8):
        facts = simulate_outcomes(replace(BENT, levels=(5.0, 6.0, 8.0)), seed)
        for adjusted_for, found in slopes.items():
            found.append(slope_samples(facts, adjusted_for, resampler_for(facts, draws=2))[0])
    means = {adjusted_for: np.mean(found) for adjusted_for, found in slopes.items()}
    assert means[NOTHING] > 0.1
    assert abs(means[MATCHED]) < 0.02 < abs(means[START]) + 0.02


def repeated(truth, adjusted_for, dose, repetitions, draws):
    """Return per repetition whether the interval covers the truth, whether it lies off 0, and the slope."""
    rows = []
    for repetition in range(repetitions):
        facts = simulate_outcomes(truth, 100 + repetition)
        samples = slope_samples(facts, adjusted_for, resampler_for(facts, repetition, draws), dose)
        low, high = np.quantile(samples[1:], [0.025, 0.975])
        rows.append((low <= truth.slope <= high, low > 0 or high < 0, samples[0]))
    return np.array(rows).mean(axis=0)


@pytest.mark.parametrize("slope", [0.0, -0.08])
def test_the_adjusted_slope_on_counts_covers_its_truth(slope):
    covered, off, mean = repeated(replace(CONFOUNDED, slope=slope), ANSWER, COUNT, 60, 100)
    assert covered >= 0.85 and mean == pytest.approx(slope, abs=0.012)
    assert off <= 0.15 or slope


@pytest.mark.slow
@pytest.mark.parametrize("adjusted_for", [NOTHING, START, ANSWER])
@pytest.mark.parametrize("slope", [0.0, -0.05])
def test_coverage_and_size_in_a_long_run(adjusted_for, slope):
    covered, off, mean = repeated(OutcomesTruth(slope=slope), adjusted_for, EXPOSURE, 1000, 400)
    assert 0.925 <= covered <= 0.97 and mean == pytest.approx(slope, abs=0.003)
    assert slope or 0.03 <= off <= 0.075


def test_a_detectable_slope_is_found_in_four_of_five_studies():
    rows = []
    for seed in range(20):
        facts = simulate_outcomes(OutcomesTruth(slope=0.0), seed)
        rows.append(estimate(facts, slope_samples(facts, NOTHING, resampler_for(facts, seed))))
    assert all(row["detectable"] == DETECTABLE * row["standard_error"] for row in rows)
    slope = -float(np.mean([row["detectable"] for row in rows]))
    _, found, _ = repeated(OutcomesTruth(slope=slope), NOTHING, EXPOSURE, 80, 100)
    assert 0.68 <= found <= 0.92


def lifetimes(ratio, seed, people=60, steps=400, runs=("r0", "r1")):
    """Return steps to forget of exponential lifetimes: the hazard has this ratio per doubling of exposure."""
    rng = np.random.default_rng(seed)
    dose = np.resize([5.0, 6.0, 7.0, 8.0], people)
    frail = rng.normal(0, 0.2, people)
    parts = []
    for pace, run in enumerate(runs):
        hazard = 0.01 * (1 + pace) * ratio ** (dose - 6.5) * np.exp(frail)
        time = np.ceil(rng.exponential(1 / hazard))
        parts.append(
            pl.DataFrame(
                {
                    "run_id": run, "model": "m", "method": "ga", "target_kind": "mixed levels",
                    "fact_id": [f"f{k}" for k in range(people)], "person": [f"p{k}" for k in range(people)],
                    "seed_cluster": run, "time": np.minimum(time, steps), "forgotten": time <= steps,
                    "exposure": np.round(2**dose).astype(int), "log2_exposure": dose,
                    "start_log_prob": rng.normal(size=people),
                }
            )
        )  # fmt: skip
    return pl.concat(parts)


def hazards_repeated(ratio, repetitions):
    rows = []
    for seed in range(repetitions):
        times = lifetimes(ratio, seed)
        row = hazard_ratios(times.drop("log2_exposure", "start_log_prob"), times).row(0, named=True)
        rows.append((row["low"] <= ratio <= row["high"], row["p"] < 0.05, np.log(row["hazard_ratio"])))
    return np.array(rows).mean(axis=0)


@pytest.mark.parametrize("ratio", [0.7, *only_in_full(1.0)])
def test_the_hazard_ratio_is_recovered(ratio):
    covered, significant, mean = hazards_repeated(ratio, 14)
    assert covered >= 0.75 and np.exp(mean) == pytest.approx(ratio, abs=0.06)
    assert significant <= 0.25 if ratio == 1 else significant >= 0.8


@pytest.mark.slow
@pytest.mark.parametrize("ratio", [0.7, 1.0])
def test_the_hazard_ratio_covers_its_truth_in_a_long_run(ratio):
    covered, significant, _ = hazards_repeated(ratio, 400)
    assert 0.91 <= covered <= 0.98 and (ratio != 1 or 0.02 <= significant <= 0.09)


def test_hazards_say_why_when_they_cannot_be_had():
    times = lifetimes(0.7, 0)
    few = times.filter(pl.col("person").is_in(["p0", "p1", "p2"]))
    never = times.with_columns(forgotten=pl.lit(False))
    level = times.filter(pl.col("exposure") == 32)
    reasons = [hazard_ratios(one.drop("log2_exposure", "start_log_prob"), one) for one in (few, never, level)]
    assert [table["hazard_ratio"].is_null().all() for table in reasons] == [True] * 3
    assert "10 people" in reasons[0]["reason"][0] and "no fact" in reasons[1]["reason"][0]


def test_the_survival_curve_is_statsmodels():
    times = lifetimes(0.6, 3, steps=100).with_columns(pl.col("time").cast(pl.Int64))
    curve = survival_curves(times, resampler_for(times, draws=20)).filter(pl.col("exposure") == 32)
    mine = times.filter(pl.col("exposure") == 32)
    right = sm.SurvfuncRight(mine["time"].to_numpy(), mine["forgotten"].cast(pl.Int64).to_numpy())
    found = dict(curve.select("step", "value").rows())
    np.testing.assert_allclose([found[int(step)] for step in right.surv_times], right.surv_prob)


def paths(rows, steps=(0, 1, 3, 7)):
    """Return forget rows of one run: ``rows`` holds the exposure and whether it is right at each step."""
    return pl.DataFrame(
        [
            {
                "run_id": "r", "model": "m", "method": "ga", "target_kind": "mixed levels",
                "exposure": exposure,
                "fact_id": f"f{n}", "person": f"p{n}", "seed_cluster": "0", "step": step,
                "said": float(right), "base": "m #0",
            }
            for n, (exposure, path) in enumerate(rows)
            for step, right in zip(steps, path, strict=True)
        ]
    )  # fmt: skip


def test_areas_between_levels_are_the_hand_worked_ones():
    # log2(1 + step) is 0, 1, 2, 3: areas (½ + 0 + 0)/3 = 1/6, (1 + ½ + 0)/3 = 1/2 and 1
    forget = paths([(30, (1, 0, 0, 0)), (30, (1, 1, 0, 0)), (60, (1, 1, 0, 0)), (120, (1, 1, 1, 1))])
    table = areas_between_levels(forget.sample(fraction=1, shuffle=True, seed=0), resampler_for(forget))
    assert table["area"].to_list() == pytest.approx([1 / 3, 1 / 2, 1])
    assert table["value"].to_list() == pytest.approx([0, 1 / 6, 2 / 3])
    assert table["against"].to_list() == [30, 30, 30]


def test_equal_forgetting_reads_utility_where_half_is_forgotten():
    forget = paths([(30, (1, 0, 0, 0)), (60, (1, 1, 1, 0)), (60, (1, 1, 0, 0)), (60, (1, 1, 1, 1))])
    utility = pl.DataFrame(
        {
            "run_id": "r", "role": "utility", "fact_id": [f"u{n}" for n in range(4)] * 4,
            "person": [f"u{n}" for n in range(4)] * 4, "seed_cluster": "0", "start": 1.0,
            "step": np.repeat([0, 1, 3, 7], 4), "value": [1.0] * 4 + [1.0] * 4 + [1, 1, 1, 0] + [0.0] * 4,
        }
    )  # fmt: skip
    resampler = resampler_for(pl.concat([forget, utility], how="diagonal"), draws=5)
    assert at_equal_forgetting(forget, utility, resampler)["r"][0] == pytest.approx(0.25)  # at step 3
    assert np.isnan(at_equal_forgetting(forget, utility, resampler, target=0.9)["r"][0])


def test_equal_confidence_gives_both_ends_the_same_mix():
    facts = simulate_outcomes(replace(BENT, levels=(5.0, 6.5, 8.0), methods=("ga", "npo")))
    matched = at_equal_confidence(facts)
    assert matched["exposure"].n_unique() == 2
    mass = matched.group_by("method", "confidence_bin", "highest").agg(pl.col("weight").sum())
    wide = mass.pivot("highest", index=["method", "confidence_bin"], values="weight")
    np.testing.assert_allclose(wide["true"].to_numpy(), wide["false"].to_numpy())
    utility = pl.DataFrame(schema={"run_id": pl.String, "step": pl.Int64, "role": pl.String})
    table = matched_comparisons(facts, facts.clear(), utility, resampler_for(facts, draws=50))
    assert set(table["measure"]) == {"forgotten share"}  # nothing followed over steps, so nothing else


def arms(slopes, column="wording", seed=0, methods=("ga", "npo"), people=120):
    """Return outcomes and runs of arms with these slopes, on the same people."""
    parts, runs = [], []
    for name, slope in slopes.items():
        truth = OutcomesTruth(slope=slope, model=f"gpt2 {name}", methods=methods, people=people)
        parts.append(simulate_outcomes(truth, seed))
        labels = {
            "family": "gpt2",
            "size": "2m",
            "n_params": 2_000_000,
            "wording": "rerendered",
            column: name,
        }
        run = parts[-1].select("run_id", "method", "plain").unique(maintain_order=True)
        runs.append(run.with_columns(pl.lit(value).alias(label) for label, value in labels.items()))
    return pl.concat(parts), pl.concat(runs)


def test_the_slope_of_each_arm_and_its_distance_from_the_others_are_recovered():
    outcomes, runs = arms({"rerendered": -0.10, "verbatim": -0.02, "epochs": -0.06}, seed=1)
    table = interactions(outcomes, runs, resampler_for(outcomes))
    found = {
        row["value_of_factor"]: row for row in table.filter(pl.col("factor") == "wording arm").to_dicts()
    }
    assert found["rerendered"]["slope"] == pytest.approx(-0.10, abs=0.02)
    assert found["rerendered"]["value"] == pytest.approx(-0.06, abs=0.02)
    assert found["verbatim"]["value"] == pytest.approx(0.06, abs=0.02)
    assert found["rerendered"]["p_holm"] < 0.05 and found["rerendered"]["n_cells"] == 2
    method = table.filter(pl.col("factor") == "method")
    assert method["n_cells"].unique().to_list() == [3] and method["value"].abs().max() < 0.03


def test_values_are_also_compared_on_the_facts_that_all_of_them_knew():
    outcomes, runs = arms({"rerendered": -0.10, "verbatim": -0.02}, seed=1)
    verbatim = runs.filter(pl.col("wording") == "verbatim")["run_id"].to_list()
    unknown = sorted(outcomes["fact_id"].unique())[::3]
    lacking = pl.col("run_id").is_in(verbatim) & pl.col("fact_id").is_in(unknown)
    table = interactions(outcomes.filter(~lacking), runs, resampler_for(outcomes))
    of_arms = table.filter(pl.col("factor") == "wording arm")
    facts = {
        (row["comparison"].removeprefix("equal steps"), row["value_of_factor"]): row["n_facts"]
        for row in of_arms.to_dicts()
    }
    n, n_common = outcomes["fact_id"].n_unique(), outcomes["fact_id"].n_unique() - len(unknown)
    assert facts == {
        ("", "rerendered"): n, ("", "verbatim"): n_common,
        (", same facts", "rerendered"): n_common, (", same facts", "verbatim"): n_common,
    }  # fmt: skip
    of_methods = table.filter(pl.col("factor") == "method")
    assert of_methods["comparison"].unique().to_list() == ["equal steps"]


def test_each_of_many_values_is_set_beside_the_one_that_knew_most():
    """Where three share too few facts for an interval, two by two they share enough."""
    outcomes, runs = arms({"rerendered": -0.10, "verbatim": -0.02, "epochs": -0.06}, seed=1)
    of_arm = {name: own["run_id"].to_list() for (name,), own in runs.group_by("wording")}
    facts = sorted(outcomes["fact_id"].unique())
    unknown = {"verbatim": facts[::2], "epochs": facts[1::2]}
    for name, ids in unknown.items():
        outcomes = outcomes.filter(~(pl.col("run_id").is_in(of_arm[name]) & pl.col("fact_id").is_in(ids)))
    table = interactions(outcomes, runs, resampler_for(outcomes)).filter(pl.col("factor") == "wording arm")
    assert not table.filter(pl.col("comparison").str.ends_with("same facts")).height
    pairs = table.filter(pl.col("comparison") == "equal steps, facts both knew")
    found = {row["value_of_factor"]: row for row in pairs.to_dicts()}
    assert set(found) == {"verbatim", "epochs"} and set(pairs["against"]) == {"rerendered"}
    for name, difference in (("verbatim", 0.08), ("epochs", 0.04)):
        assert found[name]["n_facts"] == len(facts) - len(unknown[name])
        assert found[name]["value"] == pytest.approx(difference, abs=0.03)
        assert found[name]["low"] <= difference <= found[name]["high"]
    assert found["verbatim"]["p_holm"] >= found["verbatim"]["p"]
    assert table.filter(pl.col("comparison") == "equal steps")["against"].null_count() == 3


def contrasts(slopes, repetitions, draws):
    """Return how often the difference of two arms covers its truth, how often it is significant, its mean."""
    rows = []
    truth = slopes["verbatim"] - slopes["rerendered"]
    for seed in range(repetitions):
        outcomes, runs = arms(slopes, seed=seed, methods=("ga",), people=48)
        table = interactions(outcomes, runs, resampler_for(outcomes, seed, draws))
        row = table.filter(pl.col("value_of_factor") == "verbatim").row(0, named=True)
        rows.append((row["low"] <= truth <= row["high"], row["p_holm"] < 0.05, row["value"]))
    return np.array(rows).mean(axis=0)


@pytest.mark.full
@pytest.mark.parametrize("verbatim", [-0.08, 0.0])
def test_the_difference_of_two_arms_covers_its_truth(verbatim):
    covered, significant, mean = contrasts({"rerendered": -0.08, "verbatim": verbatim}, 30, 100)
    assert covered >= 0.8 and mean == pytest.approx(verbatim + 0.08, abs=0.015)
    assert significant <= 0.2 if verbatim else significant >= 0.8


@pytest.mark.slow
def test_the_difference_of_two_arms_has_its_size_in_a_long_run():
    covered, significant, _ = contrasts({"rerendered": -0.08, "verbatim": -0.08}, 500, 400)
    assert 0.925 <= covered <= 0.985 and significant <= 0.075


def test_cells_that_lack_a_value_take_no_part():
    outcomes, runs = arms({"rerendered": -0.10, "verbatim": -0.02})
    lone = (pl.col("model") == "gpt2 verbatim") & (pl.col("method") == "npo")
    table = interactions(outcomes.filter(~lone), runs, resampler_for(outcomes))
    wording = table.filter((pl.col("factor") == "wording arm") & (pl.col("comparison") == "equal steps"))
    assert wording["n_cells"].to_list() == [1, 1]


def test_a_slope_that_depends_on_confidence_is_an_interaction():
    facts = simulate_outcomes(OutcomesTruth(slope=0.0, people=400, noise=0.02, person_spread=0))
    bent = 0.5 + 0.05 * (pl.col("log2_exposure") - 6.5) * pl.col("start_log_prob")
    runs = facts.select("run_id", "method").unique().with_columns(n_params=1, family=pl.lit("gpt2"))
    rows = interactions(facts.with_columns(forgotten=bent), runs, resampler_for(facts, draws=30))
    row = rows.filter(pl.col("factor") == "starting log-probability").row(0, named=True)
    spread = facts["start_log_prob"].std()
    assert row["value"] == pytest.approx(0.05 * spread, rel=0.02)


def weighted(shares, seeds=(0,), form=""):
    """Return outcomes and runs of one method under several weightings: each level's forgotten share."""
    rows, runs = [], []
    for weighting, levels in shares.items():
        name = weighting if weighting in ("uniform", "random") else weighting + form
        for seed in seeds:
            run = f"{name} {seed}"
            runs.append({"run_id": run, "objective": "ga", "weighting": name})
            rows += [
                {
                    "run_id": run, "base": "b", "target": "mixed", "target_kind": "mixed levels",
                    "comparison": "equal steps", "fact_id": f"f{exposure}-{n}", "person": f"p{n}",
                    "seed_cluster": f"0/{seed}", "exposure": exposure, "forgotten": share,
                }
                for exposure, share in levels.items() for n in range(6 if exposure == 30 else 2)
            ]  # fmt: skip
    return pl.DataFrame(rows), pl.DataFrame(runs)


def test_weights_meet_their_rivals_level_by_level_on_the_same_facts():
    shares = {
        "count": {30: 0.7, 120: 0.6}, "uniform": {30: 0.8, 120: 0.3},
        "shuffled_counts": {30: 0.6, 120: 0.5}, "confidence": {30: 0.7, 120: 0.2}, "random": {30: 0, 120: 0},
    }  # fmt: skip
    outcomes, runs = weighted(shares, form="^-1")
    table = weightings(outcomes, runs, resampler_for(outcomes)).filter(pl.col("method") == "all methods")
    found = {(row["rival"], row["measure"]): row["value"] for row in table.to_dicts()}
    assert found["uniform", MEAN] == pytest.approx(0.65 - 0.55)
    assert found["uniform", WORST] == pytest.approx(0.6 - 0.3)
    assert found["shuffled_counts", MEAN] == pytest.approx(0.1) and found[
        "confidence", MEAN
    ] == pytest.approx(0.2)
    assert len(found) == 6


def test_a_form_of_weights_without_all_its_rivals_is_shown_but_not_pooled():
    outcomes, runs = weighted({"count": {30: 0.7}, "uniform": {30: 0.5}})
    table = weightings(outcomes, runs, resampler_for(outcomes))
    assert set(table["method"]) == {"ga"} and set(table["rival"]) == {"uniform"}
    other_seed = outcomes.with_columns(
        pl.when(pl.col("run_id") == "count 0")
        .then(pl.lit("0/1"))
        .otherwise("seed_cluster")
        .alias("seed_cluster")
    )
    assert weightings(other_seed, runs, resampler_for(other_seed)).is_empty()
