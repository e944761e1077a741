"""A simulated study over model sizes: the hidden share above never-seen is linear in log2(parameters)."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from unequal.evaluation.score_table import SCORE_SCHEMA

CHANCE = 0.25


@dataclass(frozen=True)
class SizesTruth:
    slope: float = 0.0  # hidden share above never-seen per doubling of parameters
    middle: float = 0.35
    sizes: tuple[int, ...] = (200_000, 400_000, 800_000, 1_600_000)
    methods: tuple[str, ...] = ("ga", "npo")
    seeds: tuple[int, ...] = (0, 1)
    pretrain_seeds: tuple[int, ...] = (0,)
    people: int = 40
    never_seen: int = 40
    model_spread: float = 0.0  # of one pre-training around the line
    person_spread: float = 0.1
    steps: tuple[int, ...] = (0, 1, 2, 5, 10)
    speed: float = 0.0  # by how much later larger models forget, in evaluated steps per doubling
    start: float = 0.0  # how much more confident larger models start, per doubling
    known: tuple[float, ...] = ()  # share known before by size; all, unless given


def simulate_sizes(truth: SizesTruth = SizesTruth(), seed: int = 0) -> pl.DataFrame:
    """Return the scores of a simulated study."""
    rng = np.random.default_rng(seed)
    doublings = np.log2(truth.sizes) - np.mean(np.log2(truth.sizes))
    parts = []
    for pretrain_seed in truth.pretrain_seeds:
        effect = rng.normal(0, truth.person_spread, truth.people)
        exposure = np.repeat((30, 120), truth.people)[::2]
        for index, (n_params, x) in enumerate(zip(truth.sizes, doublings, strict=True)):
            excess = truth.middle + truth.slope * x + rng.normal(0, truth.model_spread)
            known = rng.random(truth.people) < (truth.known[index] if truth.known else 1)
            base = {"n_params": n_params, "size": f"{n_params}", "pretrain_seed": pretrain_seed}
            for method in truth.methods:
                for one_seed in truth.seeds:
                    run = {**base, "method": method, "seed": one_seed}
                    hidden = np.clip(CHANCE + excess + effect, 0, 1)
                    parts.append(_run(truth, rng, run, hidden, known, exposure, x))
    return pl.concat(parts)


def _run(truth, rng, run, hidden, known, exposure, x):
    n_after = len(truth.steps) - 1
    middle = n_after / 2 + truth.speed * x
    forgotten_from = np.clip(np.round(rng.normal(middle, 1, truth.people)), 0, n_after) + 1
    index = np.arange(n_after + 1)[:, None]  # (steps, facts)
    right = (index < forgotten_from) & known
    likely = right | ((rng.random(truth.people) < hidden) & known)
    start = np.full(truth.people, -0.6 + truth.start * x)
    forget = _facts(run, truth.steps, "forget", exposure, right, likely, start)
    wrong = np.zeros((n_after + 1, truth.never_seen), dtype=bool)
    by_chance = rng.random(truth.never_seen) < CHANCE
    nobody, low = np.zeros(truth.never_seen, dtype=int), np.full(truth.never_seen, -4.0)
    never = _facts(run, truth.steps, "never_seen", nobody, wrong, wrong | by_chance, low)
    return pl.concat([forget, never])


def _facts(run, steps, role, exposure, right, likely, start):
    n = right.shape[1]
    prob = np.where(right, 0.8, np.where(likely & (role == "forget"), 0.4, 0.05))
    log_prob = np.vstack([start, np.log(prob[1:])])
    metrics = {
        "said": ("generation", right),
        "choice_accuracy": ("probability", likely),
        "answer_prob": ("probability", prob),
        "answer_log_prob": ("probability", log_prob),
        "first_token_rank": ("probability", np.where(right, 0, np.where(likely, 3, 40))),
    }
    names = [f"{role} {run['pretrain_seed']}-{number}" for number in range(n)] * len(steps)
    facts = {"fact_id": names, "subject": names, "exposure": np.tile(exposure, len(steps))}
    labels = {
        "study": "sizes", "family": "gpt2", "wording": "rerendered", "weighting": "uniform",
        "target": "mixed", "relation": "birth_city", "count": None, "probe": "question", "reason": None,
        "role": role, **run,
        "run_id": f"{run['size']}-{run['method']}-p{run['pretrain_seed']}-s{run['seed']}",
    }  # fmt: skip
    frames = [
        pl.DataFrame(
            {**facts, "step": np.repeat(steps, n), "value": values.astype(float).ravel()}
        ).with_columns(metric=pl.lit(metric), kind=pl.lit(kind))
        for metric, (kind, values) in metrics.items()
    ]
    whole = pl.concat(frames).with_columns(pl.lit(value).alias(name) for name, value in labels.items())
    return whole.select(pl.col(name).cast(kind) for name, kind in SCORE_SCHEMA.items())
