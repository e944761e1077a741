"""The fact browser's data: one seed per method, each forget fact's scores and generated answers over the
steps."""

from typing import Any

import polars as pl

from unequal.analysis.observations import MIXED, Observations, observe

MAX_BYTES = 1_400_000
BYTES_PER_CELL = 34
MAX_TEXT = 160


def fact_browser(scores: pl.DataFrame, generations: pl.DataFrame, model: str) -> dict[str, Any]:
    """Return the facts of one model with ``[right, answer probability, text number]`` per method and step.

    The first seed of each method; when the file would grow too large, the facts are thinned evenly within
    levels and ``left_out`` says how many. Texts are stored once and cut at 160 characters.
    """
    observations = observe(scores)
    chosen = _first_runs(observations, model)
    cells = observations.mixed().join(chosen.select("run_id"), on="run_id", how="semi")
    facts = cells.select("fact_id", "person", "relation", "exposure").unique().sort("exposure", "fact_id")
    kept = _thin(facts, cells.height)
    texts = generations.filter(pl.col("probe") == "question").join(
        chosen.select("run_id"), on="run_id", how="semi"
    )
    cells = cells.join(kept.select("fact_id"), on="fact_id", how="semi").join(
        texts.select("run_id", "step", "fact_id", "prompt", "answer", "generation").unique(
            ["run_id", "step", "fact_id"]
        ),
        on=["run_id", "step", "fact_id"],
        how="left",
    )
    strings: dict[str, int] = {}
    out = [
        _fact(key, part, strings)
        for key, part in cells.sort("fact_id", "method", "step").group_by("fact_id", maintain_order=True)
    ]
    seeds = {row["method"]: row["seed"] for row in chosen.to_dicts()}
    return {"facts": out, "texts": list(strings), "seeds": seeds, "left_out": facts.height - kept.height}


def _first_runs(observations: Observations, model: str) -> pl.DataFrame:
    runs = observations.runs.filter((pl.col("model") == model) & (pl.col("target_kind") == MIXED))
    first = runs.sort("method", "pretrain_seed", "seed").group_by("method", maintain_order=True).first()
    base = first["base"].sort()[0] if first.height else ""
    return first.filter(pl.col("base") == base)


def _thin(facts: pl.DataFrame, n_cells: int) -> pl.DataFrame:
    budget = MAX_BYTES / BYTES_PER_CELL
    if n_cells <= budget:
        return facts
    every = int(n_cells / budget) + 1
    return facts.with_columns(pl.int_range(pl.len()).over("exposure").alias("place")).filter(
        pl.col("place") % every == 0
    )


def _fact(key: tuple[object, ...], rows: pl.DataFrame, strings: dict[str, int]) -> dict[str, Any]:
    first = rows.row(0, named=True)
    fact: dict[str, Any] = {
        "id": key[0],
        "subject": first["person"],
        "relation": first["relation"],
        "exposure": first["exposure"],
        "question": _cut(first["prompt"]),
        "answer": _cut(first["answer"]),
        "methods": {},
    }
    for row in rows.select("method", "step", "exact_match", "answer_prob", "generation").iter_rows():
        method, step, right, prob, text = row
        number = None if text is None else strings.setdefault(_cut(text), len(strings))
        cell = [step, None if right is None else int(right), None if prob is None else round(prob, 3), number]
        fact["methods"].setdefault(method, []).append(cell)
    return fact


def _cut(text: str | None) -> str:
    text = text or ""
    return text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 1] + "…"
