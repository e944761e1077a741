"""Difficulty learned from simulated studies whose truth is known: what matters is found, intervals cover."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from scipy.special import expit

from simulated_difficulty import Difficulty, simulate_difficulty, write_difficulty
from unequal.analysis.difficulty.forecast import budgets, predict
from unequal.analysis.difficulty.predictor import Predictor, fit_scores, fit_study, read_predictor
from unequal.analysis.difficulty.regression import Fit, Line, _fit_steps, person_quantile, with_intervals
from unequal.analysis.difficulty.rows import COUNT, difficulty_rows, starting_features
from unequal.analysis.difficulty.skill import SETS, concordance, out_of_fold, skill_table
from unequal.analysis.observations import observe
from unequal.analysis.stats.bootstrap import make_resampler
from unequal.errors import DataError
from unequal.files import write_json

ONE_METHOD = (("npo", 0.03),)
ID = ["fact_id", "method"]


def learned(truth: Difficulty, seed: int = 0, draws: int = 200) -> Predictor:
    return fit_scores(*simulate_difficulty(truth, seed), draws=draws)


def skills(predictor, outcome="steps to forget", method="all methods"):
    return {one.features: one for one in predictor.skill if (one.outcome, one.method) == (outcome, method)}


def doublings(fit: Fit) -> dict[str, float]:
    """Return by how many doublings of steps one unit of each feature moves the median."""
    return {
        one.name: weight / one.deviation for one, weight in zip(fit.columns, fit.steps.weights, strict=True)
    }


def one_set(truth: Difficulty, seed: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the rows of a study, and its facts' features as a plan has them."""
    scores, answers = simulate_difficulty(truth, seed)
    starting = starting_features(scores.filter(pl.col("step") == 0), answers)
    first = starting.filter(pl.col("run_id") == starting["run_id"][0])
    return difficulty_rows(observe(scores), starting), first.drop("run_id")


@pytest.fixture(scope="module")
def by_count():
    return learned(Difficulty())


@pytest.fixture(scope="module")
def features():
    return one_set(Difficulty(), 7)[1]


def test_the_feature_that_matters_is_found_and_no_other():
    truth = Difficulty(count=0.0, words=1.0, confidence=1.5, people=120, person=0.1)
    for method in learned(truth, draws=2).methods:
        found = doublings(method.with_count)
        assert found["log2_answer_words"] == pytest.approx(1.0, abs=0.25)
        assert found["log_prob_per_token"] == pytest.approx(1.5, abs=0.5)
        assert found[COUNT] == pytest.approx(0.0, abs=0.08)
        assert method.with_count.spread == pytest.approx(0.5, abs=0.1)


def test_censored_facts_do_not_pull_the_estimate_down():
    """Two in three facts outlive the run; the middle and the slope are still found."""
    found = learned(Difficulty(middle=7.5, people=150), draws=2).methods[0].with_count
    assert doublings(found)[COUNT] == pytest.approx(0.5, abs=0.12)
    at_five = found.steps.intercept + sum(
        weight * ((5.0 if one.name == COUNT else one.mean) - one.mean) / one.deviation
        for one, weight in zip(found.columns, found.steps.weights, strict=True)
    )
    assert at_five == pytest.approx(7.5, abs=0.35)


def test_the_count_adds_skill_where_it_should(by_count):
    found = skills(by_count)
    assert found["with count"].value > 0.75
    assert found["without count"].value == pytest.approx(0.5, abs=0.08)
    assert found["gain"].low > 0
    assert "knowing the count helps; C-index 0." in by_count.count[0]


def test_the_table_of_skill_puts_numbers_under_their_names(by_count):
    rows = {row[:2]: dict(zip(SETS, row[2:], strict=True)) for row in skill_table(by_count.skill)}
    assert len(rows) == 2 * 3
    shown = rows["npo", "steps to forget, C-index"]
    expected = skills(by_count, method="npo")
    assert shown["with count"] == f"{expected['with count'].value:.2f}"
    assert shown["count alone"] == f"{expected['count alone'].value:.2f}"
    assert shown["gain"].startswith(f"{expected['gain'].value:+.2f} (+0.")


@pytest.mark.parametrize(
    "truth",
    [
        Difficulty(count=0.0, words=1.0),
        Difficulty(count=0.0, confidence=1.5, confidence_of_count=0.3),
    ],
    ids=["nothing of the count", "the count acts through confidence alone"],
)
def test_the_count_adds_nothing_where_it_should_not(truth):
    predictor = learned(truth)
    gain = skills(predictor)["gain"]
    assert gain.low < 0 < gain.high and abs(gain.value) < 0.03
    assert skills(predictor)["without count"].value > 0.72
    assert "could not be shown to help" in predictor.count[0]


def test_confidence_made_by_the_count_predicts_as_the_count_alone_does():
    found = skills(learned(Difficulty(count=0.0, confidence=1.5, confidence_of_count=0.3)))
    assert found["count alone"].value > 0.7


def test_noise_alone_is_not_predicted():
    found = skills(learned(Difficulty(count=0.0, people=100)))
    assert abs(found["with count"].value - 0.5) < 0.08
    assert found["with count"].low < 0.5


def coverage(truth: Difficulty, repetitions: int) -> tuple[float, float]:
    """Return how often intervals hold the steps and the loss of new people under new seeds, on average."""
    rates = []
    for repetition in range(repetitions):
        predictor = learned(truth, repetition, draws=2)
        rows, facts = one_set(truth, 1000 + repetition)
        plan = predict(predictor, facts, extrapolate=True)
        joined = rows.join(plan.select("fact_id", "method", "^steps_.*$", "^utility_lost_.*$"), on=ID)
        late = pl.col("steps_high").is_null()
        in_time = late | (pl.col("forgotten") & (pl.col("time") <= pl.col("steps_high")))
        steps = in_time & (pl.col("time") >= pl.col("steps_low"))
        lost = pl.col("utility_lost").is_between("utility_lost_low", "utility_lost_high")
        rates.append(joined.select(steps.mean().alias("steps"), lost.mean().alias("lost")).row(0))
    steps_held, lost_held = np.mean(rates, axis=0)
    return float(steps_held), float(lost_held)


@pytest.mark.full
def test_intervals_cover_new_people_and_new_seeds():
    """Nominally 90%; fits to fewer facts than there are widen them a little, and runs are few."""
    steps, lost = coverage(replace(Difficulty(), loss=ONE_METHOD, seeds=(0, 1, 2, 3)), repetitions=8)
    assert 0.87 <= steps <= 0.97
    assert lost >= 0.8


@pytest.mark.slow
def test_how_often_intervals_hold_in_a_long_run():
    steps, lost = coverage(Difficulty(), repetitions=25)
    assert 0.91 <= steps <= 0.95
    assert 0.82 <= lost <= 0.95


def test_a_person_is_never_predicted_by_a_fit_that_saw_them_or_their_seed(monkeypatch):
    rows, _ = one_set(Difficulty(people=25, loss=ONE_METHOD), 0)
    from unequal.analysis.difficulty import skill as difficulty_skill

    seen = []
    fit = difficulty_skill.fit_difficulty

    def spy(train, *rest):
        seen.append((set(train["person"]), set(train["seed_cluster"])))
        return fit(train, *rest)

    monkeypatch.setattr(difficulty_skill, "fit_difficulty", spy)
    predicted = out_of_fold(rows, [COUNT])
    assert sorted(predicted.select("run_id", "fact_id").rows()) == sorted(
        rows.select("run_id", "fact_id").rows()
    )
    assert len(seen) == 15
    for fold, part in predicted.sort("fold").group_by("fold", maintain_order=True):
        people, seeds = seen[fold[0]]
        assert not people & set(part["person"]) and not seeds & set(part["seed_cluster"])


def test_with_several_pretrainings_a_whole_one_is_held_out():
    rows, _ = one_set(Difficulty(people=25, loss=ONE_METHOD, pretrain_seeds=(0, 1), seeds=(0, 1)), 0)
    assert set(rows["held_out"]) == {"0", "1"}


def test_one_seed_gives_no_interval_of_the_loss_and_says_so(features):
    predictor = learned(Difficulty(seeds=(0,)), draws=2)
    assert any(remark.startswith("One seed only") for remark in predictor.remarks)
    plan = predict(predictor, features, extrapolate=True)
    assert plan["utility_lost"].count() > 0 and plan["utility_lost_low"].count() == 0
    assert plan["steps_low"].count() > 0


def test_without_counts_there_is_one_fit_and_no_verdict():
    predictor = learned(Difficulty(counted=False, count=0.0, words=1.0), draws=2)
    assert all(one.with_count is None for one in predictor.methods)
    assert "do not differ in their count" in predictor.count[0]


def test_what_is_recommended_loses_least(by_count, features):
    plan = predict(by_count, features)
    chosen = plan.filter("recommended")
    assert set(chosen["method"]) == {"npo"}  # loses half as much a step, at equal difficulty
    assert chosen["fact_id"].n_unique() == chosen.height
    assert set(chosen["fact_id"]) == set(plan.filter(pl.col("steps").is_not_null())["fact_id"])
    table = budgets(by_count, plan, 0.9)
    assert table.filter("recommended")["method"].to_list() == ["npo"]
    assert table["share_forgotten"].min() >= 0.9


def test_a_budget_is_the_first_step_at_which_the_share_is_expected(by_count, features):
    plan = predict(by_count, features)
    table = budgets(by_count, plan, 0.7)
    for row in table.to_dicts():
        facts = plan.filter((pl.col("method") == row["method"]) & pl.col("log2_steps").is_not_null())

        def share(steps, facts=facts):
            return expit(
                (np.log2(steps) - facts["log2_steps"].to_numpy()) / facts["spread"].to_numpy()
            ).mean()

        assert share(row["steps"] - 1) < 0.7 <= share(row["steps"])
        assert row["n_facts"] == facts.height == features["known"].sum() - _outside(plan, row["method"])


def _outside(plan, method):
    return plan.filter((pl.col("method") == method) & pl.col("reason").str.starts_with("outside")).height


def test_a_share_that_is_never_reached_has_no_budget():
    predictor = learned(Difficulty(middle=7.0), draws=2)
    table = budgets(predictor, predict(predictor, one_set(Difficulty(middle=7.0), 3)[1]), 0.99)
    assert table["steps"].null_count() == table.height and not table["recommended"].any()
    assert "after 100 steps, the last evaluated" in table["reason"][0]


def test_beyond_the_last_judged_step_nothing_is_said():
    predictor = learned(Difficulty(middle=6.0, count=1.0), draws=2)
    plan = predict(predictor, one_set(Difficulty(middle=6.0, count=1.0), 3)[1])
    late = plan.filter(pl.col("log2_steps") > np.log2(100))
    assert late.height > 20
    assert late.select("steps", "steps_high", "utility_lost").null_count().row(0) == (late.height,) * 3
    assert not late["recommended"].any() and set(late["reason"].str.slice(0, 18)) == {"half of such facts"}
    assert plan["steps"].max() <= 100 and plan["steps_low"].max() <= 100


def test_facts_unlike_those_fitted_get_a_reason_and_no_number(by_count, features):
    odd = features.with_columns(
        pl.lit(20.0).alias(COUNT), pl.lit(True).alias("known"), log_prob_per_token=pl.lit(-1.5)
    )
    plan = predict(by_count, odd)
    assert plan["steps"].null_count() == plan.height
    assert plan["reason"].str.starts_with(f"outside what was fitted: {COUNT} is 20, it was 2").all()
    assert predict(by_count, odd, extrapolate=True)["log2_steps"].null_count() == 0


def test_what_is_not_known_or_lacks_a_feature_says_so(by_count, features):
    known = features.filter("known").with_columns(pl.lit(None, pl.Float64).alias("log_prob_per_token"))
    plan = predict(by_count, known)
    assert set(plan["reason"]) == {"lacks log_prob_per_token"}
    unknown = predict(by_count, features.filter(~pl.col("known")))
    assert unknown.height > 0 and unknown["reason"].str.starts_with("not known before").all()
    assert unknown["steps"].null_count() == unknown.height


def test_facts_without_a_count_are_predicted_without_it(by_count, features):
    half = features.with_row_index().with_columns(pl.when(pl.col("index") % 2 == 0).then(COUNT).alias(COUNT))
    plan = predict(by_count, half.drop("index"), extrapolate=True)
    assert plan["fact_id"].to_list() == 2 * features["fact_id"].to_list()
    assert (plan["with_count"] == plan[COUNT].is_not_null()).all()
    told = plan.filter("with_count")["log2_steps"].std()
    assert told > 2 * plan.filter(~pl.col("with_count"))["log2_steps"].std()


def test_a_predictor_survives_its_file(tmp_path, features):
    predictor = fit_study(write_difficulty(tmp_path, Difficulty()), draws=20)
    write_json(tmp_path / "predictor.json", predictor.model_dump(mode="json"))
    again = read_predictor(tmp_path / "predictor.json")
    assert again == predictor and len(predictor.scores_sha256) == 64
    assert predict(again, features).equals(predict(predictor, features))
    assert predictor.features == {COUNT, "log_prob_per_token", "log2_answer_words"}
    assert predictor.n_forget == 120


def test_row_order_does_not_change_a_number(by_count):
    scores, answers = simulate_difficulty(Difficulty())
    shuffled = fit_scores(scores.sample(fraction=1, shuffle=True, seed=1), answers, draws=200)
    for mine, theirs in zip(by_count.methods, shuffled.methods, strict=True):
        assert mine.with_count.steps.weights == pytest.approx(theirs.with_count.steps.weights, rel=1e-4)
    assert skills(shuffled)["gain"].value == pytest.approx(skills(by_count)["gain"].value, abs=1e-6)


@pytest.mark.parametrize(
    ("truth", "said"),
    [
        (Difficulty(people=12), "a method needs 20 people"),
        (Difficulty(known_share=0.0), "no run of the score table forgets facts that were known before"),
        (Difficulty(middle=40.0), "in 0 of"),
    ],
    ids=["few people", "nothing known", "nothing forgotten"],
)
def test_a_study_that_teaches_nothing_is_refused(truth, said):
    with pytest.raises(DataError, match=said):
        learned(truth, draws=2)


def test_a_file_that_is_no_predictor_is_refused(tmp_path):
    (tmp_path / "p.json").write_text('{"study": "x"}')
    with pytest.raises(DataError, match=r"is no predictor .*unequal plan fit --study"):
        read_predictor(tmp_path / "p.json")


# --- by hand


def test_the_c_index_of_four_facts_by_hand():
    """Forgotten at 1, 2 and 5, one still right at 5: six pairs, of which the prediction has 3½ right."""
    run = pl.DataFrame(
        {
            "run_id": ["r"] * 4, "fold": [0] * 4, "person": list("abcd"), "seed_cluster": ["0/0"] * 4,
            "time": [1, 2, 5, 5], "forgotten": [True, True, True, False],
            "predicted_steps": [0.0, 3.0, 3.0, 2.0],
        }
    )  # fmt: skip
    resampler = make_resampler(list("abcd"), ["0/0"], 0, 3)
    # right: ab, ac, ad; tied: bc; wrong: bd, cd
    assert concordance(run, resampler)[0] == pytest.approx(3.5 / 6)
    another = run.tail(1).with_columns(person=pl.lit("b"), predicted_steps=pl.lit(-1.0))
    both_right_at_the_end = pl.concat([run.with_columns(person=pl.Series(list("acda"))), another])
    # by person a c d a b: right ac, ad; tied cd; wrong of c with the fourth, a, c and d with the fifth
    assert concordance(both_right_at_the_end, resampler)[0] == pytest.approx(2.5 / 8)
    same_person = run.with_columns(person=pl.Series(["a", "a", "c", "d"]))
    assert concordance(same_person, resampler)[0] == pytest.approx(2.5 / 5)
    two_folds = run.with_columns(fold=pl.Series([0, 0, 1, 1]))
    assert concordance(two_folds, resampler)[0] == pytest.approx(1 / 2)  # ab right, cd wrong


def test_the_quantile_counts_people_and_not_their_facts():
    scores = np.array([1.0, 2.0, 9.0, 9.0, 9.0, 9.0])
    people = pl.Series(["a", "b", "c", "c", "c", "c"])
    assert person_quantile(scores, people, 0.5) == 2.0  # a and b are two thirds; 0.5 · 4/3 = 2/3
    assert person_quantile(scores, people, 0.51) == 9.0
    assert person_quantile(scores, people, 0.95) == 9.0


def test_an_interval_reaches_as_far_as_facts_were_missed_on_either_side():
    """Twenty people, all forgotten at step 8, predicted at 8 · 2^0 to 8 · 2^1.9."""
    people = [f"p{n}" for n in range(20)]
    predicted = pl.DataFrame(
        {
            "person": people, "time": [8] * 20, "forgotten": [True] * 20, "held_out": ["0"] * 20,
            "predicted_steps": [3 + n / 10 for n in range(20)],
            "utility_lost": [0.0] * 20, "predicted_lost": [0.0] * 20,
        }
    )  # fmt: skip
    fit = Fit(columns=(), relations=(), steps=Line(intercept=0.0, weights=()), spread=1.0)
    line = with_intervals(fit, predicted).steps
    assert (line.below, line.above) == (pytest.approx(1.9), 0.0)
    last = pl.Series([*[True] * 19, False])  # still right at step 8: it says nothing of the lower end
    assert with_intervals(fit, predicted.with_columns(forgotten=last)).steps.below == pytest.approx(1.8)
    early = predicted.with_columns(predicted_steps=pl.Series([3 - n / 10 for n in range(20)]), forgotten=last)
    line = with_intervals(fit, early).steps
    assert (line.below, line.above) == (0.0, pytest.approx(1.9))  # but it asks to be reached


def test_the_fit_is_at_the_top_of_its_likelihood():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(80, 2))
    time = 3 + x @ [1.0, -0.5] + rng.logistic(0, 0.4, 80)
    grid = np.array([-np.inf, 0, 1, 2, 3, 4, np.inf])
    place = np.searchsorted(grid, time)
    line, spread = _fit_steps(x, grid[place - 1], grid[place])

    def penalised(intercept, weights, scale):
        middle = intercept + x @ weights
        inside = expit((grid[place] - middle) / scale) - expit((grid[place - 1] - middle) / scale)
        return np.log(inside).sum() - (np.square(np.array(weights) / scale)).sum() / 2

    best = penalised(line.intercept, line.weights, spread)
    for change in (-0.02, 0.02):
        assert penalised(line.intercept + change, line.weights, spread) < best
        assert penalised(line.intercept, (line.weights[0] + change, line.weights[1]), spread) < best
        assert penalised(line.intercept, (line.weights[0], line.weights[1] + change), spread) < best
        assert penalised(line.intercept, line.weights, spread + change) < best


def test_the_ends_of_a_line_are_unknown_until_given():
    design = np.array([[1.0], [2.0]])
    middle, low, _ = Line(intercept=1.0, weights=(2.0,)).ends(design)
    assert middle.tolist() == [3.0, 5.0] and np.isnan(low).all()
    _, low, high = Line(intercept=1.0, weights=(2.0,), below=1.0, above=0.5).ends(design)
    assert (low.tolist(), high.tolist()) == ([2.0, 4.0], [3.5, 5.5])
