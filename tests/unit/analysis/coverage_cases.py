"""Every estimator on studies whose truth is known: how biased, how often covered, how often off at none.

`tests/unit/analysis/test_coverage.py` runs them, few times in each suite and often when asked;
`scripts/coverage_table.py` prints the table of `docs/estimators.md`.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import polars as pl
from scipy.special import expit

from simulated_difficulty import Difficulty, simulate_difficulty
from simulated_outcomes import OutcomesTruth, resampler_for, simulate_outcomes
from simulated_paths import Paths, simulate_paths
from simulated_sizes import SizesTruth, simulate_sizes
from unequal.analysis.agreement.contingency import both_views
from unequal.analysis.agreement.formats import format_gaps
from unequal.analysis.agreement.hidden_knowledge import hidden_knowledge
from unequal.analysis.agreement.nulls import CHOICE_DRIFT, TRUE_FALSE, null_scores
from unequal.analysis.difficulty.predictor import fit_scores
from unequal.analysis.difficulty.skill import GAIN
from unequal.analysis.effects.area_between_levels import areas_between_levels
from unequal.analysis.effects.dose_response import (
    ANSWER,
    COUNT,
    EXPOSURE,
    MATCHED,
    NOTHING,
    START,
    slope_samples,
)
from unequal.analysis.effects.interactions import interactions
from unequal.analysis.effects.ratios import hazard_ratios, logistic_dose
from unequal.analysis.effects.steps_to_forget import steps_to_forget, survival_curves
from unequal.analysis.effects.weightings import MEAN, WORST, weightings
from unequal.analysis.observations import Observations, observe
from unequal.analysis.outcomes import EQUAL_STEPS, at_budget
from unequal.analysis.sizes.disagreement import NEAREST
from unequal.analysis.sizes.slopes import DAMAGE, HARDER, size_effects
from unequal.analysis.sizes.trend import sizes
from unequal.analysis.stats.bootstrap import make_resampler
from unequal.analysis.stats.estimates import estimate
from unequal.analysis.utility.cost import HIGH_MINUS_LOW, PRIMARY_TARGET, utility_cost
from unequal.analysis.utility.matched import (
    EQUAL_CONFIDENCE,
    EQUAL_FORGETTING,
    at_equal_utility,
    matched_comparisons,
)
from unequal.analysis.utility.retained import with_readings

UTILITY = at_budget(0.10)
Found = tuple[float | None, float | None, float | None]  # value, low, high


@dataclass(frozen=True)
class Case:
    """An estimator and a study: ``draw(seed, draws)`` estimates once; ``truth`` is what endless people give.

    ``null`` is the value of no effect; where it is the truth, leaving it out is the size of the test.
    """

    estimator: str
    decides: str
    study: str
    truth: float
    draw: Callable[[int, int], Found]
    null: float = 0.0

    @property
    def name(self) -> str:
        return f"{self.estimator}, {self.study}"


@dataclass(frozen=True)
class Coverage:
    """What a case came to: bias and its standard error, share covered, share whose interval leaves out 0."""

    case: Case
    bias: float
    bias_error: float
    spread: float
    covered: float
    off: float
    n: int


def run_case(case: Case, n: int, draws: int, first_seed: int = 1000) -> Coverage:
    """Return the case's coverage over ``n`` simulated studies; studies without an interval count as not
    covered."""
    values, covered, off = [], [], []
    for seed in range(first_seed, first_seed + n):
        value, low, high = case.draw(seed, draws)
        values.append(np.nan if value is None else value)
        whole = low is not None and high is not None
        covered.append(whole and low <= case.truth <= high)
        off.append(whole and not low <= case.null <= high)
    found = np.array(values)[np.isfinite(values)]
    spread = float(found.std(ddof=1))
    bias = float(found.mean() - case.truth)
    return Coverage(case, bias, spread / np.sqrt(len(found)), spread, np.mean(covered), np.mean(off), n)


def _of(row) -> Found:
    return row["value"], row["low"], row["high"]


def _resampler(*frames: pl.DataFrame, seed: int, draws: int):
    people = pl.concat([frame["person"] for frame in frames]).unique().to_list()
    seeds = pl.concat([frame["seed_cluster"] for frame in frames]).unique().to_list()
    return make_resampler(people, seeds, seed, draws)


# Slopes of outcomes.


def _slope(truth: OutcomesTruth, adjusted_for: str, dose: str, seed: int, draws: int) -> Found:
    facts = simulate_outcomes(truth, seed)
    return _of(estimate(facts, slope_samples(facts, adjusted_for, resampler_for(facts, seed, draws), dose)))


def _arms(slopes: dict[str, float], seed: int, draws: int) -> Found:
    parts, runs = [], []
    for name, slope in slopes.items():
        part = simulate_outcomes(OutcomesTruth(slope=slope, model=f"gpt2 {name}"), seed)
        parts.append(part)
        labels = {"family": "gpt2", "size": "2m", "n_params": 2_000_000, "wording": name}
        run = part.select("run_id", "method", "plain").unique(maintain_order=True)
        runs.append(run.with_columns(pl.lit(value).alias(label) for label, value in labels.items()))
    outcomes = pl.concat(parts)
    table = interactions(outcomes, pl.concat(runs), resampler_for(outcomes, seed, draws))
    table = table.filter(pl.col("comparison") == EQUAL_STEPS)
    return _of(table.row(by_predicate=pl.col("value_of_factor") == "verbatim", named=True))


def _odds(log_odds: float, seed: int, _draws: int) -> Found:
    """Beta chances by person, so that the marginal odds are those asked for, and five steps for two facts."""
    rng = np.random.default_rng(seed)
    person = np.repeat(np.arange(48), 2)
    dose = np.resize([5.0, 6.0, 7.0, 8.0], 48)[person]
    mean = expit(log_odds * (dose - 6.5))
    chance = rng.beta(8 * mean[::2], 8 * (1 - mean[::2]))[person]
    facts = pl.DataFrame(
        {
            "fact_id": [f"f{n}" for n in range(96)], "person": [f"p{n}" for n in person],
            "forgotten": rng.binomial(5, chance) / 5, "log2_exposure": dose, "exposure": 2.0**dose,
            "start_log_prob": rng.normal(size=96),
        }
    ).with_columns(
        model=pl.lit("m"), base=pl.lit("m #0"), method=pl.lit("ga"), target_kind=pl.lit("mixed levels"),
        comparison=pl.lit("equal steps"),
    )  # fmt: skip
    row = logistic_dose(facts).row(0, named=True)
    return np.log(row["odds_ratio"]), np.log(row["low"]), np.log(row["high"])


def _hazard(log_ratio: float, seed: int, _draws: int) -> Found:
    """Exponential lifetimes of facts asked at every step; two runs of their own pace."""
    rng = np.random.default_rng(seed)
    dose, frail, steps = np.resize([5.0, 6.0, 7.0, 8.0], 60), rng.normal(0, 0.2, 60), 400
    parts = []
    for pace in (1, 2):
        hazard = 0.01 * pace * np.exp(log_ratio * (dose - 6.5) + frail)
        time = np.ceil(rng.exponential(1 / hazard))
        parts.append(
            pl.DataFrame(
                {
                    "run_id": f"r{pace}", "model": "m", "method": "ga", "target_kind": "mixed levels",
                    "fact_id": [f"f{n}" for n in range(60)], "person": [f"p{n}" for n in range(60)],
                    "seed_cluster": f"0/{pace}", "time": np.minimum(time, steps), "forgotten": time <= steps,
                    "log2_exposure": dose, "start_log_prob": rng.normal(size=60),
                }
            )
        )  # fmt: skip
    times = pl.concat(parts)
    row = hazard_ratios(times.drop("log2_exposure", "start_log_prob"), times).row(0, named=True)
    return np.log(row["hazard_ratio"]), np.log(row["low"]), np.log(row["high"])


# Paths over the steps.


def _area(truth: Paths, seed: int, draws: int) -> Found:
    forget, _ = simulate_paths(truth, seed)
    table = areas_between_levels(forget, _resampler(forget, seed=seed, draws=draws))
    return _of(table.row(by_predicate=pl.col("exposure") == truth.exposures[-1], named=True))


def area_truth(truth: Paths) -> float:
    """Return the area between the highest and the lowest level's expected curves over log2(1 + step)."""
    at = np.log2(1 + np.array(truth.steps))
    both = [truth.right(exposure) for exposure in (truth.exposures[-1], truth.exposures[0])]
    high, low = (float(np.trapezoid(curve, at) / (at[-1] - at[0])) for curve in both)
    return high - low


def _survival(truth: Paths, step: int, seed: int, draws: int) -> Found:
    forget, _ = simulate_paths(truth, seed)
    table = survival_curves(steps_to_forget(forget), _resampler(forget, seed=seed, draws=draws))
    chosen = table.filter((pl.col("exposure") == truth.exposures[0]) & (pl.col("step") <= step))
    return _of(chosen.sort("step").row(-1, named=True))


def _matched(truth: Paths, comparison: str, seed: int, draws: int) -> Found:
    forget, utility = simulate_paths(truth, seed)
    resampler = with_readings(_resampler(forget, utility, seed=seed, draws=draws), utility, {UTILITY: 0.10})
    outcomes = at_equal_utility(forget, utility, 0.10)
    table = matched_comparisons(outcomes, forget, utility, resampler)
    return _of(table.row(by_predicate=pl.col("comparison") == comparison, named=True))


def utility_truth(truth: Paths) -> float:
    """Return the share forgotten where a tenth of utility is lost, linear between steps."""
    return float(np.interp(0.10, truth.lost(), truth.forgotten()))


def _utility_slope(truth: Paths, seed: int, draws: int) -> Found:
    forget, utility = simulate_paths(truth, seed)
    outcomes = at_equal_utility(forget, utility, 0.10)
    resampler = with_readings(_resampler(forget, utility, seed=seed, draws=draws), utility, {UTILITY: 0.10})
    return _of(estimate(outcomes, slope_samples(outcomes, NOTHING, resampler)))


def utility_slope_truth(truth: Paths) -> float:
    """Return the slope over the levels of what is forgotten where a tenth of utility is lost."""
    read = [np.interp(0.10, truth.lost(), 1 - truth.right(exposure)) for exposure in truth.exposures]
    return float(np.polyfit(np.log2(truth.exposures), read, 1)[0])


def _confidence(truth: OutcomesTruth, seed: int, draws: int) -> Found:
    facts = simulate_outcomes(truth, seed)
    nothing = pl.DataFrame(schema={"run_id": pl.String, "step": pl.Int64, "role": pl.String})
    forget = facts.with_columns(step=pl.lit(1), said=pl.lit(0.0)).head(1)
    table = matched_comparisons(facts, forget, nothing, resampler_for(facts, seed, draws))
    return _of(table.row(by_predicate=pl.col("comparison") == EQUAL_CONFIDENCE, named=True))


def _cost(ends: tuple[Paths, Paths], seed: int, draws: int) -> Found:
    parts = [simulate_paths(one, seed * 2 + place) for place, one in enumerate(ends)]
    forget, utility = (pl.concat(rows) for rows in zip(*parts, strict=True))
    named = pl.format("{} {}", "person", "target")
    forget, utility = forget.with_columns(person=named), utility.with_columns(person=named)
    table = utility_cost(forget, utility, _resampler(forget, utility, seed=seed, draws=draws))
    chosen = (pl.col("contrast") == HIGH_MINUS_LOW) & (pl.col("target_forgotten") == PRIMARY_TARGET)
    return _of(table.row(by_predicate=chosen, named=True))


# Weightings, sizes, nulls, formats, what is hidden.


def _weights(slope: float, shift: float, measure: str, seed: int, draws: int) -> Found:
    """Under count weights the slope is another, and every level is forgotten so much more."""
    parts, runs = [], []
    for by, own, more in (("count", slope, shift), ("uniform", -0.05, 0.0)):
        part = simulate_outcomes(OutcomesTruth(slope=own, model=f"gpt2 {by}"), seed)
        part = part.with_columns(run_id=pl.lit(by) + pl.col("run_id"), base=pl.lit("gpt2 #0"))
        parts.append(part.with_columns(pl.col("forgotten") + more))
        names = parts[-1]["run_id"].unique().to_list()
        runs.append(pl.DataFrame({"run_id": names, "objective": "ga", "weighting": by}))
    outcomes = pl.concat(parts)
    table = weightings(outcomes, pl.concat(runs), resampler_for(outcomes, seed, draws))
    return _of(table.row(by_predicate=pl.col("measure") == measure, named=True))


SIZES = (200_000, 400_000, 800_000, 1_600_000)


def _sized(
    harder: float, damage: float, spread: float, seed: int
) -> tuple[Observations, pl.DataFrame, list[Paths]]:
    rng = np.random.default_rng(seed)
    forget, utility, runs, truths = [], [], [], []
    for corpus in range(3):
        for doublings, n_params in zip(np.arange(4) - 1.5, SIZES, strict=True):
            truth = Paths(
                middle=0.5 + harder * doublings, cost=0.4 + damage * doublings, slope=0.0, exposures=(30,),
                people_per_level=40, others=40, model=f"gpt2 {n_params}", base=f"gpt2 {n_params} #{corpus}",
            )  # fmt: skip
            shifted = replace(truth, middle=truth.middle + rng.normal(0, spread))
            rows = [
                one.with_columns(
                    pl.format("{} {}", pl.lit(f"c{corpus}"), name).alias(name)
                    for name in ("person", "fact_id")
                )
                for one in simulate_paths(shifted, 10 * seed + corpus)
            ]
            forget.append(rows[0])
            utility.append(rows[1])
            truths.append(truth)
            runs.append(
                {
                    "run_id": rows[0]["run_id"][0], "model": truth.model, "base": truth.base,
                    "family": "gpt2", "wording": "rerendered", "n_params": n_params,
                    "pretrain_seed": corpus, "method": "ga", "target_kind": "mixed levels", "plain": True,
                }
            )  # fmt: skip
    whole = pl.concat(forget)
    observations = Observations(whole.clear(), pl.DataFrame(runs), whole, whole.clear())
    return observations, pl.concat(utility), truths


def _size_effect(harder: float, damage: float, spread: float, measure: str, seed: int, draws: int) -> Found:
    observations, utility, _ = _sized(harder, damage, spread, seed)
    resampler = _resampler(observations.forget, utility, seed=seed, draws=draws)
    table = size_effects(observations, utility, resampler)
    return _of(table.row(by_predicate=pl.col("measure") == measure, named=True))


def damage_truth(harder: float, damage: float) -> float:
    """Return the slope over sizes of the neighbours' utility lost where half is forgotten."""
    _, _, truths = _sized(harder, damage, 0.0, 0)
    lost = [one.lost_where_forgotten(0.5) for one in truths[:4]]
    return float(np.polyfit(np.arange(4), lost, 1)[0])


def _trend(slope: float, spread: float, seed: int, draws: int) -> Found:
    truth = SizesTruth(
        slope=slope, people=60, methods=("ga",), seeds=(0,), pretrain_seeds=(0, 1, 2), model_spread=spread
    )
    observations = observe(simulate_sizes(truth, seed))
    resampler = _resampler(observations.scores, seed=seed, draws=draws)
    _, table = sizes(both_views(observations), observations, resampler)
    chosen = (pl.col("reading") == NEAREST) & (pl.col("adjusted_for") == NOTHING)
    return _of(table.row(by_predicate=chosen, named=True))


def _hidden(excess: float, seeds: tuple[int, ...], seed: int, draws: int) -> Found:
    truth = SizesTruth(
        middle=excess, sizes=(200_000,), methods=("ga",), seeds=seeds, people=60, never_seen=60
    )
    observations = observe(simulate_sizes(truth, seed))
    resampler = _resampler(observations.scores, seed=seed, draws=draws)
    table = hidden_knowledge(both_views(observations), resampler)
    return _of(table.row(by_predicate=pl.col("measure") == "excess", named=True))


def _asked(values: np.ndarray, name: str, steps: tuple[int, ...], **labels: object) -> pl.DataFrame:
    """Return rows of one probe and metric; ``values`` is (steps, facts)."""
    n = values.shape[1]
    fixed = {
        "run_id": "r", "model": "m", "base": "m #0", "method": "ga", "plain": True, "target": "mixed",
        "target_kind": "mixed levels", "seed_cluster": "0/0", "exposure": 30, "relation": "city", **labels,
    }  # fmt: skip
    rows = {
        "fact_id": [f"{name}{k}" for k in range(n)] * len(steps),
        "person": [f"{name}{k}" for k in range(n)] * len(steps),
        "step": np.repeat(steps, n),
        "value": values.astype(np.float64).ravel(),
    }
    table = pl.DataFrame(rows).with_columns(pl.lit(value).alias(key) for key, value in fixed.items())
    return table.with_columns(pl.col("exposure").cast(pl.Int64))


def _null(drift: float, told_apart: float, measure: str, seed: int, draws: int) -> Found:
    """Never-seen facts: half keep what they answered at step 0, half answer anew, and all in all by ``drift``
    more often right."""
    rng, n = np.random.default_rng(seed), 60
    first, anew = rng.random(n) < 0.3, rng.random(n) < 0.3 + 2 * drift
    choice = np.stack([first, np.where(rng.random(n) < 0.5, first, anew)])
    views = _asked(choice, "n", (0, 5), sample="never seen", said=0.0)
    views = views.rename({"value": "choice_accuracy"})
    known = views.head(2).with_columns(sample=pl.lit("known both ways"), step=pl.Series([0, 5]))
    alarms = rng.random((1, n)) < 0.4
    hits = rng.random((1, n)) < 0.4 + told_apart
    told = [
        _asked(values, "n", (5,), probe="true_false", metric=metric, role="never_seen")
        for metric, values in (("true_false_hit", hits), ("true_false_false_alarm", alarms))
    ]
    scores = pl.concat(told)
    observations = Observations(scores, scores.clear(), scores.clear(), scores.clear())
    resampler = _resampler(scores, seed=seed, draws=draws)
    table = null_scores(observations, pl.concat([views, known]), resampler)
    return _of(table.row(by_predicate=pl.col("measure") == measure, named=True))


def _format(question: float, statement: float, seed: int, draws: int) -> Found:
    """What is left, in each format, answers right; what is not guesses, as never-seen facts do."""
    rng, n, steps, guess = np.random.default_rng(seed), 60, (0, 1, 2, 5), 0.25
    person = rng.normal(0, 0.1, n)
    parts = []
    for probe, left in (("question", question), ("cloze", statement)):
        stays = rng.random((3, n)) < np.clip(left + person, 0, 1)
        chosen = np.vstack([np.ones((1, n), dtype=bool), stays | (rng.random((3, n)) < guess)])
        labels = {"probe": probe, "metric": "choice_accuracy", "role": "forget"}
        parts.append(_asked(chosen, "f", steps, **labels))
        parts.append(_asked(rng.random((4, 200)) < guess, "n", steps, **{**labels, "role": "never_seen"}))
    scores = pl.concat(parts)
    observations = Observations(scores, scores.clear(), scores.clear(), scores.clear())
    table = format_gaps(observations, _resampler(scores, seed=seed, draws=draws))
    chosen = pl.col("exposure").is_null() & (pl.col("method") == "ga")
    return _of(table.row(by_predicate=chosen, named=True))


def _gain(truth: Difficulty, seed: int, draws: int) -> Found:
    predictor = fit_scores(*simulate_difficulty(truth, seed), draws=draws)
    one = next(one for one in predictor.skill if one.features == GAIN and one.outcome == "steps to forget")
    return one.value, one.low, one.high


CONFOUNDED = OutcomesTruth(tokens_slope=-0.1, tokens_with_dose=0.8)
BENT = OutcomesTruth(start_with_dose=0.5, start_bend=-0.3, people=96, levels=(5.0, 6.0, 8.0))
FLAT = Paths(slope=0.0)
STEEP = Paths(slope=-0.08)
ONE_SEED, THREE_SEEDS = "48 people, 96 facts, one seed", "48 people, 96 facts, three seeds"


def _slopes() -> list[Case]:
    cases = []
    for adjusted_for, study, base in (
        (NOTHING, ONE_SEED, OutcomesTruth()),
        (NOTHING, THREE_SEEDS, OutcomesTruth(seeds=(0, 1, 2))),
        (START, ONE_SEED, OutcomesTruth()),
        (ANSWER, f"{ONE_SEED}, longer answers at higher levels", CONFOUNDED),
        (MATCHED, "96 people, 192 facts, confidence bent and rising with the level", BENT),
    ):
        for slope in (-0.05, 0.0):
            draw = partial(_slope, replace(base, slope=slope), adjusted_for, EXPOSURE)
            name = "slope" if adjusted_for == NOTHING else f"slope adjusted for {adjusted_for}"
            decides = {NOTHING: "C1, C3", START: "R2", ANSWER: "R3"}.get(adjusted_for, "–")
            cases.append(Case(name, decides, study, slope, draw))
    for slope in (-0.08, 0.0):
        draw = partial(_slope, replace(CONFOUNDED, slope=slope), ANSWER, COUNT)
        study = f"{ONE_SEED}, longer answers at higher counts"
        cases.append(Case("slope on log10(1 + count), adjusted", "C2", study, slope, draw))
    for other in (0.0, -0.05):
        draw = partial(_arms, {"rerendered": -0.05, "verbatim": other})
        cases.append(Case("difference of two arms", "R1, R4, R6", ONE_SEED, other + 0.05, draw))
    for log_odds in (-0.4, 0.0):
        cases.append(Case("log odds ratio", "–", "48 people, 96 facts", log_odds, partial(_odds, log_odds)))
    for log_ratio in (float(np.log(0.7)), 0.0):
        study = "60 people, two runs"
        cases.append(Case("log hazard ratio", "–", study, log_ratio, partial(_hazard, log_ratio)))
    return cases


def _over_steps() -> list[Case]:
    study = "60 people, one seed, six steps"
    cases = []
    for truth in (STEEP, FLAT):
        cases.append(Case("area between levels", "–", study, area_truth(truth), partial(_area, truth)))
        limit = utility_slope_truth(truth)
        cases.append(
            Case("slope at equal utility (−10%)", "C1", study, limit, partial(_utility_slope, truth))
        )
    right = STEEP.right(STEEP.exposures[0])[2]
    draw = partial(_survival, STEEP, STEEP.steps[2])
    cases.append(Case("survival at a step", "–", study, float(right), draw, null=np.nan))
    for name, comparison, limit in (
        ("forgotten at equal utility (−10%)", UTILITY, utility_truth(STEEP)),
        ("utility lost at equal forgetting", EQUAL_FORGETTING, STEEP.lost_where_forgotten(0.5)),
    ):
        cases.append(Case(name, "–", study, limit, partial(_matched, STEEP, comparison), null=np.nan))
    for slope in (-0.05, 0.0):
        draw = partial(_confidence, replace(BENT, slope=slope))
        study_bent = "96 people, confidence bent and rising with the level"
        cases.append(Case("highest less lowest level at equal confidence", "–", study_bent, slope * 3, draw))
    for extra in (0.2, 0.0):
        ends = tuple(
            Paths(slope=0.0, exposures=(level,), people_per_level=60, target=f"level-{level}", cost=cost)
            for level, cost in ((30, 0.4), (480, 0.4 + extra))
        )
        limit = ends[1].lost_where_forgotten(0.5) - ends[0].lost_where_forgotten(0.5)
        draw = partial(_cost, ends)
        cases.append(Case("utility lost, highest less lowest level", "C7", "60 people a level", limit, draw))
    return cases


def _of_weights_and_formats() -> list[Case]:
    cases = []
    for shift in (0.1, 0.0):
        draw = partial(_weights, -0.05, shift, MEAN)
        cases.append(Case(f"count weights less uniform, {MEAN}", "C8", ONE_SEED, shift, draw))
    for slope in (-0.02, -0.05):
        draw = partial(_weights, slope, 0.0, WORST)
        cases.append(Case(f"count weights less uniform, {WORST}", "–", ONE_SEED, (slope + 0.05) * 1.5, draw))
    for excess in (0.3, 0.0):
        for seeds, words in (((0,), "one seed"), ((0, 1, 2), "three seeds")):
            study, draw = f"60 people, 60 never seen, {words}", partial(_hidden, excess, seeds)
            cases.append(Case("hidden share above never-seen", "C4", study, excess, draw))
    for statement in (0.7, 0.5):
        draw = partial(_format, 0.5, statement)
        name = "left in the statement less in the question"
        cases.append(Case(name, "C6", "60 people", statement - 0.5, draw))
    return cases


def _of_sizes() -> list[Case]:
    cases = []
    for spread, words in ((0.0, "alike"), (0.06, "scattered by 0.06")):
        study = f"four sizes, three pre-trainings of each, {words}"
        for slope in (0.06, 0.0):
            draw = partial(_trend, slope, spread)
            cases.append(Case("hidden share per doubling of size", "C5", study, slope, draw))
        for harder, damage in ((-0.06, 0.08), (0.0, 0.0)):
            draw = partial(_size_effect, harder, damage, spread, HARDER)
            cases.append(Case("forgotten share per doubling of size", "R5", study, harder, draw))
            limit = damage_truth(harder, damage)
            draw = partial(_size_effect, harder, damage, spread, DAMAGE)
            cases.append(Case("neighbours’ loss per doubling of size", "R5", study, limit, draw))
    return cases


def _of_nothing() -> list[Case]:
    cases = []
    for drift in (0.1, 0.0):
        draw = partial(_null, drift, 0.0, CHOICE_DRIFT)
        cases.append(Case("null: choice accuracy since step 0", "R7", "60 never seen", drift, draw))
    for told_apart in (0.2, 0.0):
        draw = partial(_null, 0.0, told_apart, TRUE_FALSE)
        cases.append(Case("null: hits less false alarms", "R7", "60 never seen", told_apart, draw))
    nothing = Difficulty(count=0.0, words=1.0, people=40, seeds=(0, 1), loss=(("npo", 0.03),))
    study = "40 people, 80 facts, two seeds; the count says nothing"
    cases.append(Case("what the count adds to the C-index", "plan", study, 0.0, partial(_gain, nothing)))
    return cases


CASES = [*_slopes(), *_over_steps(), *_of_weights_and_formats(), *_of_sizes(), *_of_nothing()]
