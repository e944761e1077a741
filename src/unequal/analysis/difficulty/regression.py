"""Two small regressions of difficulty on features: steps to forget, censored, and utility lost by then."""

import numpy as np
import polars as pl
from scipy.optimize import minimize
from scipy.special import expit, log_expit

from unequal.analysis.stats.bootstrap import Array
from unequal.strict import StrictModel

RIDGE = 1.0  # of weights on standardised features: as if each were drawn around 0 with deviation 1
SLACK = 0.1  # of a feature's range, beyond which it is called outside
NARROWEST, WIDEST = 0.02, 50.0  # spread of log2(steps)
COVERAGE = 0.9  # of prediction intervals


class Column(StrictModel):
    """A feature as the rows had it that were fitted: how it is standardised, and where it lay."""

    name: str
    mean: float
    deviation: float
    low: float
    high: float


class Line(StrictModel):
    """A linear prediction, and how far ``below`` and ``above`` it the ends of its interval lie, if known."""

    intercept: float
    weights: tuple[float, ...]
    below: float | None = None
    above: float | None = None

    def of(self, design: Array) -> Array:
        """Return the prediction for each row of a design, ``(rows,)``."""
        return np.asarray(self.intercept + design @ np.array(self.weights))

    def ends(self, design: Array) -> tuple[Array, Array, Array]:
        """Return the prediction and the ends of its interval, NaN where there is none, ``(rows,)`` each."""
        middle = self.of(design)
        below, above = (np.nan if one is None else one for one in (self.below, self.above))
        return middle, middle - below, middle + above


class Fit(StrictModel):
    """How log2(steps to forget) and utility lost depend on some features, within one method."""

    columns: tuple[Column, ...]
    relations: tuple[str, ...]
    steps: Line
    spread: float
    lost: Line | None = None

    def design(self, rows: pl.DataFrame) -> Array:
        """Return the standardised features and one column a relation, ``(rows, weights)``."""
        return _design(rows, self.columns, self.relations)


def fit_difficulty(rows: pl.DataFrame, features: list[str], by_relation: bool = True) -> Fit:
    """Return the fit of one method's rows on these features, without prediction intervals."""
    columns = tuple(_column(rows[name]) for name in features)
    names = sorted(rows["relation"].unique()) if by_relation else []
    relations = tuple(names) if len(names) > 1 else ()
    x = _design(rows, columns, relations)
    steps, spread = _fit_steps(x, *forgetting_times(rows))
    judged = rows["utility_lost"].is_not_null().to_numpy()
    lost = _fit_lost(x[judged], rows["utility_lost"].to_numpy()[judged]) if judged.any() else None
    return Fit(columns=columns, relations=relations, steps=steps, spread=spread, lost=lost)


def forgetting_times(rows: pl.DataFrame) -> tuple[Array, Array]:
    """Return the ends of the interval in which log2(steps to forget) lies, ``(rows,)`` each; ±inf is open."""
    low = np.where(rows["forgotten"], rows["right_until"].fill_null(0), rows["time"]).astype(np.float64)
    high = np.where(rows["forgotten"], rows["time"].to_numpy().astype(np.float64), np.inf)
    with np.errstate(divide="ignore"):
        return np.log2(low), np.log2(high)


def _fit_steps(x: Array, low: Array, high: Array) -> tuple[Line, float]:
    """Return a log-logistic accelerated-failure-time model for interval-censored times, and its spread.

    Maximum likelihood with a ridge on the weights over the spread, where it is concave (Burridge 1981); the
    model is by Kalbfleisch and Prentice (2002, chapter 3). ``LogLogisticAFTFitter`` of lifelines fits it
    without such a ridge, with the same weights to three digits, in seconds instead of milliseconds.
    """
    x = np.column_stack([np.ones(len(x)), x])
    finite_low, finite_high = np.where(np.isfinite(low), low, 0.0), np.where(np.isfinite(high), high, 0.0)

    def loss(parameters: Array) -> tuple[float, Array]:
        scale, weights = parameters[0], parameters[1:]
        shift = x @ weights
        above, below = scale * high - shift, scale * low - shift
        gap = scale * (high - low)
        log_likelihood = log_expit(above) + log_expit(-below) + np.log(-np.expm1(-gap))
        with np.errstate(over="ignore"):
            narrow = 1 / np.expm1(gap)
        by_above, by_below = expit(-above) + narrow, -expit(below) - narrow
        ridge = RIDGE * np.concatenate([[0.0, 0.0], weights[1:]])
        to_scale = (by_above * finite_high + by_below * finite_low).sum()
        gradient = np.concatenate([[to_scale], -((by_above + by_below) @ x)])
        return -log_likelihood.sum() + (ridge[1:] @ weights) / 2, ridge - gradient

    at = np.concatenate([[1.0, np.median(np.where(np.isfinite(high), high, low))], np.zeros(x.shape[1] - 1)])
    bounds = [(1 / WIDEST, 1 / NARROWEST), *[(None, None)] * x.shape[1]]
    found = minimize(loss, at, jac=True, method="L-BFGS-B", bounds=bounds).x
    weights = found[1:] / found[0]
    return Line(intercept=weights[0], weights=tuple(weights[1:].tolist())), float(1 / found[0])


def _fit_lost(x: Array, lost: Array) -> Line:
    """Return ridge regression; the intercept is not held back."""
    centre = x.mean(axis=0)
    centred = x - centre
    weights = np.linalg.solve(centred.T @ centred + RIDGE * np.eye(x.shape[1]), centred.T @ lost)
    return Line(intercept=float(lost.mean() - centre @ weights), weights=tuple(weights.tolist()))


def _column(values: pl.Series) -> Column:
    numbers = values.to_numpy()
    deviation = float(numbers.std()) or 1.0
    return Column(
        name=values.name,
        mean=float(numbers.mean()),
        deviation=deviation,
        low=float(numbers.min()),
        high=float(numbers.max()),
    )


def _design(rows: pl.DataFrame, columns: tuple[Column, ...], relations: tuple[str, ...]) -> Array:
    parts = [(rows[one.name].to_numpy() - one.mean) / one.deviation for one in columns]
    parts += [(rows["relation"] == name).to_numpy().astype(np.float64) for name in relations]
    return np.column_stack(parts) if parts else np.zeros((rows.height, 0))


def outside(fit: Fit, rows: pl.DataFrame) -> list[list[str]]:
    """Return for each row the features that lie outside what was fitted by more than a tenth of its range."""
    found: list[list[str]] = [[] for _ in range(rows.height)]
    for one in fit.columns:
        slack = SLACK * (one.high - one.low)
        for place, value in enumerate(rows[one.name]):
            if value is not None and not one.low - slack <= value <= one.high + slack:
                found[place].append(f"{one.name} is {value:.3g}, it was {one.low:.3g} to {one.high:.3g}")
    for place, relation in enumerate(rows["relation"] if fit.relations else []):
        if relation not in fit.relations:
            found[place].append(f"relation {relation} was not among {', '.join(fit.relations)}")
    return found


def with_intervals(fit: Fit, predicted: pl.DataFrame) -> Fit:
    """Return the fit with 90% prediction intervals from what was predicted out of fold.

    A fact still right at the last step asks of an interval only that it reach that step. Utility is lost by
    runs, so one seed alone gives it no interval.
    """
    if predicted.is_empty():
        return fit
    missed = np.log2(predicted["time"].to_numpy()) - predicted["predicted_steps"].to_numpy()
    below = np.where(predicted["forgotten"], -missed, -np.inf)
    steps = _widened(fit.steps, below, missed, predicted["person"])
    judged = predicted.drop_nulls(["utility_lost", "predicted_lost"])
    if fit.lost is None or judged["held_out"].n_unique() < 2:
        return fit.model_copy(update={"steps": steps})
    over = (judged["utility_lost"] - judged["predicted_lost"]).to_numpy()
    return fit.model_copy(update={"steps": steps, "lost": _widened(fit.lost, -over, over, judged["person"])})


def _widened(line: Line, below: Array, above: Array, people: pl.Series) -> Line:
    ends = [max(person_quantile(side, people, (1 + COVERAGE) / 2), 0.0) for side in (below, above)]
    return line.model_copy(update={"below": ends[0], "above": ends[1]})


def person_quantile(scores: Array, people: pl.Series, level: float) -> float:
    """Return what a new person's score exceeds with a chance of at most 1 − level; every person counts alike.

    Conformal prediction for grouped data, pooling the groups' distributions (Dunn, Wasserman and Ramdas
    2023, section 4); the largest score where people are too few.
    """
    numbers, places, sizes = np.unique(people.to_numpy(), return_inverse=True, return_counts=True)
    order = np.argsort(scores, kind="stable")
    reached = np.cumsum((1 / (len(numbers) * sizes[places]))[order])
    wanted = min(level * (1 + 1 / len(numbers)), 1.0)
    at = min(int(np.searchsorted(reached, wanted - 1e-9)), len(scores) - 1)
    return float(scores[order][at])
