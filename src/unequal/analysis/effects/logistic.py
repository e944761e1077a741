"""A second witness for the dose-response: a fractional logit by statsmodels with errors clustered by
person."""

import warnings

import numpy as np
import polars as pl
import statsmodels.api as sm

from unequal.analysis.outcomes import EQUAL_STEPS

SCHEMA: dict[str, type[pl.DataType]] = {
    "model": pl.String,
    "method": pl.String,
    "comparison": pl.String,
    "adjusted_for": pl.String,
    "odds_ratio": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
    "p": pl.Float64,
    "n_facts": pl.Int64,
    "n_people": pl.Int64,
    "reason": pl.String,
}
MIN_PEOPLE = 10


def logistic_dose(outcomes: pl.DataFrame) -> pl.DataFrame:
    """Return the odds ratio of being forgotten per doubling of exposure, per method; below 1 is harder to
    unlearn.

    Fractional logit (Papke and Wooldridge 1996) of the forgotten share at equal steps on log2(exposure) and
    base-model dummies, with and without the starting log-probability; the sandwich covariance is clustered
    by person.
    """
    rows = []
    chosen = outcomes.filter(
        (pl.col("comparison") == EQUAL_STEPS) & (pl.col("target_kind") == "mixed levels")
    )
    for (model, method), facts in chosen.group_by("model", "method", maintain_order=True):
        for adjusted_for in ("nothing", "starting log-probability"):
            labels = {
                "model": model,
                "method": method,
                "comparison": EQUAL_STEPS,
                "adjusted_for": adjusted_for,
            }
            rows.append({**labels, **_fit(facts, adjusted_for)})
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def _fit(facts: pl.DataFrame, adjusted_for: str) -> dict[str, object]:
    covariates = ["log2_exposure", *([] if adjusted_for == "nothing" else ["start_log_prob"])]
    facts = facts.drop_nulls(["forgotten", *covariates])
    sizes: dict[str, object] = {
        "n_facts": facts["fact_id"].n_unique(),
        "n_people": facts["person"].n_unique(),
    }
    if facts["person"].n_unique() < MIN_PEOPLE or facts["exposure"].n_unique() < 2:
        return {**sizes, "reason": f"needs {MIN_PEOPLE} people and two levels with facts known before"}
    if facts["forgotten"].n_unique() < 2:
        return {**sizes, "reason": "every fact was forgotten equally; nothing to explain"}
    design = [facts[column].to_numpy() - facts[column].mean() for column in covariates]
    bases = facts["base"].unique().sort().to_list()
    design += [(facts["base"] == base).to_numpy().astype(float) for base in bases]
    groups = facts["person"].rank("dense").to_numpy().astype(np.int64)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = sm.GLM(
                facts["forgotten"].to_numpy(), np.stack(design, axis=1), family=sm.families.Binomial()
            )
            fit = model.fit(cov_type="cluster", cov_kwds={"groups": groups})
        slope, (low, high), p = fit.params[0], fit.conf_int()[0], fit.pvalues[0]
    except (np.linalg.LinAlgError, ValueError, sm.tools.sm_exceptions.PerfectSeparationError) as error:
        return {**sizes, "reason": f"the logit did not fit: {error}"}
    if not np.isfinite([slope, low, high, p]).all() or abs(slope) > 20:
        return {**sizes, "reason": "the logit did not converge to a finite slope"}
    return {
        **sizes,
        "odds_ratio": np.exp(slope),
        "low": np.exp(low),
        "high": np.exp(high),
        "p": p,
        "reason": None,
    }
