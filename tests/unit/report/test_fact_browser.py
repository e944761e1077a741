"""The fact browser shows of each fact every method that unlearned it."""

from dataclasses import replace

import polars as pl

from simulated_study import Truth, simulate
from unequal.analysis.observations import observe
from unequal.report.fact_browser import fact_browser

SMALL = Truth(
    people_per_level=4,
    exposures=(30, 120),
    never_seen=4,
    utility_people=2,
    relations=("birth_city", "university"),
    methods=("ga", "idk", "npo"),
    seeds=(0, 1),
    known_share=1.0,
)


def by_relation(scores, generations):
    """Return the study as two targets, a relation each, whose runs sort apart by method."""
    parts, texts = [], []
    names = {"ga": ("a", "b"), "idk": ("b", "a"), "npo": ("a", "b")}
    for place, relation in enumerate(SMALL.relations):
        letter = pl.col("method").replace_strict({method: two[place] for method, two in names.items()})
        mine = scores.filter((pl.col("role") != "forget") | (pl.col("relation") == relation))
        mine = mine.with_columns(run_id=letter + pl.col("run_id"), target=letter + pl.lit(" target"))
        parts.append(mine)
        texts += [generations.with_columns(run_id=pl.lit(one) + pl.col("run_id")) for one in "ab"]
    kept = pl.concat(parts)
    pairs = kept.filter(pl.col("role") == "forget").select("run_id", "fact_id").unique()
    return kept, pl.concat(texts).unique().join(pairs, on=["run_id", "fact_id"], how="semi")


def test_a_fact_has_all_methods_that_unlearned_it_whatever_their_targets():
    scores, generations = by_relation(*simulate(SMALL))
    found = fact_browser(scores, generations, observe(scores).runs, "gpt2 2m")
    assert len(found["facts"]) == 16
    assert {fact["relation"] for fact in found["facts"]} == set(SMALL.relations)
    for fact in found["facts"]:
        assert list(fact["methods"]) == ["ga", "idk", "npo"]
        assert all(len(cells) == len(SMALL.steps) for cells in fact["methods"].values())
    assert found["seeds"] == {"ga": 0, "idk": 0, "npo": 0} and found["lacking"] == []


def test_seeds_that_unlearn_other_facts_do_not_hide_them():
    scores, generations = simulate(replace(SMALL, methods=("ga", "npo")))
    half = pl.col("fact_id").hash(3) % 2 == pl.col("seed") % 2
    scores = scores.filter((pl.col("role") != "forget") | half | (pl.col("method") == "ga"))
    found = fact_browser(scores, generations, observe(scores).runs, "gpt2 2m")
    assert len(found["facts"]) == 16
    assert all(list(fact["methods"]) == ["ga", "npo"] for fact in found["facts"])


def test_the_model_that_most_methods_ran_on_is_shown_and_the_others_are_named():
    scores, generations = simulate(replace(SMALL, pretrain_seeds=(0, 1)))
    first = pl.col("pretrain_seed") == 0
    scores = scores.filter(~first | (pl.col("method") == "ga"))
    scores = scores.filter(first | (pl.col("method") != "ga"))
    found = fact_browser(scores, generations, observe(scores).runs, "gpt2 2m")
    assert found["base"] == "gpt2 2m #1" and found["lacking"] == ["ga"]
    assert all(list(fact["methods"]) == ["idk", "npo"] for fact in found["facts"])


def test_an_answer_is_right_by_the_reading_that_the_study_names():
    scores, generations = simulate(replace(SMALL, methods=("ga",), seeds=(0,)))
    read = scores.with_columns(metric=pl.col("metric").replace({"said": "exact_match"}))
    never = read.filter(pl.col("metric") == "exact_match").with_columns(
        metric=pl.lit("contains_answer"), value=pl.lit(1.0)
    )
    both, runs = pl.concat([read, never]), observe(read).runs
    for reading, expected in (("exact_match", {0, 1}), ("contains_answer", {1})):
        found = fact_browser(both, generations, runs, "gpt2 2m", reading)
        cells = [cell for fact in found["facts"] for steps in fact["methods"].values() for cell in steps]
        assert {right for _, right, _, _ in cells} == expected
