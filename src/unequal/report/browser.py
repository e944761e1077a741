"""The fact browser: one seed per method, each forget fact's scores and generated answers over the steps."""

import json
from typing import Any

import altair as alt
import polars as pl

from unequal.analysis.observations import MIXED, observe
from unequal.files import content_hash
from unequal.report.figure import Scales, share, spec, step_axis

MAX_BYTES, MAX_BYTES_SMALL = 1_400_000, 500_000
BYTES_PER_CELL, BYTES_PER_FACT = 26, 260
MAX_TEXT = 160
MARKS = {"yes": "circle", "no": "cross", "not generated": "diamond"}

Facts = dict[str, Any]


def fact_browser(scores: pl.DataFrame, generations: pl.DataFrame, runs: pl.DataFrame, model: str) -> Facts:
    """Return the facts of one model with ``[step, right, answer probability, text number]`` per method and
    step.

    The first seed of each method, of the analysis' ``runs``. Texts are stored once and cut at 160 characters.
    """
    chosen = _first_runs(runs, model)
    if chosen.is_empty():
        return {"facts": [], "texts": [], "seeds": {}, "left_out": 0}
    mine = pl.col("run_id").is_in(chosen["run_id"].to_list())
    cells = observe(scores.filter(mine)).mixed()
    texts = generations.filter(mine & (pl.col("probe") == "question"))
    texts = texts.select("run_id", "step", "fact_id", "prompt", "answer", "generation")
    cells = cells.join(
        texts.unique(["run_id", "step", "fact_id"]), on=["run_id", "step", "fact_id"], how="left"
    )
    strings: dict[str, int] = {}
    rows = cells.sort("exposure", "fact_id", "method", "step").group_by("fact_id", maintain_order=True)
    facts = [_fact(key, part, strings) for key, part in rows]
    seeds = {row["method"]: row["seed"] for row in chosen.to_dicts()}
    return {"facts": facts, "texts": list(strings), "seeds": seeds, "left_out": 0}


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
        y=share("prob", "probability of the right answer"),
        color=scales.method_colour(),
        opacity=alt.condition("datum.method === chosen", alt.value(1), alt.value(0.3)),
    )
    shape = alt.Scale(domain=list(MARKS), range=list(MARKS.values()))
    tip = ["method:N", "step:Q", alt.Tooltip("prob:Q", format=".3f"), alt.Tooltip("right:N", title="right")]
    line = base.mark_line(strokeWidth=1.8)
    points = base.mark_point(filled=True, size=60).encode(
        shape=alt.Shape("right:N", scale=shape, legend=None), tooltip=tip
    )
    chosen = alt.param(name="chosen", value=scales.methods[0] if scales.methods else "")
    return {**spec(alt.layer(line, points).add_params(chosen)), "datasets": {"cells": []}}


def _first_runs(runs: pl.DataFrame, model: str) -> pl.DataFrame:
    mixed = runs.filter((pl.col("model") == model) & (pl.col("target_kind") == MIXED))
    first = mixed.sort("method", "pretrain_seed", "seed").group_by("method", maintain_order=True).first()
    base = first["base"].sort()[0] if first.height else ""
    return first.filter(pl.col("base") == base)


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
