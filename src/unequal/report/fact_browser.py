"""The fact browser: scores and answers of single facts over the steps, one run for each method."""

import json
from typing import Any

import altair as alt
import polars as pl

from unequal.analysis.observations import MIXED, observe
from unequal.evaluation.known_by import KnownBy
from unequal.files import content_hash
from unequal.report.figures.figure import share, spec, step_axis
from unequal.report.quantities import ANSWER_PROBABILITY
from unequal.report.scales import Scales

MAX_BYTES, MAX_BYTES_SMALL = 1_400_000, 500_000
BYTES_PER_CELL, BYTES_PER_FACT = 26, 260
MAX_TEXT = 160
MARKS = {"yes": "circle", "no": "cross", "not generated": "diamond"}

Facts = dict[str, Any]


def fact_browser(
    scores: pl.DataFrame,
    generations: pl.DataFrame,
    runs: pl.DataFrame,
    model: str,
    known_by: KnownBy | None = None,
) -> Facts:
    """Return the facts of one trained model with ``[step, right, answer probability, text number]`` per
    method and step.

    Of every method the first seed that unlearned the fact, of the analysis' ``runs``; ``lacking`` names the
    methods that never ran on this model. An answer is right by the reading
    ``known_by``, as in the analysis. Texts are stored once and cut at 160 characters.
    """
    mixed = runs.filter((pl.col("model") == model) & (pl.col("target_kind") == MIXED))
    if mixed.is_empty():
        return {"facts": [], "texts": [], "seeds": {}, "left_out": 0, "base": model, "lacking": []}
    base = _base_of_most_methods(mixed)
    chosen = _first_runs(scores, mixed.filter(pl.col("base") == base))
    mine = pl.col("run_id").is_in(chosen["run_id"].unique().to_list())
    cells = observe(scores.filter(mine), known_by=known_by).mixed()
    cells = cells.join(chosen.select("run_id", "fact_id"), on=["run_id", "fact_id"], how="semi")
    texts = generations.filter(mine & (pl.col("probe") == "question"))
    texts = texts.select("run_id", "step", "fact_id", "prompt", "answer", "generation")
    cells = cells.join(
        texts.unique(["run_id", "step", "fact_id"]), on=["run_id", "step", "fact_id"], how="left"
    )
    strings: dict[str, int] = {}
    rows = cells.sort("exposure", "fact_id", "method", "step").group_by("fact_id", maintain_order=True)
    facts = [_fact(key, part, strings) for key, part in rows]
    seeds = dict(
        chosen.sort("method", "seed").unique("method", maintain_order=True)["method", "seed"].iter_rows()
    )
    lacking = sorted(set(mixed["method"]) - set(seeds))
    labels = {"seeds": seeds, "left_out": 0, "base": base, "lacking": lacking}
    return {"facts": facts, "texts": list(strings), **labels}


def thinned(whole: Facts, small: bool = False) -> Facts:
    """Return the facts that fit into the page, evenly thinned within levels; ``left_out`` says how many do
    not, and ``belongs`` what a file with all of them must be called inside."""
    every = int(_size(whole) / (MAX_BYTES_SMALL if small else MAX_BYTES)) + 1
    if every == 1:
        return whole
    kept, seen = [], dict[int, int]()
    for fact in whole["facts"]:
        place = seen[fact["exposure"]] = seen.get(fact["exposure"], -1) + 1
        if place % every == 0:
            kept.append(fact)
    strings: dict[str, int] = {}
    facts = [{**fact, "methods": _renumbered(fact["methods"], whole["texts"], strings)} for fact in kept]
    left_out = len(whole["facts"]) - len(kept)
    belongs = content_hash(whole)[:16]
    return {**whole, "facts": facts, "texts": list(strings), "left_out": left_out, "belongs": belongs}


def fact_file(whole: Facts) -> str:
    """Return the script that lies beside a page whose facts are thinned, which reads it when asked to."""
    text = json.dumps({**whole, "belongs": content_hash(whole)[:16]}, ensure_ascii=False, allow_nan=False)
    return f"window.unequalFacts = JSON.parse({json.dumps(text)});\n"


def fact_chart(scales: Scales) -> dict[str, Any]:
    """Return the picture of one fact: answer probability over the steps, a line per method; the page gives
    it the rows."""
    base = alt.Chart(alt.NamedData("cells")).encode(
        x=step_axis(scales.steps, fixed=True),
        y=share("prob", ANSWER_PROBABILITY),
        color=scales.method_colour(),
        opacity=alt.condition("datum.method === chosen", alt.value(1), alt.value(0.3)),
    )
    shape = alt.Scale(domain=list(MARKS), range=list(MARKS.values()))
    tip = [
        "method:N",
        "step:Q",
        alt.Tooltip("prob:Q", format=".1%", title=ANSWER_PROBABILITY),
        alt.Tooltip("right:N", title="right"),
    ]
    line = base.mark_line(strokeWidth=1.8)
    points = base.mark_point(filled=True, size=60).encode(
        shape=alt.Shape("right:N", scale=shape, legend=None), tooltip=tip
    )
    chosen = alt.param(name="chosen", value=scales.methods[0] if scales.methods else "")
    return {**spec(alt.layer(line, points).add_params(chosen)), "datasets": {"cells": []}}


def _base_of_most_methods(runs: pl.DataFrame) -> str:
    """Return the trained model on which most methods ran, the first of such."""
    counts = runs.group_by("base").agg(pl.col("method").n_unique(), pl.col("pretrain_seed").min())
    order = counts.sort("method", "pretrain_seed", "base", descending=[True, False, False])
    return str(order["base"][0])


def _first_runs(scores: pl.DataFrame, runs: pl.DataFrame) -> pl.DataFrame:
    """Return for each fact and each method that unlearned it its first run, whatever the run's target."""
    forget = scores.filter((pl.col("role") == "forget") & pl.col("run_id").is_in(runs["run_id"].to_list()))
    facts = forget.select("run_id", "fact_id").unique()
    found = facts.join(runs.select("run_id", "method", "seed", "target"), on="run_id", how="left")
    ordered = found.sort("fact_id", "method", "seed", "target", "run_id")
    return ordered.unique(["fact_id", "method"], keep="first", maintain_order=True)


def _size(whole: Facts) -> int:
    """Return about how many bytes the facts take as JSON."""
    cells = sum(len(cells) for fact in whole["facts"] for cells in fact["methods"].values())
    texts = sum(len(text.encode()) + 3 for text in whole["texts"])
    return cells * BYTES_PER_CELL + len(whole["facts"]) * BYTES_PER_FACT + texts


def _renumbered(
    methods: dict[str, list[Any]], texts: list[str], strings: dict[str, int]
) -> dict[str, list[Any]]:
    def number(text: int | None) -> int | None:
        return None if text is None else strings.setdefault(texts[text], len(strings))

    return {name: [[*cell[:3], number(cell[3])] for cell in cells] for name, cells in methods.items()}


def _fact(key: tuple[object, ...], rows: pl.DataFrame, strings: dict[str, int]) -> dict[str, Any]:
    first = rows.row(0, named=True)
    fact: dict[str, Any] = {
        "id": key[0],
        "subject": first["person"],
        "relation": first["relation"],
        "exposure": first["exposure"],
        "seen": _seen(first),
        "question": _cut(first["prompt"]),
        "answer": _cut(first["answer"]),
        "methods": {},
    }
    for row in rows.select("method", "step", "said", "answer_prob", "generation").iter_rows():
        method, step, right, prob, text = row
        number = None if text is None else strings.setdefault(_cut(text), len(strings))
        cell = [step, None if right is None else int(right), None if prob is None else round(prob, 3), number]
        fact["methods"].setdefault(method, []).append(cell)
    return fact


def _seen(row: dict[str, Any]) -> str:
    """Return how often the model saw the fact, as far as that is known."""
    if row["count"] is not None:
        return f"counted {row['count']} times"
    return f"shown {row['exposure']} times"


def _cut(text: str | None) -> str:
    text = text or ""
    return text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 1] + "…"
