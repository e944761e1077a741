"""Simulated facts whose difficulty is a known sum of their factors' effects, a person's own and noise."""

from dataclasses import dataclass, field

import numpy as np
import polars as pl

from unequal.analysis.observations import MIXED, Observations
from unequal.analysis.outcomes import EQUAL_STEPS
from unequal.analysis.stats.bootstrap import make_resampler
from unequal.corpus.factors import FACTORS, FactorSettings

EXPOSURES = (56, 112, 224, 448)
MODELS = (
    ("gpt2", "0.4M", 400_000), ("gpt2", "0.6M", 600_000),
    ("llama", "0.4M", 400_000), ("llama", "0.6M", 600_000),
)  # fmt: skip
RELATIONS = ("birth_city", "university")


@dataclass(frozen=True)
class FactorsTruth:
    """Changes of the forgotten share from each factor's low level to its high one, and what scatters."""

    effects: dict[str, float] = field(default_factory=dict)  # of exposure, size, family and FACTORS
    cross: tuple[str, ...] = tuple(FACTORS)
    repeats: int = 1  # people of each run of the design at each exposure
    person: float = 0.1
    noise: float = 0.15
    model: float = 0.0  # scatter of one pre-training
    pretrain_seeds: tuple[int, ...] = (0, 1)
    methods: tuple[str, ...] = ("ga", "npo")
    models: tuple[tuple[str, str, int], ...] = MODELS
    chance: float = 0.9  # to be known
    known: dict[str, float] = field(default_factory=dict)  # changes of that chance
    start: dict[str, float] = field(default_factory=dict)  # changes of the starting log-probability
    of_start: float = 0.0  # forgotten share per nat of starting log-probability

    @property
    def variance(self) -> float:
        """Variance of the mean over methods among facts of one relation and seed; of known facts of all."""
        from_factors = sum(effect**2 * self.spread(name) for name, effect in self.effects.items())
        return from_factors + self.person**2 + self.noise**2 / len(self.methods)

    def spread(self, name: str) -> float:
        """Return the variance of a factor's column: of two levels, or of evenly spaced ones."""
        n = len(EXPOSURES) if name == "exposure" else 2
        return float(np.var(np.linspace(0, 1, n)))

    def share(self, name: str) -> float:
        """Return the share of the variance that a factor explains."""
        return self.effects.get(name, 0.0) ** 2 * self.spread(name) / self.variance


@dataclass(frozen=True)
class Simulated:
    """What the analysis of factors is given."""

    outcomes: pl.DataFrame
    observations: Observations
    factors: pl.DataFrame

    def resampler(self, seed: int = 0, draws: int = 200):
        """Return a resampler over the people and seeds."""
        scores = self.observations.scores
        return make_resampler(scores["person"].to_list(), scores["seed_cluster"].to_list(), seed, draws)


def simulate_factors(truth: FactorsTruth = FactorsTruth(), seed: int = 0) -> Simulated:
    """Return facts of people who run through the design at each exposure, other people for each corpus."""
    rng = np.random.default_rng(seed)
    people = [_people(truth, rng, pretrain_seed) for pretrain_seed in truth.pretrain_seeds]
    outcomes, scores, runs = [], [], []
    for pretrain_seed, facts in zip(truth.pretrain_seeds, people, strict=True):
        for family, size, n_params in truth.models:
            base = f"{family} {size} #{pretrain_seed}"
            of_model = _of_model(truth, family, size) + rng.normal(0, truth.model)
            known = rng.random(facts.height) < facts["chance"].to_numpy()
            for method in truth.methods:
                run = {
                    "run_id": f"{base} {method}", "base": base, "model": f"{family} {size}", "method": method,
                    "plain": True, "target_kind": MIXED, "target": "mixed",
                    "seed_cluster": f"{pretrain_seed}/0",
                }  # fmt: skip
                described = facts.with_columns(pl.lit(value).alias(name) for name, value in run.items())
                value = facts["middle"].to_numpy() + of_model + rng.normal(0, truth.noise, facts.height)
                rows = described.with_columns(
                    pl.Series("forgotten", value), pl.Series("known", known), comparison=pl.lit(EQUAL_STEPS)
                )
                outcomes.append(rows.filter("known"))
                scores.append(_scores(rows))
                runs.append(
                    {**run, "pretrain_seed": pretrain_seed, "wording": "rerendered", "family": family,
                     "size": size, "n_params": n_params}
                )  # fmt: skip
    table = pl.concat(people).with_columns(wording=pl.lit("rerendered"))
    observations = Observations(pl.concat(scores), pl.DataFrame(runs), pl.DataFrame(), pl.DataFrame())
    kept = table.select("pretrain_seed", "wording", "fact_id", *truth.cross)
    return Simulated(pl.concat(outcomes).drop("pretrain_seed", *truth.cross), observations, kept)


def _people(truth: FactorsTruth, rng: np.random.Generator, pretrain_seed: int) -> pl.DataFrame:
    runs = FactorSettings(cross=truth.cross).runs() * truth.repeats
    places = [(exposure, run) for exposure in EXPOSURES for run in runs]
    high = {name: np.array([run[name] == FACTORS[name].high for _, run in places]) for name in truth.cross}
    exposure = np.array([exposure for exposure, _ in places])
    high["exposure"] = np.log2(exposure / EXPOSURES[0]) / np.log2(EXPOSURES[-1] / EXPOSURES[0])
    own = rng.normal(0, truth.person, len(places))
    parts = []
    for relation in RELATIONS:
        start = -0.5 + _sum(truth.start, high) + rng.normal(0, 0.2, len(places))
        parts.append(
            pl.DataFrame(
                {
                    "fact_id": [f"p{n}:{relation}" for n in range(len(places))],
                    "person": [f"Person {pretrain_seed}-{n}" for n in range(len(places))],
                    "relation": relation,
                    "exposure": exposure,
                    "log2_exposure": np.log2(exposure),
                    "start_log_prob": start,
                    "middle": 0.5 + _sum(truth.effects, high) + own + truth.of_start * start,
                    "chance": np.clip(truth.chance + _sum(truth.known, high), 0, 1),
                    **{name: [run[name] for _, run in places] for name in truth.cross},
                }
            )
        )
    return pl.concat(parts).with_columns(pretrain_seed=pl.lit(pretrain_seed, pl.Int64))


def _sum(effects: dict[str, float], high: dict[str, np.ndarray]) -> np.ndarray:
    """Return the effects added up, each about its mean."""
    zero = np.zeros(len(high["exposure"]))
    return sum((effects[name] * (high[name] - high[name].mean()) for name in effects if name in high), zero)


def _of_model(truth: FactorsTruth, family: str, size: str) -> float:
    families = sorted({family for family, _, _ in truth.models})
    sizes = [name for _, name, _ in sorted(truth.models, key=lambda one: one[2])]
    found = 0.0
    if "family" in truth.effects:
        found += truth.effects["family"] * (families.index(family) > 0)
    if "size" in truth.effects:
        found += truth.effects["size"] * (size == sizes[-1])
    return found


def _scores(rows: pl.DataFrame) -> pl.DataFrame:
    columns = ["run_id", "base", "model", "method", "plain", "target_kind", "target", "seed_cluster"]
    columns += ["fact_id", "person", "relation", "exposure"]
    return rows.select(
        *columns, role=pl.lit("forget"), probe=pl.lit("question"), metric=pl.lit("said"),
        step=pl.lit(0), value=pl.col("known").cast(pl.Float64),
    )  # fmt: skip
