"""The study that `benchmarks/report.py` reports on: a million simulated scores of many methods and models."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from unequal.evaluation.score_table import GENERATION_SCHEMA, SCORE_SCHEMA
from unequal.files import write_table
from unequal.unlearning.methods import METHODS

Array = NDArray[np.float64]

STEPS = (0, 1, 2, 5, 10, 20, 50, 100)
EXPOSURES = (28, 56, 112, 224, 448)
MODELS = (("gpt2", "0.4M"), ("gpt2", "0.9M"), ("llama", "0.4M"), ("llama", "0.9M"))
PARAMETERS = {"0.4M": 400_000, "0.9M": 900_000}
SLOPE = -0.04  # forgotten share per doubling of exposure
CHANCE = 0.25
GENERATION, PROBABILITY = "generation", "probability"


@dataclass(frozen=True)
class Size:
    """How large the study is; the default has a little over a million rows of 96 runs."""

    methods: int = 12
    seeds: int = 2
    people_per_level: int = 24
    others: int = 40


def write_study(folder: Path, size: Size) -> tuple[int, int]:
    """Write the scores and texts of a study into the folder; return how many rows and runs there are."""
    facts = _facts(size)
    methods = list(METHODS)[: size.methods]
    scores, texts = [], []
    runs = list(product(MODELS, methods, range(size.seeds)))
    for number, ((family, name), method, seed) in enumerate(runs):
        rng = np.random.default_rng(number)
        run = {
            "study": "large", "run_id": f"{family}-{name}-{method}-s{seed}", "family": family, "size": name,
            "n_params": PARAMETERS[name], "wording": "rerendered", "pretrain_seed": 0, "method": method,
            "weighting": "uniform", "target": "mixed", "seed": seed, "count": None, "reason": None,
        }  # fmt: skip
        last = _last_right(facts, rng, speed=0.35 + 0.4 * methods.index(method) / len(methods))
        labels = [pl.lit(value).alias(column) for column, value in run.items()]
        scores += [part.with_columns(labels) for part in _scores(facts, last, rng)]
        texts.append(_texts(facts, last).with_columns(pl.lit(run["run_id"]).alias("run_id")))
    table = _typed(pl.concat(scores), SCORE_SCHEMA)
    write_table(table, folder / "scores.parquet")
    write_table(_typed(pl.concat(texts), GENERATION_SCHEMA), folder / "generations.parquet")
    return table.height, len(runs)


def _facts(size: Size) -> pl.DataFrame:
    forget = [(f"Person {n}", level) for n, level in enumerate(np.repeat(EXPOSURES, size.people_per_level))]
    every = max(1, len(forget) // size.others)
    people = {
        "forget": forget,
        "never_seen": [(f"Nobody {n}", 0) for n in range(size.others)],
        "utility": [(f"Keeper {n}", 112) for n in range(size.others)],
        "neighbour": forget[::every],
    }
    rows = [(name, role, int(level)) for role, named in people.items() for name, level in named]
    table = pl.DataFrame(rows, schema=["subject", "role", "exposure"], orient="row")
    relation = pl.when(pl.col("role") == "neighbour").then(pl.lit("employer")).otherwise(pl.lit("birth_city"))
    named = table.with_columns(relation.alias("relation"))
    return named.with_columns(pl.format("{}/{}", "subject", "relation").alias("fact_id"))


def _last_right(facts: pl.DataFrame, rng: np.random.Generator, speed: float) -> Array:
    """Return the last evaluated place at which each fact is right; −1 is never."""
    n, after = facts.height, len(STEPS) - 1
    doublings = np.log2(np.maximum(facts["exposure"].to_numpy(), 1)) - np.mean(np.log2(EXPOSURES))
    lost = rng.binomial(after, np.clip(speed + SLOPE * doublings + rng.normal(0, 0.08, n), 0, 1))
    keeps = facts["role"].is_in(["utility", "neighbour"]).to_numpy()
    last = np.where(keeps & (rng.random(n) < 1 - 0.5 * speed), after, after - lost)
    unknown = (facts["role"] == "never_seen").to_numpy() | (rng.random(n) < 0.05)
    return np.where(unknown, -1, last).astype(np.float64)


def _scores(facts: pl.DataFrame, last: Array, rng: np.random.Generator) -> Iterator[pl.DataFrame]:
    n = facts.height
    hidden, chance, start = rng.random(n) < 0.5, rng.random(n) < CHANCE, rng.normal(-0.4, 0.1, n)
    asked = facts["role"].is_in(["forget", "never_seen"]).to_numpy()
    for place, step in enumerate(STEPS):
        right = place <= last
        choice = right | (hidden & (last >= 0)) | chance
        prob = np.clip(np.where(right, 0.8, np.where(choice, 0.3, 0.05)) + rng.normal(0, 0.05, n), 0.001, 1)
        log_prob = start if step == 0 else np.log(prob)
        statement = (place <= last + 1) & (last >= 0) | chance
        everyone, some = np.ones(n, dtype=bool), asked
        for probe, metric, kind, values, of in (
            ("question", "said", GENERATION, right, everyone),
            ("question", "answer_prob", PROBABILITY, prob, everyone),
            ("question", "rouge_l_recall", GENERATION, right, some),
            ("question", "choice_accuracy", PROBABILITY, choice, some),
            ("question", "choice_prob", PROBABILITY, np.sqrt(prob), some),
            ("question", "answer_log_prob", PROBABILITY, log_prob, some),
            ("question", "first_token_rank", PROBABILITY, np.where(right, 0, np.where(choice, 4, 60)), some),
            ("cloze", "choice_accuracy", PROBABILITY, statement, some),
            ("cloze", "answer_prob", PROBABILITY, np.clip(prob + 0.1 * statement, 0, 1), some),
            ("paraphrase", "said", GENERATION, right, some),
        ):
            labels = {"step": step, "probe": probe, "metric": metric, "kind": kind}
            rows = facts.filter(of).with_columns(pl.Series("value", values[of].astype(np.float64)))
            yield rows.with_columns(pl.lit(value).alias(name) for name, value in labels.items())


def _texts(facts: pl.DataFrame, last: Array) -> pl.DataFrame:
    forget = facts.with_columns(pl.Series("last", last)).filter(pl.col("role") == "forget")
    rows = forget.join(pl.DataFrame({"place": range(len(STEPS)), "step": STEPS}), how="cross")
    right = pl.col("place") <= pl.col("last")
    wrong = pl.format("{} lives elsewhere, as far as is known after {} steps", "subject", "step")
    return rows.with_columns(
        pl.lit("question").alias("probe"),
        pl.format("Where was {} born?", "subject").alias("prompt"),
        pl.lit("Springfield").alias("answer"),
        pl.when(right).then(pl.lit("Springfield")).otherwise(wrong).alias("generation"),
    )


def _typed(table: pl.DataFrame, schema: dict[str, type[pl.DataType]]) -> pl.DataFrame:
    return table.select(pl.col(name).cast(kind) for name, kind in schema.items())
