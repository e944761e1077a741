"""Generation against probability, each measure against hand-worked numbers."""

import numpy as np
import polars as pl
import pytest
from scipy import stats

from simulated_sizes import SizesTruth, simulate_sizes
from unequal.analysis.agreement.forgetting_order import signature
from unequal.analysis.agreement.knowledge_tests import judgements
from unequal.analysis.agreement.leaks import hidden_leak, sampling_gap
from unequal.analysis.agreement.robustness import robustness
from unequal.analysis.agreement.spearman import spearman, weighted_spearman
from unequal.analysis.analyze import analyze_scores
from unequal.analysis.observations import observe
from unequal.analysis.stats.bootstrap import make_resampler
from unequal.analysis.utility.two_views import utility_views
from unequal.evaluation.score_table import SCORE_SCHEMA

GENERATION = {"said", "rouge_l_recall"}


def table(paths, method="ga", role="forget", steps=(0, 1, 2, 5), relation="city", names="f"):
    """Return the scores of one run from ``{metric: one row of values a fact}``; None is a missing value."""
    rows = []
    for metric, facts in paths.items():
        attacked = metric.startswith(("int8", "relearn", "sample", "choice_choice", "probe"))
        kind = "robustness" if attacked else "generation" if metric in GENERATION else "probability"
        for number, values in enumerate(facts):
            for step, value in zip(steps, values, strict=True):
                rows.append(
                    {
                        "study": "hand",
                        "run_id": f"run {method}",
                        "family": "gpt2",
                        "size": "1m",
                        "n_params": 10,
                        "wording": "rerendered",
                        "pretrain_seed": 0,
                        "method": method,
                        "weighting": "uniform",
                        "target": "mixed",
                        "seed": 0,
                        "step": step,
                        "fact_id": f"{role} {names}{number}",
                        "subject": f"{role} {names}{number}",
                        "relation": relation,
                        "role": role,
                        "exposure": 0 if role == "never_seen" else 30 + 90 * (number % 2),
                        "count": None,
                        "probe": "question",
                        "metric": metric,
                        "kind": kind,
                        "value": value,
                        "reason": None if value is not None else "trained on",
                    }
                )
    return pl.DataFrame(rows, schema=SCORE_SCHEMA)


def resampler_of(observations, draws=200):
    scores = observations.scores
    return make_resampler(
        scores["person"].unique().to_list(), scores["seed_cluster"].unique().to_list(), 0, draws
    )


def found(frame, **equal):
    """Return the one row with these values; None means null."""
    rows = frame.filter(
        [pl.col(name).is_null() if value is None else pl.col(name) == value for name, value in equal.items()]
    )
    assert rows.height == 1, rows
    return rows.row(0, named=True)


def test_weighted_spearman_is_scipys_on_repeated_facts():
    rng = np.random.default_rng(0)
    first, second = rng.integers(0, 4, 30).astype(float), rng.normal(size=30)
    weights = np.stack([np.ones(30), rng.integers(0, 4, 30)]).astype(float)
    expected = [
        stats.spearmanr(np.repeat(first, count.astype(int)), np.repeat(second, count.astype(int))).statistic
        for count in weights
    ]
    np.testing.assert_allclose(weighted_spearman(first, second, weights), expected)
    assert np.isnan(weighted_spearman(np.ones(30), second, weights)).all()


def test_spearman_compares_falls_since_step_0_and_says_when_nothing_fell():
    fall = [-0.1, -0.5, -0.2, -3.0, -2.0, -4.0]
    said = [(1, 1, 1), (1, 1, 0.8), (1, 1, 0.9), (1, 1, 0.3), (1, 1, 0.4), (1, 1, 0.1)]
    likely = [(-1, -1 + one / 2, -1 + one) for one in fall]
    scores = table(
        {"said": [(1, 1, 0)] * 6, "rouge_l_recall": said, "answer_log_prob": likely}, steps=(0, 1, 2)
    )
    observations = observe(scores)
    rows = spearman(observations, resampler_of(observations))
    both = stats.spearmanr([1 - one[2] for one in said], [-one for one in fall]).statistic
    assert found(rows, exposure=None, step=2)["value"] == pytest.approx(both)
    assert rows["generation_metric"].unique().to_list() == ["rouge_l_recall"]
    flat = found(rows, exposure=None, step=1)
    assert flat["value"] is None and "says the same of every fact" in flat["reason"]


def test_hidden_leak_counts_wrong_answers_whose_first_token_is_in_the_top_ten():
    exact = [
        (1, 0),
        (1, 0),
        (1, 0),
        (1, 0),
        (1, 1),
        (0, 0),
    ]  # the fifth is still right, the sixth never known
    ranks = [(0, 9.5), (0, 3), (0, 10), (0, 2), (0, 0), (50, 1)]
    never = {"said": [(0, 0)] * 4, "first_token_rank": [(5, 9), (50, 60), (50, 70), (50, 80)]}
    scores = pl.concat(
        [
            table({"said": exact, "first_token_rank": ranks}, steps=(0, 5)),
            table(never, role="never_seen", steps=(0, 5)),
        ]
    )
    observations = observe(scores)
    row = found(hidden_leak(observations, resampler_of(observations)), exposure=None)
    assert (row["hidden_leak"], row["never_seen"], row["excess"]) == (0.75, 0.25, 0.5)
    assert row["n_facts"] == 4 and row["step"] == 5
    without = observe(scores.filter(pl.col("metric") != "first_token_rank"))
    row = hidden_leak(without, resampler_of(without)).row(0, named=True)
    assert row["hidden_leak"] is None and row["reason"] == "first_token_rank was not scored"


def test_the_sampling_gap_is_what_sampling_finds_less_what_greedy_decoding_says():
    exact = [(1, 0), (1, 0), (1, 1), (1, 0)]
    sampled = [(1, 0.5), (1, 0.0), (1, 1.0), (1, 0.25)]
    observations = observe(table({"said": exact, "sample_leak_at_k": sampled}, steps=(0, 5)))
    rows = sampling_gap(observations, judgements(observations), resampler_of(observations))
    row = found(rows, exposure=None, step=5)
    assert (row["value"], row["leak_at_k"], row["greedy"]) == (0.1875, 0.4375, 0.25)
    assert row["attack"] == "sample"
    without = observe(table({"said": exact}, steps=(0, 5)))
    row = sampling_gap(without, judgements(without), resampler_of(without)).row(0, named=True)
    assert row["value"] is None and row["reason"] == "no answers were sampled"


def test_the_signature_says_who_was_first_and_by_how_many_steps():
    #          generation     choice            first at      gap in evaluated steps and steps
    facts = [
        ((1, 0, 0, 0), (1, 1, 1, 0)),  # 1 against 5: 2 and 4
        ((1, 0, 0, 0), (1, 1, 0, 0)),  # 1 against 2: 1 and 1
        ((1, 1, 0, 0), (1, 1, 0, 1)),  # 2 and 2: same
        ((1, 1, 1, 0), (1, 0, 1, 1)),  # 5 against 1: −2 and −4
        ((1, 0, 0, 0), (1, 1, 1, 1)),  # 1 against never
        ((1, 1, 1, 1), (1, 1, 1, 1)),  # neither
        ((0, 0, 0, 0), (1, 1, 1, 1)),  # not known before by generation: left out
    ]
    scores = table({"said": [one[0] for one in facts], "choice_accuracy": [one[1] for one in facts]})
    observations = observe(scores)
    rows = signature(judgements(observations), resampler_of(observations))
    whole = {
        row["measure"]: row
        for row in rows.filter(pl.col("exposure").is_null() & pl.col("run_id").is_null()).to_dicts()
    }
    assert whole["generation first"]["value"] == pytest.approx(3 / 6)
    assert whole["same step"]["value"] == pytest.approx(1 / 6)
    assert whole["probability first"]["value"] == pytest.approx(1 / 6)
    assert whole["neither"]["value"] == pytest.approx(1 / 6)
    assert whole["median gap in evaluated steps"]["value"] == 1  # of −2, 0, 1, 2, ∞
    assert whole["median gap in steps"]["value"] == 1
    assert whole["generation first"]["n_facts"] == 6
    by_run = found(rows, run_id="run ga", measure="generation first")
    assert by_run["value"] == pytest.approx(0.5) and by_run["low"] is not None


def test_a_median_gap_beyond_the_last_step_is_null_with_the_reason():
    scores = table({"said": [(1, 0, 0, 0)] * 3, "choice_accuracy": [(1, 1, 1, 1)] * 3})
    observations = observe(scores)
    rows = signature(judgements(observations), resampler_of(observations))
    row = found(rows, exposure=None, run_id=None, measure="median gap in steps")
    assert row["value"] is None and row["reason"].startswith("probability does not say it by the last step")


def test_probability_calls_forgotten_what_is_no_more_probable_than_never_seen_of_its_relation():
    city = table({"answer_prob": [(0.9, 0.3), (0.9, 0.2), (0.9, 0.1)]}, steps=(0, 5))
    job = table({"answer_prob": [(0.9, 0.3)]}, steps=(0, 5), relation="job", names="job")
    never = [
        table({"answer_prob": [(0.1, 0.1), (0.1, 0.3)]}, role="never_seen", steps=(0, 5)),
        table({"answer_prob": [(0.1, 0.5)]}, "ga", "never_seen", (0, 5), "job", "job"),
    ]
    said = judgements(observe(pl.concat([city, job, *never]))).filter(
        (pl.col("step") == 5) & (pl.col("role") == "forget")
    )
    assert dict(said.select("fact_id", "forgotten").rows()) == {
        "forget f0": 0.0, "forget f1": 1.0, "forget f2": 1.0, "forget job0": 1.0,
    }  # fmt: skip
    alone = judgements(observe(city)).filter(pl.col("step") == 5)
    assert alone["forgotten"].is_null().all()


def test_the_names_of_attacks_are_read_off_the_metrics_whatever_they_are():
    judged = ("choice_choice_accuracy", "int8_low_said", "probe_accuracy", "relearn_first_token_rank")
    ignored = ("probe_control_accuracy", "relearn_taught_prob", "probe_layer")
    said = judgements(observe(table({name: [(1, 1)] for name in (*judged, *ignored)}, steps=(0, 5))))
    assert set(said.select("attack", "test").rows()) == {
        ("choice", "choice_accuracy"),
        ("int8_low", "said"),
        ("probe", "accuracy"),
        ("relearn", "first_token_rank"),
    }


def test_robustness_shows_each_look_and_attack_beside_never_seen_facts_and_the_start():
    forget = table(
        {
            "said": [(1, 0), (1, 0), (1, 0), (1, 1), (0, 0)],  # the last was not known before
            "choice_accuracy": [(1, 1), (1, 1), (0, 0), (1, 1), (1, 0)],
            "first_token_rank": [(0, 9.5), (0, 10), (0, 300), (0, 0), (0, 0)],
            "int8_said": [(1, 1), (1, 0), (1, 0), (1, 1), (1, 1)],
            "relearn_said": [(None, None), (1, 1), (0, 0), (1, 1), (1, 1)],
        },
        steps=(0, 5),
    )
    never = table(
        {"said": [(0, 0)] * 4, "choice_accuracy": [(0, 1), (0, 0), (0, 0), (0, 0)],
         "int8_said": [(0, 0)] * 4, "relearn_said": [(0, 1), (0, 1), (0, 0), (0, 0)]},
        role="never_seen", steps=(0, 5),
    )  # fmt: skip
    observations = observe(pl.concat([forget, never]))
    rows = robustness(observations, judgements(observations), resampler_of(observations))
    columns = ("n_facts", "value", "before", "never_seen", "by_generation", "recovered")

    def row(attack, test):
        return tuple(found(rows, attack=attack, test=test)[name] for name in columns)

    assert row("none", "said") == (4, 0.75, 0.0, 1.0, 0.75, 0.0)
    assert row("none", "choice_accuracy") == (4, 0.25, 0.25, 0.75, 0.75, 0.5)
    assert row("none", "first_token_rank")[1] == 0.5  # ranks of 10 and more: not among the ten first
    assert row("int8", "said") == (4, 0.5, 0.0, 1.0, 0.75, 0.25)
    assert row("relearn", "said") == pytest.approx((3, 1 / 3, 1 / 3, 0.5, 2 / 3, 1 / 3))


def test_utility_lost_is_seen_both_ways():
    said = [(1, 1), (1, 1), (1, 0), (1, 1)]
    likely = [(0.8, 0.4), (0.8, 0.4), (0.8, 0.0), (0.8, 0.4)]
    scores = pl.concat(
        [
            table({"said": said, "answer_prob": likely}, role="utility", steps=(0, 5)),
            table({"said": [(1, 0)] * 2}, steps=(0, 5)),
        ]
    )
    observations = observe(scores)
    row = utility_views(observations, resampler_of(observations)).row(0, named=True)
    assert (row["role"], row["step"], row["by_generation"]) == ("utility", 5, 0.25)
    assert row["by_probability"] == pytest.approx(1 - 1.2 / 3.2)
    assert row["value"] == pytest.approx(0.25 - 0.625)


def test_a_table_of_old_scores_is_analysed_with_reasons():
    old = simulate_sizes(SizesTruth(methods=("ga",))).filter(
        pl.col("metric").is_in(["said", "choice_accuracy", "answer_log_prob"])
    )
    analysis = analyze_scores(old, draws=20)
    assert analysis.hidden_leak["hidden_leak"].is_null().all() and analysis.hidden_leak.height == 4 + 1
    assert analysis.sampling_gap["reason"].unique().to_list() == ["no answers were sampled"]
    assert set(analysis.robustness["attack"]) == {"none"}
