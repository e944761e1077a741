"""Odds and hazard ratios per doubling of exposure, by statsmodels (fractional logit, Cox regression)."""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl
import statsmodels.api as sm
from scipy import stats

from unequal.analysis.effects.dose_response import NOTHING, START
from unequal.analysis.observations import MIXED
from unequal.analysis.outcomes import EQUAL_STEPS
from unequal.analysis.stats.bootstrap import LEVEL, Array
from unequal.analysis.stats.estimates import Schema

COVARIATES = {NOTHING: ["log2_exposure"], START: ["log2_exposure", "start_log_prob"]}
MIN_PEOPLE = 10
LABELS = ("model", "method", "comparison", "adjusted_for")
Fit = Callable[[pl.DataFrame, Array, np.ndarray], Any]
UNFITTED = (np.linalg.LinAlgError, ValueError, sm.tools.sm_exceptions.PerfectSeparationError)


def logistic_dose(outcomes: pl.DataFrame) -> pl.DataFrame:
    """Return the odds ratio of being forgotten per doubling of exposure, per method; below 1 is harder to
    unlearn.

    Fractional logit (Papke and Wooldridge 1996) of the forgotten share at equal steps on log2(exposure) and
    base-model dummies, with and without the starting log-probability; the sandwich covariance is clustered
    by person.
    """
    chosen = pl.col("target_kind") == MIXED
    facts = outcomes.filter(chosen & (pl.col("comparison") == EQUAL_STEPS))
    return _ratios(facts, "odds_ratio", _logit)


def hazard_ratios(times: pl.DataFrame, forget: pl.DataFrame) -> pl.DataFrame:
    """Return the hazard ratio of forgetting per doubling of exposure, per model and method; below 1 is harder
    to unlearn. Of runs that mix levels.

    ``times`` comes from `steps_to_forget`, ``forget`` holds the rows it was made of. Cox (1972) with a
    baseline for each run, Efron's (1977) ties, and the sandwich covariance clustered by person. Only some
    steps are evaluated, so many facts share a time, which pulls the ratio towards 1; only the order of
    steps counts, not their length.
    """
    doses = forget.select("run_id", "fact_id", "log2_exposure", "start_log_prob").unique()
    times = times.join(doses, on=["run_id", "fact_id"], how="left", maintain_order="left")
    facts = times.filter(pl.col("target_kind") == MIXED)
    return (
        _ratios(facts, "hazard_ratio", _cox).drop("comparison").sort("model", "method", maintain_order=True)
    )


def _ratios(facts: pl.DataFrame, name: str, fit: Fit) -> pl.DataFrame:
    """Return per model, method and adjustment the ratio of the dose, the first column of the regression."""
    schema: Schema = dict.fromkeys(LABELS, pl.String) | dict.fromkeys((name, "low", "high", "p"), pl.Float64)
    schema |= {"n_facts": pl.Int64, "n_people": pl.Int64, "reason": pl.String}
    rows = []
    for (model, method), part in facts.group_by("model", "method", maintain_order=True):
        for adjusted_for, covariates in COVARIATES.items():
            labels = dict(zip(LABELS, (model, method, EQUAL_STEPS, adjusted_for), strict=True))
            rows.append(
                {**labels, **_row(part.drop_nulls(["forgotten", *covariates]), covariates, name, fit)}
            )
    return pl.DataFrame(rows, schema=schema, orient="row")


def _row(facts: pl.DataFrame, covariates: list[str], name: str, fit: Fit) -> dict[str, object]:
    sizes = {"n_facts": facts["fact_id"].n_unique(), "n_people": facts["person"].n_unique()}
    if sizes["n_people"] < MIN_PEOPLE or facts["log2_exposure"].n_unique() < 2:
        return {**sizes, "reason": f"needs {MIN_PEOPLE} people and two levels with facts known before"}
    values = facts.select(covariates).to_numpy().astype(np.float64)
    groups = facts["person"].rank("dense").to_numpy().astype(np.int64)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            fitted = fit(facts, values - values.mean(axis=0), groups)
        slope, error = float(fitted.params[0]), float(fitted.bse[0])
    except UNFITTED as problem:
        return {**sizes, "reason": f"the regression did not fit: {problem}"}
    if not np.isfinite([slope, error]).all() or abs(slope) > 20 or error <= 0:
        return {**sizes, "reason": "the regression did not converge to a finite ratio"}
    half = float(stats.norm.ppf((1 + LEVEL) / 2)) * error
    ends = {"low": np.exp(slope - half), "high": np.exp(slope + half)}
    return {**sizes, name: np.exp(slope), **ends, "p": 2 * float(stats.norm.sf(abs(slope) / error))}


def _logit(facts: pl.DataFrame, values: Array, groups: np.ndarray) -> Any:
    if facts["forgotten"].n_unique() < 2:
        raise ValueError("every fact was forgotten equally, there is nothing to explain")
    bases = facts["base"].unique().sort().to_list()
    dummies = [(facts["base"] == base).to_numpy().astype(float) for base in bases]
    design = np.column_stack([values, *dummies])
    model = sm.GLM(facts["forgotten"].to_numpy(), design, family=sm.families.Binomial())
    return model.fit(cov_type="cluster", cov_kwds={"groups": groups})


def _cox(facts: pl.DataFrame, values: Array, groups: np.ndarray) -> Any:
    if not facts["forgotten"].any():
        raise ValueError("no fact was forgotten for good")
    model = sm.PHReg(
        facts["time"].to_numpy().astype(np.float64),
        values,
        status=facts["forgotten"].cast(pl.Int64).to_numpy(),
        strata=facts["run_id"].rank("dense").to_numpy(),
        ties="efron",
    )
    return model.fit(groups=groups)
