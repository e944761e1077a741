"""Simulated outcomes whose truth is known: one number a run and fact, linear in its dose and confounders."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from unequal.analysis.stats.bootstrap import make_resampler


@dataclass(frozen=True)
class OutcomesTruth:
    slope: float = -0.08  # forgotten share per unit of the dose
    levels: tuple[float, ...] = (5.0, 6.0, 7.0, 8.0)  # log2(exposure), or log10(1 + count)
    people: int = 48
    seeds: tuple[int, ...] = (0,)
    methods: tuple[str, ...] = ("ga",)
    person_spread: float = 0.1
    noise: float = 0.15
    tokens_slope: float = 0.0  # forgotten share per answer token; tokens grow with the dose
    tokens_with_dose: float = 0.0
    start_with_dose: float = 0.0
    start_bend: float = 0.0  # forgotten share per square of the starting log-probability
    model: str = "gpt2 2m"


def simulate_outcomes(truth: OutcomesTruth = OutcomesTruth(), seed: int = 0) -> pl.DataFrame:
    """Return one row per run and fact; a person has two facts, of two relations."""
    rng = np.random.default_rng(seed)
    noise = np.random.default_rng([seed, *truth.model.encode()])  # models see the same people
    n = 2 * truth.people
    person = np.repeat(np.arange(truth.people), 2)
    dose = np.resize(truth.levels, truth.people)[person]
    centred = dose - np.mean(truth.levels)
    tokens = np.round(3 + truth.tokens_with_dose * centred + rng.normal(0, 1, n), 1)
    start = -1 + truth.start_with_dose * centred + rng.normal(0, 0.5, n)
    own = rng.normal(0, truth.person_spread, truth.people)[person]
    forgotten = 0.5 + truth.slope * centred + truth.tokens_slope * tokens + own + truth.start_bend * start**2
    facts = pl.DataFrame(
        {
            "fact_id": [f"f{k}" for k in range(n)],
            "person": [f"p{k}" for k in person],
            "relation": ["city", "job"] * truth.people,
            "exposure": np.round(2**dose).astype(int),
            "log2_exposure": dose,
            "count": np.round(10**dose - 1).astype(int),
            "start_log_prob": start,
            "answer_tokens": tokens,
            "object_rarity": rng.integers(0, 3, n).astype(float),
        }
    )
    parts = []
    for method in truth.methods:
        for one in truth.seeds:
            labels = {
                "model": truth.model, "base": f"{truth.model} #0", "method": method, "plain": True,
                "target_kind": "mixed levels", "target": "mixed", "seed_cluster": f"0/{one}",
                "run_id": f"{truth.model} {method} {one}", "comparison": "equal steps",
            }  # fmt: skip
            columns = [pl.lit(value).alias(name) for name, value in labels.items()]
            value = forgotten + noise.normal(0, truth.noise, n)
            parts.append(facts.with_columns(*columns, forgotten=value))
    return pl.concat(parts)


def resampler_for(outcomes: pl.DataFrame, seed: int = 0, draws: int = 200):
    """Return a resampler over the people and seeds of some rows."""
    return make_resampler(outcomes["person"].to_list(), outcomes["seed_cluster"].to_list(), seed, draws)
