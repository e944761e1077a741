"""Simulated forgetting, step by step, whose limits are known: what a study of endless people would find."""

from dataclasses import dataclass

import numpy as np
import polars as pl
from scipy import stats


@dataclass(frozen=True)
class Paths:
    """A fact is wrong from some evaluated step on; the share of steps at which it is wrong has the mean
    ``middle`` + ``slope`` × doublings of exposure, plus or minus ``person_spread`` by the person."""

    middle: float = 0.5
    slope: float = -0.06
    exposures: tuple[int, ...] = (30, 120, 480)
    people_per_level: int = 20
    steps: tuple[int, ...] = (0, 1, 2, 5, 10, 20)
    person_spread: float = 0.1
    seeds: tuple[int, ...] = (0,)
    seed_spread: float = 0.0
    others: int = 80  # utility facts, and as many neighbours
    cost: float = 0.4  # of them lost at the last step, evenly by evaluated step
    model: str = "m"
    base: str = "m #0"
    method: str = "ga"
    target: str = "mixed"

    @property
    def n_after(self) -> int:
        return len(self.steps) - 1

    def wrong(self, exposure: int) -> float:
        """Return the mean share of steps ≥ 1 at which facts of a level are wrong."""
        middle = np.mean(np.log2(self.exposures))
        return float(self.middle + self.slope * (np.log2(exposure) - middle))

    def right(self, exposure: int) -> np.ndarray:
        """Return the chance that a fact of a level is right at each evaluated step."""
        places = np.arange(self.n_after + 1)
        ends = [self.wrong(exposure) + sign * self.person_spread for sign in (-1, 1)]
        return np.mean([stats.binom.cdf(self.n_after - places, self.n_after, end) for end in ends], axis=0)

    def forgotten(self) -> np.ndarray:
        """Return the share of all levels that is wrong at each evaluated step."""
        return 1 - np.mean([self.right(exposure) for exposure in self.exposures], axis=0)

    def lost(self) -> np.ndarray:
        """Return the utility lost at each evaluated step."""
        return self.cost * np.arange(self.n_after + 1) / self.n_after

    def lost_where_forgotten(self, target: float) -> float:
        """Return the utility lost where the target share is first forgotten, linear between steps."""
        at = int(np.argmax(self.forgotten() >= target))
        before, after = self.forgotten()[at - 1 : at + 1]
        weight = (target - before) / (after - before)
        return float((1 - weight) * self.lost()[at - 1] + weight * self.lost()[at])


def simulate_paths(truth: Paths = Paths(), seed: int = 0) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the forget rows and the utility rows that estimators start from."""
    people = np.random.default_rng(seed)
    n = truth.people_per_level * len(truth.exposures)
    own = people.choice([-1.0, 1.0], n) * truth.person_spread
    exposure = np.repeat(truth.exposures, truth.people_per_level)
    forget, utility = [], []
    for one in truth.seeds:
        rng = np.random.default_rng(
            [seed, one, *truth.base.encode(), *truth.method.encode(), *truth.target.encode()]
        )
        wrong = np.array([truth.wrong(level) for level in exposure]) + own + rng.normal(0, truth.seed_spread)
        last_right = truth.n_after - rng.binomial(truth.n_after, np.clip(wrong, 0, 1))
        labels = {
            "run_id": f"{truth.base} {truth.method} {truth.target} {one}", "model": truth.model,
            "base": truth.base, "method": truth.method, "plain": True, "target": truth.target,
            "seed_cluster": f"0/{one}",
            "target_kind": "mixed levels" if truth.target == "mixed" else "one level alone",
        }  # fmt: skip
        right = np.arange(truth.n_after + 1)[:, None] <= last_right
        forget.append(
            _rows(labels, truth.steps, right, "f", exposure=exposure, log2_exposure=np.log2(exposure))
        )
        for role in ("utility", "neighbour"):
            kept = rng.random(truth.others) >= truth.lost()[:, None]
            rows = _rows(labels, truth.steps, kept, role, role=np.full(truth.others, role))
            utility.append(rows.rename({"said": "value"}).with_columns(start=pl.lit(1.0)))
    return pl.concat(forget), pl.concat(utility)


def _rows(labels, steps, right, name, **facts):
    """Return one row a step and fact; ``right`` is (steps, facts)."""
    n_steps, n = right.shape
    names = {"fact_id": [f"{name}{k}" for k in range(n)], "person": [f"{name} person {k}" for k in range(n)]}
    columns = {key: np.tile(values, n_steps) for key, values in {**names, **facts}.items()}
    table = pl.DataFrame({**columns, "step": np.repeat(steps, n), "said": right.ravel().astype(np.float64)})
    missing = {"relation": "city", "known": True}
    empty = dict.fromkeys(("count", "start_log_prob", "answer_tokens", "object_rarity"))
    return table.with_columns(
        *[pl.lit(value).alias(key) for key, value in {**labels, **missing}.items()],
        *[pl.lit(value, pl.Float64).alias(key) for key, value in empty.items()],
    )
