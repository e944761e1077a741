"""How well difficulty is predicted for held-out people and seeds, with and without the count."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict

import numpy as np
import polars as pl
from numpy.typing import NDArray

from unequal.analysis.difficulty.regression import fit_difficulty
from unequal.analysis.difficulty.rows import COUNT
from unequal.analysis.effects.dose_response import ALL_METHODS
from unequal.analysis.stats.bootstrap import Array, Resampler, interval, ratio
from unequal.analysis.stats.estimates import sample_sizes
from unequal.seeds import random_stream
from unequal.strict import StrictModel

PERSON_FOLDS = 5
STEPS, LOST = "steps to forget", "utility lost"
MEASURES = {STEPS: "C-index", LOST: "R²"}
LOST_COLUMNS = ("predicted_lost", "mean_lost")
WITH, WITHOUT, ALONE, GAIN = "with count", "without count", "count alone", "gain"
SETS = (WITH, WITHOUT, ALONE, GAIN)


class Skill(StrictModel):
    """One measure of out-of-fold skill with its 95% interval; ``features`` says from what was predicted."""

    method: str
    outcome: str
    measure: str
    features: str
    value: float | None
    low: float | None
    high: float | None
    n_facts: int
    n_people: int
    n_seeds: int
    reason: str | None = None


def feature_sets(features: Sequence[str]) -> dict[str, list[str]]:
    """Return the features to predict from by name of the set; without a count there is one set."""
    others = [name for name in features if name != COUNT]
    return {WITH: list(features), WITHOUT: others, ALONE: [COUNT]} if COUNT in features else {WITHOUT: others}


def out_of_fold(rows: pl.DataFrame, features: list[str], by_relation: bool = True) -> pl.DataFrame:
    """Return the rows with ``fold``, ``predicted_steps`` (log2), ``predicted_lost`` and ``mean_lost``.

    A row is predicted by a fit that saw neither its person nor its seed (its pre-training, where there are
    several); where one seed is all there is, by one that did not see its person. Rows for which nothing is
    left to fit on are dropped.
    """
    parts = []
    for fold, (inside, held_out) in enumerate(_folds(rows)):
        train, test = rows.filter(pl.Series(inside)), rows.filter(pl.Series(held_out))
        if test.is_empty() or not train["forgotten"].any():
            continue
        fit = fit_difficulty(train, features, by_relation)
        design = fit.design(test)
        lost = fit.lost.of(design) if fit.lost else np.full(test.height, np.nan)
        predicted = {"predicted_steps": fit.steps.of(design), "predicted_lost": lost}
        mean = pl.lit(train["utility_lost"].mean(), pl.Float64)
        columns = [pl.Series(name, values).fill_nan(None) for name, values in predicted.items()]
        parts.append(test.with_columns(*columns, fold=pl.lit(fold), mean_lost=mean))
    nothing = {"predicted_steps": 0.0, "predicted_lost": 0.0, "fold": 0, "mean_lost": 0.0}
    return (
        pl.concat(parts) if parts else rows.clear().with_columns(**{k: pl.lit(v) for k, v in nothing.items()})
    )


def _folds(rows: pl.DataFrame) -> Iterator[tuple[NDArray[np.bool_], NDArray[np.bool_]]]:
    """Yield masks of the rows to fit on and of those to predict."""
    people = sorted(rows["person"].unique())
    random_stream(0, "difficulty", "folds").shuffle(people)
    fold_of = {person: place % PERSON_FOLDS for place, person in enumerate(people)}
    fold = rows["person"].replace_strict(fold_of, return_dtype=pl.Int64).to_numpy()
    seed = rows["held_out"].to_numpy()
    seeds = np.unique(seed)
    for one in range(min(PERSON_FOLDS, len(people))):
        for other in seeds:
            other_seeds = seed != other if len(seeds) > 1 else np.ones(rows.height, dtype=bool)
            yield (fold != one) & other_seeds, (fold == one) & (seed == other)


def all_out_of_fold(rows: pl.DataFrame, features: Sequence[str]) -> dict[str, dict[str, pl.DataFrame]]:
    """Return what `out_of_fold` says by method and set of features."""
    return {
        str(method): {
            name: out_of_fold(part, chosen, by_relation=name != ALONE)
            for name, chosen in feature_sets(features).items()
        }
        for (method,), part in rows.group_by("method", maintain_order=True)
    }


def skill(predicted: Mapping[str, Mapping[str, pl.DataFrame]], resampler: Resampler) -> list[Skill]:
    """Return the skill of each method and of the plain ones together, per outcome and set of features.

    ``C-index`` is the share of pairs of facts of one run, of different people and predicted by one fit, whose
    order of forgetting is right (Harrell 1982; 0.5 is chance). ``R²`` is 1 − squared error over that of the
    mean; 0 is no skill. What the count adds is taken within each bootstrap draw of people and seeds.
    """
    found: list[Skill] = []
    plain: dict[tuple[str, str], list[Array]] = {}
    rows = {method: sets[WITHOUT] for method, sets in predicted.items()}
    for method, sets in predicted.items():
        for key, values in _samples(sets, resampler).items():
            found.append(_row(rows[method], method, *key, values))
            if rows[method]["plain"].all():
                plain.setdefault(key, []).append(values)
    together = pl.concat(rows.values()).filter("plain")
    if together["method"].n_unique() > 1:
        means = {key: np.mean(values, axis=0) for key, values in plain.items()}
        found += [_row(together, ALL_METHODS, *key, values) for key, values in means.items()]
    return found


def _samples(sets: Mapping[str, pl.DataFrame], resampler: Resampler) -> dict[tuple[str, str], Array]:
    """Return samples ``(1 + draws,)`` of the measure per outcome and set of features, and of the gain."""
    found: dict[tuple[str, str], Array] = {}
    for outcome, measure in ((STEPS, concordance), (LOST, explained)):
        by_set = {name: measure(predicted, resampler) for name, predicted in sets.items()}
        if WITH in by_set:
            by_set[GAIN] = by_set[WITH] - by_set[WITHOUT]
        found |= {(outcome, name): values for name, values in by_set.items()}
    return found


def concordance(predicted: pl.DataFrame, resampler: Resampler) -> Array:
    """Return Harrell's C-index of predicted steps within runs and folds, ``(1 + draws,)``; a tie is half."""
    right, pairs = np.zeros((2, resampler.draws + 1))
    for _, run in predicted.group_by("run_id", "fold", maintain_order=True):
        comparable, agrees = _pairs(run)
        people = [resampler.people[name] for name in run["person"]]
        weights = resampler.person_weights[:, people]
        of_seed = resampler.seed_weights[:, resampler.seeds[run["seed_cluster"][0]]]
        right += of_seed * ((weights @ (comparable * agrees)) * weights).sum(axis=1)
        pairs += of_seed * ((weights @ comparable) * weights).sum(axis=1)
    return ratio(right, pairs)


def _pairs(run: pl.DataFrame) -> tuple[Array, Array]:
    """Return which pairs say who was forgotten first, and if the prediction agrees, ``(facts, facts)``."""
    time, event = run["time"].to_numpy(), run["forgotten"].to_numpy()
    guess, person = run["predicted_steps"].to_numpy(), run["person"].rank("dense").to_numpy()
    earlier = time[:, None] < time[None, :]
    earlier |= (time[:, None] == time[None, :]) & ~event[None, :]  # the other was still right at that step
    comparable = earlier & event[:, None] & (person[:, None] != person[None, :])
    agrees = (guess[:, None] < guess[None, :]) + 0.5 * (guess[:, None] == guess[None, :])
    return comparable.astype(np.float64), agrees


def explained(predicted: pl.DataFrame, resampler: Resampler) -> Array:
    """Return R² of utility lost against the mean of what was fitted on, ``(1 + draws,)``."""
    judged = predicted.drop_nulls(["utility_lost", *LOST_COLUMNS])
    if judged.is_empty():
        return np.full(resampler.draws + 1, np.nan)
    lost = judged["utility_lost"].to_numpy()
    errors = np.stack([(lost - judged[name].to_numpy()) ** 2 for name in LOST_COLUMNS], axis=1)
    sums = resampler.sums(judged, np.zeros(judged.height, dtype=np.int64), errors, 1)[:, 0]
    return 1 - ratio(sums[:, 0], sums[:, 1])


def _row(rows: pl.DataFrame, method: str, outcome: str, features: str, values: Array) -> Skill:
    found = asdict(interval(values))
    del found["p"]
    labels = {"method": method, "outcome": outcome, "measure": MEASURES[outcome], "features": features}
    return Skill(**labels, **found, **sample_sizes(rows))


def does_the_count_help(skills: Sequence[Skill]) -> list[str]:
    """Return one sentence an outcome: what knowing the count adds, for plain methods together if several."""
    methods = [one.method for one in skills]
    if not methods:
        return []
    method = ALL_METHODS if ALL_METHODS in methods else methods[0]
    chosen = {(one.outcome, one.features): one for one in skills if one.method == method}
    return [_sentence(method, outcome, chosen) for outcome in MEASURES if (outcome, WITHOUT) in chosen]


def _sentence(method: str, outcome: str, chosen: dict[tuple[str, str], Skill]) -> str:
    without, gain = chosen[outcome, WITHOUT], chosen.get((outcome, GAIN))
    if gain is None:
        return (
            f"{outcome}: the facts of the study do not differ in their count, so its use cannot be assessed."
        )
    if gain.value is None or gain.low is None or gain.high is None:
        return f"{outcome}: whether the count helps cannot be decided ({gain.reason})."
    helps = "helps" if gain.low > 0 else "makes it worse" if gain.high < 0 else "could not be shown to help"
    return (
        f"{outcome}: knowing the count {helps}; {gain.measure} {chosen[outcome, WITH].value:.2f} with it and"
        f" {without.value:.2f} without, a difference of {gain.value:+.3f} (95% interval {gain.low:+.3f} to"
        f" {gain.high:+.3f}; {method})."
    )


def skill_table(skills: Sequence[Skill]) -> list[tuple[str, ...]]:
    """Return one row of text per method and outcome: the skill of each set of features, and the gain."""
    cells = {(one.method, one.outcome, one.features): _shown(one) for one in skills}
    labels = dict.fromkeys((one.method, one.outcome) for one in skills)
    return [
        (
            method,
            f"{outcome}, {MEASURES[outcome]}",
            *(cells.get((method, outcome, name), "") for name in SETS),
        )
        for method, outcome in labels
    ]


def _shown(one: Skill) -> str:
    if one.value is None:
        return one.reason or ""
    if one.features != GAIN or one.low is None or one.high is None:
        return f"{one.value:.2f}"
    return f"{one.value:+.2f} ({one.low:+.2f} to {one.high:+.2f})"
