"""What the verdicts come to: shares beside never-seen facts, by count, attacks, and what else was lost."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from unequal.analysis.stats.bootstrap import Array, Interval, Resampler, interval, make_resampler, ratio
from unequal.auditing.evidence import Measure, text_reading
from unequal.auditing.verdicts import NO_EVIDENCE, TEXT, VERDICTS, without_value
from unequal.evaluation.known_by import KnownBy, reading_of
from unequal.facts.buckets import BucketSettings, make_buckets
from unequal.facts.schema import Fact

DRAWS = 2000
LEFT = ("still there", "suppressed")
KEPT = ("retain", "neighbour", "utility")
TEXT_METRICS = ("refusal", "degenerate")
RECOVERED = ("leak_at_k", "choice_accuracy", "accuracy", "first_token_prob")
"""What an attack's recovery is measured by where it has no reading of a text, the first that it has."""


def resampler_of(facts: Sequence[Fact], seed: int) -> Resampler:
    """Return the draws of subjects that all intervals of an audit share."""
    return make_resampler([fact.subject for fact in facts], ["one run"], seed, DRAWS)


def with_subjects(table: pl.DataFrame, facts: Sequence[Fact]) -> pl.DataFrame:
    """Return the table with each fact's ``person``, the cluster of the intervals."""
    people = {fact.fact_id: fact.subject for fact in facts}
    person = pl.col("fact_id").replace_strict(people, return_dtype=pl.String)
    return table.with_columns(person=person, seed_cluster=pl.lit("one run"))


def judged_facts(table: pl.DataFrame) -> pl.DataFrame:
    """Return the facts to forget that there was something to unlearn of."""
    return table.filter(pl.col("role") == "forget", pl.col("verdict") != "not known before")


def verdict_shares(table: pl.DataFrame, resampler: Resampler) -> list[dict[str, Any]]:
    """Return each verdict's number of facts, its share, the never-seen facts' share, and the excess over it.

    Shares are of the facts known before; the last is the row ``left``, still there or suppressed.
    """
    forget, control = judged_facts(table), table.filter(pl.col("role") == "never_seen")
    rows = []
    for name, verdicts in [*((one, (one,)) for one in VERDICTS), ("left", LEFT)]:
        hit = pl.col("verdict").is_in(verdicts)
        n_facts = table.filter(pl.col("role") == "forget", hit).height
        row: dict[str, Any] = {"verdict": name, "n_facts": n_facts}
        if name != "not known before":
            row |= {"share": _mean(forget, hit), "never_seen": _mean(control, hit)}
            row["excess"] = _difference(forget, control, hit.cast(pl.Float64), resampler).__dict__
        rows.append(row)
    return rows


def unjudged_reasons(table: pl.DataFrame, evidence: pl.DataFrame) -> list[dict[str, Any]]:
    """Return why facts to forget could not be judged: ``reason, n_facts``, the commonest first.

    A fact with several reasons counts for each of them.
    """
    own = table.filter(pl.col("role") == "forget", pl.col("verdict") == "unjudged")
    other = pl.col("why").str.starts_with(f"{TEXT}: ") | (pl.col("why") == NO_EVIDENCE)
    missing = evidence.filter(without_value()).join(own.filter(~other), on="fact_id", how="semi")
    reason = pl.format("{}: {}", "evidence", pl.col("reason").fill_null("no value"))
    reasons = pl.concat(
        [
            own.filter(other).select("fact_id", reason=pl.col("why")),
            missing.select("fact_id", reason=reason).unique(maintain_order=True),
        ]
    )
    counted = reasons.group_by("reason", maintain_order=True).agg(n_facts=pl.len())
    return counted.sort("n_facts", descending=True, maintain_order=True).to_dicts()


def by_count(table: pl.DataFrame, counts: dict[str, int | None]) -> list[dict[str, Any]]:
    """Return the verdicts of facts known before, in up to three buckets of their counts, rarest first.

    ``left`` is the share still there or suppressed, ``excess`` how far it is above that of never-seen facts.
    """
    forget = judged_facts(table)
    luck = _mean(table.filter(pl.col("role") == "never_seen"), pl.col("verdict").is_in(LEFT)) or 0.0
    numbered = [(fact_id, counts.get(fact_id)) for fact_id in forget["fact_id"]]
    values = {fact_id: count for fact_id, count in numbered if count is not None}
    if not values:
        return []
    rows = []
    for bucket in make_buckets(list(values.values()), BucketSettings()):
        inside = [
            fact_id
            for fact_id, count in values.items()
            if bucket.low <= count and (bucket.high is None or count <= bucket.high)
        ]
        own = forget.filter(pl.col("fact_id").is_in(inside))
        left = _mean(own, pl.col("verdict").is_in(LEFT))
        row = {"counts": bucket.label, "n_facts": own.height, "left": left}
        row |= {verdict: own.filter(pl.col("verdict") == verdict).height for verdict in VERDICTS}
        rows.append(row | {"excess": None if left is None else left - luck})
    return rows


def evidence_table(
    table: pl.DataFrame, evidence: pl.DataFrame, measures: Sequence[Measure], resampler: Resampler
) -> list[dict[str, Any]]:
    """Return one row a measure: means of facts known before and of never-seen ones, and how many it found."""
    forget, control = judged_facts(table), table.filter(pl.col("role") == "never_seen")
    rows = []
    for (metric,), part in evidence.group_by("metric", maintain_order=True):
        known = forget.join(part, on="fact_id", how="inner")
        never = control.join(part, on="fact_id", how="inner")
        kind = next(one for one in measures if one.metric == metric)
        rows.append(
            {
                "evidence": kind.evidence,
                "metric": metric,
                "higher_is_known": kind.higher_is_known,
                "mean": _mean(known, pl.col("value")),
                "never_seen_mean": _mean(never, pl.col("value")),
                "difference": _difference(known, never, pl.col("value"), resampler).__dict__,
                "found": _mean(known, pl.col("found")),
                "never_seen_found": _mean(never, pl.col("found")),
                "n_facts": int(known["value"].count()),
            }
        )
    return rows


def recovery(
    attacked: pl.DataFrame,
    table: pl.DataFrame,
    name: str,
    metrics: Sequence[str],
    resampler: Resampler,
    known_by: KnownBy | None = None,
) -> dict[str, Any]:
    """Return what an attack brings back: the mean of its main metric, and that above never-seen facts."""
    metric = next((one for one in (text_reading(metrics, known_by), *RECOVERED) if one in metrics), None)
    rows = attacked.filter(pl.col("metric") == f"{name}_{metric}")
    forget = judged_facts(table).join(rows, on="fact_id", how="inner")
    control = table.filter(pl.col("role") == "never_seen").join(rows, on="fact_id", how="inner")
    gaps = (
        forget.filter(pl.col("value").is_null()).group_by("reason", maintain_order=True).agg(n_facts=pl.len())
    )
    return {
        "attack": name,
        "metric": metric,
        "mean": _mean(forget, pl.col("value")),
        "never_seen_mean": _mean(control, pl.col("value")),
        "recovery": _difference(forget, control, pl.col("value"), resampler).__dict__,
        "n_facts": int(forget["value"].count()),
        "reasons": gaps.to_dicts(),
    }


def utility(
    before: pl.DataFrame, after: pl.DataFrame, resampler: Resampler, known_by: KnownBy | None = None
) -> list[dict[str, Any]]:
    """Return for each role that should survive, and both kinds of metric, the loss 1 − after / before.

    The answers are those to the question; a loss of 0 is none, 1 is all, and below 0 is a gain.
    """
    keys = ["fact_id", "role", "metric"]
    measured = {reading_of(before, known_by): "generation", "answer_prob": "probability"}
    asked = [
        part.filter(pl.col("role").is_in(KEPT), pl.col("probe") == "question").drop_nulls("value")
        for part in (before, after)
    ]
    both = asked[0].join(asked[1].select(*keys, "value"), on=keys, suffix="_after")
    rows = []
    for role in KEPT:
        for metric, kind in measured.items():
            own = both.filter(pl.col("role") == role, pl.col("metric") == metric)
            if own.is_empty():
                continue
            own = own.with_columns(person=pl.col("subject"), seed_cluster=pl.lit("one run"))
            sums = _sums(own, ["value", "value_after"], resampler)
            rows.append(
                {
                    "role": role,
                    "kind": kind,
                    "metric": metric,
                    "before": _mean(own, pl.col("value")),
                    "after": _mean(own, pl.col("value_after")),
                    "loss": interval(1 - ratio(sums[:, 1], sums[:, 0])).__dict__,
                    "n_facts": own.height,
                }
            )
    return rows


def text_rates(before: pl.DataFrame, after: pl.DataFrame) -> list[dict[str, Any]]:
    """Return how often each model refuses, or says nothing sensible, when asked about facts of each role."""
    rows = []
    for role in ("forget", "never_seen", *KEPT):
        for metric in TEXT_METRICS:
            asked = (pl.col("role") == role) & (pl.col("probe") == "question") & (pl.col("metric") == metric)
            then, now = (_mean(part.filter(asked), pl.col("value")) for part in (before, after))
            if now is not None:
                rows.append({"role": role, "metric": metric, "before": then, "after": now})
    return rows


def _mean(table: pl.DataFrame, value: pl.Expr) -> float | None:
    found = table.select(value.cast(pl.Float64).mean()).item() if table.height else None
    return None if found is None else float(found)


def _difference(first: pl.DataFrame, second: pl.DataFrame, value: pl.Expr, resampler: Resampler) -> Interval:
    """Return the mean of the first minus that of the second; without a second, the mean of the first."""
    parts = [
        part.with_columns(value=value.cast(pl.Float64), one=1.0).drop_nulls("value")
        for part in (first, second)
    ]
    means = []
    for part in parts:
        sums = _sums(part, ["value", "one"], resampler)
        means.append(ratio(sums[:, 0], sums[:, 1]))
    return interval(means[0] - means[1] if second.height else means[0])


def _sums(rows: pl.DataFrame, columns: Sequence[str], resampler: Resampler) -> Array:
    """Return the columns' weighted sums in every draw of subjects, of shape (1 + draws, columns)."""
    values = rows.select(columns).to_numpy().astype(np.float64)
    groups = np.zeros(rows.height, dtype=np.int64)
    return resampler.sums(rows, groups, values, 1, by_seed=False)[:, 0]
