"""One verdict a fact: still there, suppressed, gone, not known before, or unjudged, and by which evidence."""

from collections.abc import Sequence
from typing import Literal, get_args

import polars as pl

from unequal.audit.evidence import OWN_MEASURES, Control, Measure, weigh
from unequal.facts.probes import ProbeKind
from unequal.facts.schema import Fact

Verdict = Literal["still there", "suppressed", "gone", "not known before", "unjudged"]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)
ASKED: tuple[ProbeKind, ...] = ("question", "paraphrase", "cloze")
"""Probes whose right answer is the fact's answer."""
SEPARATOR = "; "


def verdicts(
    facts: Sequence[Fact],
    before: pl.DataFrame,
    after: pl.DataFrame,
    attacked: pl.DataFrame,
    control: Control,
    attack_measures: Sequence[Measure],
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return one row a fact to forget or never seen with its verdict, and the evidence after unlearning.

    ``before`` and ``after`` are score rows of the two models, ``attacked`` those of all attacks.
    The columns of the first table are ``fact_id, role, verdict, evidence, why, known_before`` and
    ``generated_before, generated_after``: the share in [0, 1] of wordings whose greedy answer is right.
    """
    judged = [fact for fact in facts if fact.role in ("forget", "never_seen")]
    table = pl.DataFrame(
        {
            "fact_id": [fact.fact_id for fact in judged],
            "role": [str(fact.role) for fact in judged],
        }
    )
    forget = frozenset(fact.fact_id for fact in judged if fact.role == "forget")
    for name, scores in (("generated_before", before), ("generated_after", after)):
        table = table.join(_generated(scores, name), on="fact_id", how="left", maintain_order="left")
    own = [one for one in OWN_MEASURES if one.is_right_or_wrong != control.measured]
    seen_before = _found(weigh(own_rows(before), own, control, forget))
    table = table.join(seen_before, on="fact_id", how="left", maintain_order="left")
    known = (pl.col("generated_before") > 0) | pl.col("by").fill_null("").str.len_chars().gt(0)
    table = table.with_columns(known_before=known.fill_null(False)).drop("by", "missing")
    targets = frozenset(table.filter("known_before", pl.col("role") == "forget")["fact_id"])
    rows = pl.concat([own_rows(after), attacked.select("fact_id", "relation", "metric", "value", "reason")])
    evidence = weigh(rows, [*own, *attack_measures], control, targets)
    found = table.join(_found(evidence), on="fact_id", how="left", maintain_order="left")
    return _judge(found), evidence


def own_rows(scores: pl.DataFrame) -> pl.DataFrame:
    """Return one row a fact and metric of a model's score rows: the mean over the probes that ask for it."""
    return (
        scores.filter(pl.col("probe").is_in(ASKED))
        .group_by("fact_id", "relation", "metric", maintain_order=True)
        .agg(pl.col("value").mean(), pl.col("reason").drop_nulls().first())
        .with_columns(pl.when(pl.col("value").is_null()).then(pl.col("reason")).alias("reason"))
    )


def _generated(scores: pl.DataFrame, name: str) -> pl.DataFrame:
    right = scores.filter(pl.col("probe").is_in(ASKED), pl.col("metric") == "exact_match")
    return right.group_by("fact_id").agg(pl.col("value").mean().alias(name))


def _found(evidence: pl.DataFrame) -> pl.DataFrame:
    """Return, by fact, the kinds of evidence that found it and the reasons of those that had no value."""
    order = {name: place for place, name in enumerate(dict.fromkeys(evidence["evidence"]))}
    ordered = evidence.sort(
        pl.col("evidence").replace_strict(order, return_dtype=pl.Int64), maintain_order=True
    )
    no_value = pl.format("{}: {}", "evidence", pl.col("reason").fill_null("no value"))
    return ordered.group_by("fact_id").agg(
        pl.col("evidence").filter("found").unique(maintain_order=True).str.join(", ").alias("by"),
        no_value.filter(pl.col("p").is_null())
        .unique(maintain_order=True)
        .str.join(SEPARATOR)
        .alias("missing"),
    )


def _judge(table: pl.DataFrame) -> pl.DataFrame:
    """Return the table with the verdict; the first rule that applies decides."""
    by, missing = pl.col("by").fill_null(""), pl.col("missing").fill_null("")
    no_text = pl.col("generated_after").is_null()
    rules = [
        ("still there", pl.col("generated_after") > 0),
        ("not known before", ~pl.col("known_before") & (pl.col("role") == "forget")),
        ("suppressed", by != ""),
        ("unjudged", no_text | (missing != "")),
    ]
    verdict: pl.Expr = pl.lit("gone")
    for name, applies in reversed(rules):
        verdict = pl.when(applies.fill_null(False)).then(pl.lit(name)).otherwise(verdict)
    generated = pl.when(pl.col("generated_after") > 0).then(pl.lit("generated answer"))
    evidence = pl.concat_str(generated, pl.when(by != "").then(by), separator=", ", ignore_nulls=True)
    return (
        table.with_columns(verdict=verdict, evidence=evidence, why=missing)
        .with_columns(
            why=pl.when(pl.col("verdict") == "unjudged").then(
                pl.when(pl.col("why") == "").then(pl.lit("no question was asked")).otherwise("why")
            )
        )
        .drop("by", "missing")
    )
