"""Cox regression: how much slower facts are forgotten for every doubling of exposure, step for step."""

import warnings

import numpy as np
import polars as pl
import statsmodels.api as sm
from scipy import stats

from unequal.analysis.effects.dose_response import NOTHING, START
from unequal.analysis.observations import MIXED
from unequal.analysis.stats.bootstrap import LEVEL

SCHEMA: dict[str, type[pl.DataType]] = {
    "model": pl.String,
    "method": pl.String,
    "adjusted_for": pl.String,
    "hazard_ratio": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
    "p": pl.Float64,
    "n_facts": pl.Int64,
    "n_people": pl.Int64,
    "reason": pl.String,
}
COVARIATES = {NOTHING: ["log2_exposure"], START: ["log2_exposure", "start_log_prob"]}
MIN_PEOPLE = 10


def hazard_ratios(times: pl.DataFrame, forget: pl.DataFrame) -> pl.DataFrame:
    """Return the hazard ratio of forgetting per doubling of exposure, per model and method; below 1 is harder
    to unlearn. Of runs that mix levels.

    ``times`` is that of `steps_to_forget`, ``forget`` the rows it was made of. Cox (1972) with a baseline of
    its own for every run, Efron's (1977) ties, and the sandwich covariance clustered by person. Steps are
    evaluated here and there only, so many facts share a time, which pulls the ratio towards 1; order is all
    that counts, not the length of a step.
    """
    doses = forget.select("run_id", "fact_id", "log2_exposure", "start_log_prob").unique()
    times = times.join(doses, on=["run_id", "fact_id"], how="left", maintain_order="left")
    rows: list[dict[str, object]] = []
    keys = ["model", "method"]
    mixed = times.filter(pl.col("target_kind") == MIXED)
    for labels, facts in mixed.group_by(keys, maintain_order=True):
        for adjusted_for, covariates in COVARIATES.items():
            names = dict(zip(keys, labels, strict=True))
            rows.append({**names, "adjusted_for": adjusted_for, **_fit(facts, covariates)})
    return pl.DataFrame(rows, schema=SCHEMA, orient="row").sort(*keys, maintain_order=True)


def _fit(facts: pl.DataFrame, covariates: list[str]) -> dict[str, object]:
    facts = facts.drop_nulls(covariates)
    sizes: dict[str, object] = {
        "n_facts": facts["fact_id"].n_unique(),
        "n_people": facts["person"].n_unique(),
    }
    if facts["person"].n_unique() < MIN_PEOPLE or facts["log2_exposure"].n_unique() < 2:
        return {**sizes, "reason": f"needs {MIN_PEOPLE} people and two levels with facts known before"}
    if not facts["forgotten"].any():
        return {**sizes, "reason": "no fact was forgotten for good"}
    values = facts.select(covariates).to_numpy().astype(np.float64)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = sm.PHReg(
                facts["time"].to_numpy().astype(np.float64),
                values - values.mean(axis=0),
                status=facts["forgotten"].cast(pl.Int64).to_numpy(),
                strata=facts["run_id"].rank("dense").to_numpy(),
                ties="efron",
            )
            groups = facts["person"].rank("dense").to_numpy().astype(np.int64)
            fit = model.fit(groups=groups)
        slope, error = float(fit.params[0]), float(fit.bse[0])
    except (np.linalg.LinAlgError, ValueError) as problem:
        return {**sizes, "reason": f"the regression did not fit: {problem}"}
    if not np.isfinite([slope, error]).all() or abs(slope) > 20 or error <= 0:
        return {**sizes, "reason": "the regression did not converge to a finite ratio"}
    half = float(stats.norm.ppf((1 + LEVEL) / 2)) * error
    ends = {"low": np.exp(slope - half), "high": np.exp(slope + half)}
    p = 2 * float(stats.norm.sf(abs(slope) / error))
    return {**sizes, "hazard_ratio": np.exp(slope), **ends, "p": p, "reason": None}
