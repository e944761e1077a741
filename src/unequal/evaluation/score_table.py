"""The score table: one row per run, step, fact, probe and metric; all that analysis and report read."""

from collections.abc import Iterable
from pathlib import Path

import polars as pl

from unequal.facts.schema import Fact, whole_number
from unequal.records import read_table, refuse_rows, with_types

SCORE_SCHEMA: dict[str, type[pl.DataType]] = {
    "study": pl.String,
    "run_id": pl.String,  # one unlearning run
    "family": pl.String,
    "size": pl.String,
    "n_params": pl.Int64,
    "wording": pl.String,  # the arm: rerendered, verbatim or epochs
    "pretrain_seed": pl.Int64,
    "method": pl.String,
    "weighting": pl.String,
    "target": pl.String,  # "mixed", or "level-16" for one exposure level alone
    "seed": pl.Int64,  # of unlearning
    "step": pl.Int64,  # optimiser steps of unlearning; 0 is the starting model
    "fact_id": pl.String,
    "subject": pl.String,
    "relation": pl.String,
    "role": pl.String,  # forget, retain, neighbour, utility or never_seen
    "exposure": pl.Int64,  # times the whole pre-training showed the fact
    "count": pl.Int64,  # occurrences in a natural corpus, null in a controlled study
    "probe": pl.String,  # question, paraphrase, cloze, reverse or true_false
    "metric": pl.String,
    "kind": pl.String,  # generation, probability, robustness or privacy
    "value": pl.Float64,
    "reason": pl.String,  # why a value is missing; null when it is there
}

# Columns that a table may have beside these: what a run started from, base or instruct, and the precision of
# its master weights, fp32 or bf16.
OPTIONAL_SCORES = ("start", "precision")

# A column that a table of counted facts may have: the number of the fact's bucket, 0 being the rarest.
BUCKET = "bucket"

GENERATION_SCHEMA: dict[str, type[pl.DataType]] = {
    "run_id": pl.String,
    "step": pl.Int64,
    "fact_id": pl.String,
    "probe": pl.String,
    "prompt": pl.String,
    "answer": pl.String,
    "generation": pl.String,
}

SCORE_KEY = ("run_id", "step", "fact_id", "role", "probe", "metric")
NEVER_MISSING = ("run_id", "method", "step", "fact_id", "probe", "metric")
NEVER_NEGATIVE = ("n_params", "step", "exposure", "count", BUCKET)


def with_buckets(scores: pl.DataFrame, facts: Iterable[Fact]) -> pl.DataFrame:
    """Return the scores with the column of buckets, if any of the facts has a count and a bucket."""
    numbers = {fact.fact_id: whole_number(fact, BUCKET) for fact in facts if fact.count is not None}
    found = {fact_id: number for fact_id, number in numbers.items() if number is not None}
    if not found:
        return scores
    table = pl.DataFrame({"fact_id": list(found), BUCKET: list(found.values())})
    return scores.join(table, on="fact_id", how="left", maintain_order="left")


def read_scores(path: Path) -> pl.DataFrame:
    """Return a score table; raises `DataError` when it is missing, broken, or holds what no score can be."""
    scores = _read(path, SCORE_SCHEMA)
    lacking = pl.any_horizontal(pl.col(name).is_null() for name in NEVER_MISSING)
    refuse_rows(scores, lacking, f"a value of {', '.join(NEVER_MISSING)} is missing", path, _ADVICE)
    negative = pl.any_horizontal(pl.col(name) < 0 for name in NEVER_NEGATIVE if name in scores.columns)
    refuse_rows(scores, negative, f"a value of {', '.join(NEVER_NEGATIVE)} is below 0", path, _ADVICE)
    return scores


def read_generations(path: Path) -> pl.DataFrame:
    """Return a table of generated texts; raises `DataError` as `read_scores` does."""
    return _read(path, GENERATION_SCHEMA)


def _read(path: Path, schema: dict[str, type[pl.DataType]]) -> pl.DataFrame:
    frame = read_table(path, "give the folder of a finished study")
    optional = {name: kind for name, kind in _OPTIONAL.items() if name in frame.columns}
    typed = with_types(frame, schema | optional, path, _ADVICE)
    return typed.select(*schema, *optional)


_ADVICE = "was it written by unequal?"
_OPTIONAL: dict[str, type[pl.DataType]] = {**dict.fromkeys(OPTIONAL_SCORES, pl.String), BUCKET: pl.Int64}
