"""A simulated study whose difficulty is known: log2(steps to forget) is linear in features, plus noise."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from unequal.evaluation.score_table import GENERATION_SCHEMA, SCORE_SCHEMA
from unequal.files import write_table

STEPS = np.array([0, 1, 2, 5, 10, 20, 50, 100])
UTILITY_FACTS = 40


@dataclass(frozen=True)
class Difficulty:
    """By how many doublings of steps each feature moves the median, and how far facts scatter."""

    middle: float = 3.5
    count: float = 0.5  # per doubling
    confidence: float = 0.0  # per nat per token, beyond the count
    confidence_of_count: float = 0.0  # nats per doubling: the count makes confidence
    words: float = 0.0  # per doubling
    noise: float = 0.5  # scale of the logistic
    person: float = 0.3
    seed: float = 0.2
    people: int = 60
    facts_per_person: int = 2
    seeds: tuple[int, ...] = (0, 1, 2)
    pretrain_seeds: tuple[int, ...] = (0,)
    loss: tuple[tuple[str, float], ...] = (("ga", 0.06), ("npo", 0.03))  # utility lost per log2(1 + step)
    counted: bool = True
    known_share: float = 0.9


def facts_of(truth: Difficulty, rng: np.random.Generator) -> pl.DataFrame:
    """Return facts with their features and the median of log2(steps to forget)."""
    person = np.repeat(np.arange(truth.people), truth.facts_per_person)
    n_facts = len(person)
    log2_count = rng.uniform(2, 8, truth.people)[person]
    exposure = np.round(2**log2_count - 1).astype(int)
    log2_count = np.log2(1 + exposure)
    noise = rng.normal(0, 0.3, n_facts)
    log_prob = np.minimum(-1.5 + truth.confidence_of_count * (log2_count - 5) + noise, -0.01)
    words = rng.integers(1, 5, n_facts)
    middle = truth.middle + truth.count * (log2_count - 5) + truth.confidence * (log_prob + 1.5)
    middle = middle + truth.words * (np.log2(words) - 1) + rng.normal(0, truth.person, truth.people)[person]
    return pl.DataFrame(
        {
            "subject": [f"Person {one}" for one in person],
            "fact_id": [f"f{one}" for one in range(n_facts)],
            "exposure": exposure if truth.counted else [None] * n_facts,
            "log_prob": log_prob,
            "answer": [" ".join([f"w{one}"] * n) for one, n in enumerate(words)],
            "middle": middle,
            "known": rng.random(n_facts) < truth.known_share,
        }
    )


def simulate_difficulty(truth: Difficulty, seed: int = 0) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the score table and ``run_id, fact_id, answer``."""
    rng = np.random.default_rng(seed)
    facts = facts_of(truth, rng)
    parts, answers = [], []
    for pretrain_seed in truth.pretrain_seeds:
        for method, loss in truth.loss:
            for one in truth.seeds:
                run_id = f"{method}-{pretrain_seed}-{one}"
                parts.append(_run(truth, rng, facts, run_id, method, pretrain_seed, one, loss))
                answers.append(facts.select(pl.lit(run_id).alias("run_id"), "fact_id", "answer"))
    return pl.concat(parts), pl.concat(answers)


def _run(truth, rng, facts, run_id, method, pretrain_seed, seed, loss):
    log2_steps = (
        facts["middle"].to_numpy() + rng.normal(0, truth.seed) + rng.logistic(0, truth.noise, len(facts))
    )
    right = (STEPS[:, None] < 2**log2_steps) & facts["known"].to_numpy()
    prob = np.where(right, np.exp(facts["log_prob"].to_numpy()), 0.01)
    lasts = rng.random(UTILITY_FACTS)
    kept = (lasts >= loss * np.log2(1 + STEPS)[:, None]).astype(float)
    cells = []
    for place, step in enumerate(STEPS):
        own = facts.select("fact_id", "subject", "exposure", role=pl.lit("forget"))
        for metric, values in (("exact_match", right[place].astype(float)), ("answer_prob", prob[place])):
            cells.append(
                own.with_columns(step=pl.lit(int(step)), metric=pl.lit(metric), value=pl.Series(values))
            )
        names = [f"Keeper {n}" for n in range(UTILITY_FACTS)]
        keepers = pl.DataFrame({"fact_id": names, "subject": names}).with_columns(
            exposure=pl.lit(9), role=pl.lit("utility"), step=pl.lit(int(step)), metric=pl.lit("exact_match"),
            value=pl.Series(kept[place]),
        )  # fmt: skip
        cells.append(keepers.select(cells[-1].columns))
    table = pl.concat(cells, how="vertical_relaxed").with_columns(
        study=pl.lit("simulated"), run_id=pl.lit(run_id), family=pl.lit("gpt2"), size=pl.lit("tiny"),
        n_params=pl.lit(100_000), wording=pl.lit("rerendered"), pretrain_seed=pl.lit(pretrain_seed),
        method=pl.lit(method), weighting=pl.lit("uniform"), target=pl.lit("mixed"), seed=pl.lit(seed),
        relation=pl.lit("birth_city"), count=pl.lit(None), probe=pl.lit("question"), reason=pl.lit(None),
        kind=pl.lit("any"),
    )  # fmt: skip
    return table.select(pl.col(name).cast(kind) for name, kind in SCORE_SCHEMA.items())


def write_difficulty(folder, truth: Difficulty, seed: int = 0):
    """Write the study folder and return it."""
    scores, answers = simulate_difficulty(truth, seed)
    write_table(scores, folder / "scores.parquet")
    texts = answers.with_columns(
        step=pl.lit(0), probe=pl.lit("question"), prompt=pl.lit(""), generation=pl.lit("")
    )
    write_table(
        texts.select(pl.col(n).cast(k) for n, k in GENERATION_SCHEMA.items()), folder / "generations.parquet"
    )
    return folder
