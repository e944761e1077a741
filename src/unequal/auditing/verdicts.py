"""One verdict a fact: still there, suppressed, gone, not known before, or unjudged, and by which evidence."""

from collections.abc import Sequence
from typing import Literal, get_args

import polars as pl

from unequal.auditing.evidence import OWN_MEASURES, Control, Measure, weigh
from unequal.auditing.lacking import is_lacking
from unequal.evaluation.known_by import KnownBy, reading_of
from unequal.facts.probes import ProbeKind
from unequal.facts.schema import Fact

Verdict = Literal["still there", "suppressed", "gone", "not known before", "unjudged"]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)
ASKED: tuple[ProbeKind, ...] = ("question", "paraphrase", "cloze")
"""Probes whose right answer is the fact's answer."""
QUESTION: tuple[ProbeKind, ...] = ("question",)
"""The same where chance is worked out: that of one right choice, not of one in every wording."""
SEPARATOR = "; "
TEXT = "generated answer"
NO_EVIDENCE = "no evidence beside the generated text could be had"
NO_QUESTION = "no question was asked"


def verdicts(
    facts: Sequence[Fact],
    before: pl.DataFrame,
    after: pl.DataFrame,
    attacked: pl.DataFrame,
    control: Control,
    attack_measures: Sequence[Measure],
    known_by: KnownBy | None = None,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return one row a fact to forget or never seen with its verdict, and the evidence after unlearning.

    ``before`` and ``after`` are score rows of the two models, ``attacked`` those of all attacks; the reading
    ``known_by`` says whether a generated text is right (see `reading_of` for its default). The columns of
    the first table are ``fact_id, role, verdict, evidence, why, known_before`` and ``generated_before,
    generated_after``: the share in [0, 1] of wordings whose greedy answer is right.
    """
    judged = [fact for fact in facts if fact.role in ("forget", "never_seen")]
    table = pl.DataFrame(
        {
            "fact_id": [fact.fact_id for fact in judged],
            "role": [str(fact.role) for fact in judged],
        }
    )
    forget = frozenset(fact.fact_id for fact in judged if fact.role == "forget")
    reading = reading_of(before, known_by)
    for name, scores in (("generated_before", before), ("generated_after", after)):
        table = table.join(_generated(scores, name, reading), on="fact_id", how="left", maintain_order="left")
    own = [one for one in OWN_MEASURES if one.is_right_or_wrong != control.measured]
    kinds = ASKED if control.measured else QUESTION
    shown_before = _found(weigh(own_rows(before, kinds), own, control, forget))
    table = table.join(shown_before, on="fact_id", how="left", maintain_order="left")
    shown = pl.col("by").fill_null("") != ""
    known = ((pl.col("generated_before") > 0) | shown).fill_null(shown)
    table = table.with_columns(known_before=known).drop("by", "missing", "n_values")
    targets = frozenset(table.filter("known_before", pl.col("role") == "forget")["fact_id"])
    evidence = weigh(own_rows(after, kinds), own, control, targets)
    still_shown = _found(evidence).filter(pl.col("by") != "").select("fact_id", shown_after=pl.lit(True))
    table = table.join(still_shown, on="fact_id", how="left", maintain_order="left")
    evidence = pl.concat([evidence, weigh(attacked, attack_measures, control, targets)])
    found = table.join(_found(evidence), on="fact_id", how="left", maintain_order="left")
    return _judge(found), evidence


def own_rows(scores: pl.DataFrame, kinds: Sequence[ProbeKind] = ASKED) -> pl.DataFrame:
    """Return one row a fact and metric of a model's score rows: the mean over the probes of these kinds."""
    return (
        scores.filter(pl.col("probe").is_in(kinds))
        .group_by("fact_id", "relation", "metric", maintain_order=True)
        .agg(pl.col("value").mean(), pl.col("reason").drop_nulls().first())
        .with_columns(pl.when(pl.col("value").is_null()).then(pl.col("reason")).alias("reason"))
    )


def _generated(scores: pl.DataFrame, name: str, known_by: KnownBy) -> pl.DataFrame:
    right = scores.filter(pl.col("probe").is_in(ASKED), pl.col("metric") == known_by)
    return right.group_by("fact_id").agg(
        pl.col("value").mean().alias(name), pl.col("reason").drop_nulls().first().alias(f"no_{name}")
    )


def _found(evidence: pl.DataFrame) -> pl.DataFrame:
    """Return, by fact, the kinds of evidence that found it, the reasons of others, and the number of values.

    What the table lacks is not among the reasons: such evidence was not asked for.
    """
    order = {name: place for place, name in enumerate(dict.fromkeys(evidence["evidence"]))}
    ordered = evidence.sort(
        pl.col("evidence").replace_strict(order, return_dtype=pl.Int64), maintain_order=True
    )
    no_value = pl.format("{}: {}", "evidence", pl.col("reason").fill_null("no value"))
    return ordered.group_by("fact_id").agg(
        pl.col("evidence").filter("found").unique(maintain_order=True).str.join(", ").alias("by"),
        no_value.filter(without_value()).unique(maintain_order=True).str.join(SEPARATOR).alias("missing"),
        pl.col("p").count().alias("n_values"),
    )


def without_value() -> pl.Expr:
    """Return whether a row of evidence has no value for another reason than what the table lacks."""
    return pl.col("p").is_null() & ~is_lacking(pl.col("reason"))


def _judge(table: pl.DataFrame) -> pl.DataFrame:
    """Return the table with the verdict; the first rule that applies decides."""
    by, missing = pl.col("by").fill_null(""), pl.col("missing").fill_null("")
    said = pl.col("generated_after") > 0
    said_before = (pl.col("generated_before") > 0).fill_null(False)
    own = pl.col("role") == "forget"
    as_before = own & pl.col("known_before") & ~said_before & pl.col("shown_after")
    no_text = pl.col("generated_after").is_null()
    not_asked_before = pl.col("generated_before").is_null() & ~pl.col("known_before")
    no_evidence = pl.col("n_values").fill_null(0) == 0
    rules = [
        ("still there", said | as_before.fill_null(False)),
        ("unjudged", not_asked_before & own),
        ("not known before", ~pl.col("known_before") & own),
        ("suppressed", by != ""),
        ("unjudged", no_text | no_evidence | (missing != "")),
    ]
    verdict: pl.Expr = pl.lit("gone")
    for name, applies in reversed(rules):
        verdict = pl.when(applies.fill_null(False)).then(pl.lit(name)).otherwise(verdict)
    generated = pl.when(said).then(pl.lit(TEXT))
    evidence = pl.concat_str(generated, pl.when(by != "").then(by), separator=", ", ignore_nulls=True)
    no_answer = pl.coalesce("no_generated_after", "no_generated_before", pl.lit(NO_QUESTION))
    why = (
        pl.when(no_text | not_asked_before)
        .then(pl.format("{}: {}", pl.lit(TEXT), no_answer))
        .when(missing != "")
        .then(missing)
        .otherwise(pl.lit(NO_EVIDENCE))
    )
    return (
        table.with_columns(verdict=verdict, evidence=evidence)
        .with_columns(why=pl.when(pl.col("verdict") == "unjudged").then(why))
        .drop("by", "missing", "n_values", "shown_after", "no_generated_after", "no_generated_before")
    )
