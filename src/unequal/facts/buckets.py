"""Buckets of facts by count, balanced by relation and answer length on request."""

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil
from typing import Annotated, Any, Literal

import polars as pl
from pydantic import Field, field_validator, model_validator

from unequal.errors import DataError, listed
from unequal.facts.counts import SOURCE, counts_by_fact
from unequal.facts.schema import Fact
from unequal.seeds import random_stream
from unequal.strict import Seed, StrictModel

Covariate = Literal["relation", "answer_length"]
LONGEST_CLASS = 4
MOST_BINS = 10_000
HALF_DECADES = tuple(round(10 ** (half / 2)) for half in range(41))


class BucketSettings(StrictModel):
    """Settings of buckets and subsampling. Unknown keys are refused."""

    by: str = Field(default="docs_window", description="column of the count table")
    bins: Literal["quantile", "log", "fixed"] = Field(
        default="quantile",
        description="quantile: buckets of about equal size; log: equally wide in log(1 + count), with 0"
        " alone; fixed: at the edges",
    )
    n_bins: int = Field(default=3, ge=2, le=MOST_BINS, description="number of buckets")
    edges: tuple[Annotated[int, Field(ge=0)], ...] = Field(
        default=(),
        description="lowest count of each fixed bucket, such as 0,10,100; the last has no upper limit",
    )
    balance: tuple[Covariate, ...] = Field(
        default=(),
        description="subsample until every bucket holds as many facts of each relation, answer_length or"
        " both",
    )
    per_bucket: Annotated[int, Field(ge=1)] | None = Field(
        default=None, description="facts to draw from each bucket"
    )
    seed: Seed = Field(default=0, description="seed of the draws")

    @field_validator("edges", "balance", mode="before")
    @classmethod
    def _parted(cls, value: Any) -> Any:
        return [part.strip() for part in value.split(",")] if isinstance(value, str) else value

    @field_validator("edges")
    @classmethod
    def _rise(cls, edges: tuple[int, ...]) -> tuple[int, ...]:
        if any(later <= earlier for earlier, later in pairwise(edges)):
            raise ValueError(f"{', '.join(map(str, edges))} must rise")
        return edges

    @model_validator(mode="after")
    def _edges_where_fixed(self) -> "BucketSettings":
        if self.bins == "fixed" and len(self.edges) < 2:
            raise ValueError("fixed bins need at least two edges, such as 0,10,100")
        if self.bins != "fixed" and self.edges:
            raise ValueError(f"edges belong to fixed bins, not to {self.bins} bins")
        return self


@dataclass(frozen=True)
class Bucket:
    """One bucket of counts from ``low`` to ``high``, inclusive; None is no limit."""

    index: int
    low: int
    high: int | None

    @property
    def label(self) -> str:
        """The range as text: ``0``, ``10–31`` or ``100+``."""
        if self.high is None:
            return f"{self.low}+"
        return str(self.low) if self.low == self.high else f"{self.low}–{self.high}"


@dataclass(frozen=True)
class Bucketed:
    """Facts with ``count``, ``bucket``, ``bucket_label``, ``count_by``, ``count_source``, ``count_approx``.

    ``dropped`` counts the excluded facts by reason; ``notes`` are messages for the user.
    """

    facts: list[Fact]
    buckets: list[Bucket]
    dropped: Counter[str]
    notes: list[str]


def bucket_facts(facts: Sequence[Fact], counts: pl.DataFrame, settings: BucketSettings) -> Bucketed:
    """Return the facts with their buckets of counts, subsampled by the settings, in the order of the table.

    Raises `DataError` when the count table mixes definitions, repeats a fact, lacks a fact or the column,
    or when subsampling would leave a bucket empty.
    """
    rows = counts_by_fact(facts, counts, settings.by)
    values = [int(rows[fact.fact_id]["count"]) for fact in facts]
    buckets = make_buckets(values, settings)
    lows = [bucket.low for bucket in buckets]
    members: list[list[Fact]] = [[] for _ in buckets]
    for fact, value in zip(facts, values, strict=True):
        members[bisect_right(lows, value) - 1].append(fact)
    chosen = _subsample(members, buckets, settings)
    kept: dict[str, Bucket] = {
        fact.fact_id: bucket for bucket, drawn in zip(buckets, chosen, strict=True) for fact in drawn
    }
    meaning = {"count_by": settings.by, "count_source": _meaning(counts)}
    return Bucketed(
        facts=[
            _with(fact, rows[fact.fact_id] | meaning | _place(kept[fact.fact_id]))
            for fact in facts
            if fact.fact_id in kept
        ],
        buckets=buckets,
        dropped=_dropped(members, chosen, settings),
        notes=_notes(facts, counts, rows, members, settings),
    )


# --- cutting


def make_buckets(values: Sequence[int], settings: BucketSettings) -> list[Bucket]:
    """Return the non-overlapping buckets of all counts, in ascending order.

    Quantile bins end with the count at each quantile, so equal counts stay together. Log bins have equal
    width in log(1 + count), with 0 as a bin of its own. Fixed bins begin at their edges. There may be fewer
    bins than requested if there are few different counts. Raises `DataError` for fixed bins that begin above
    the lowest count.
    """
    if settings.bins == "fixed":
        if min(values) < settings.edges[0]:
            n_below = sum(value < settings.edges[0] for value in values)
            raise DataError(
                f"{n_below} facts have a count below the first edge {settings.edges[0]}; begin at 0"
            )
        highs = [edge - 1 for edge in settings.edges[1:]]
        ranges = list(zip(settings.edges, [*highs, None], strict=True))
        return [Bucket(index, low, high) for index, (low, high) in enumerate(ranges)]
    lows = (
        _quantile_lows(values, settings.n_bins)
        if settings.bins == "quantile"
        else _log_lows(values, settings)
    )
    groups: dict[int, list[int]] = defaultdict(list)
    for value in values:
        groups[bisect_right(lows, value) - 1].append(value)
    if settings.bins == "quantile":
        return [Bucket(n, min(groups[at]), max(groups[at])) for n, at in enumerate(sorted(groups))]
    highs = [*(low - 1 for low in lows[1:]), max(values)]
    return [Bucket(n, lows[at], highs[at]) for n, at in enumerate(sorted(groups))]


def _quantile_lows(values: Sequence[int], n_bins: int) -> list[int]:
    """Return the lowest count of each bin: the first above the count at every quantile."""
    rising = sorted(values)
    lows = {rising[0]}
    for quantile in range(1, n_bins):
        at = rising[ceil(len(rising) * quantile / n_bins) - 1]
        lows.update(rising[bisect_right(rising, at) :][:1])
    return sorted(lows)


def _log_lows(values: Sequence[int], settings: BucketSettings) -> list[int]:
    """Return the lowest count of each bin: 0 alone, then equal steps of log(1 + count)."""
    positive = [value for value in values if value > 0]
    zero = [0] if len(positive) < len(values) else []
    if not positive:
        return zero
    n_steps = settings.n_bins - len(zero)
    first, last = 1 + min(positive), 1 + max(positive)
    steps = [first * (last / first) ** (step / n_steps) for step in range(n_steps)]
    return sorted({*zero, *(ceil(round(step, 9)) - 1 for step in steps)})


# --- subsampling


def answer_length(fact: Fact) -> int:
    """Return the length of the answer in words."""
    return len(fact.answer.split())


def _stratum(fact: Fact, balance: Sequence[Covariate]) -> tuple[str, ...]:
    """Return the fact's stratum: its relation and its class of answer length (1, 2, 3, or 4+ words)."""
    classes = {"relation": fact.relation, "answer_length": str(min(answer_length(fact), LONGEST_CLASS))}
    return tuple(classes[covariate] for covariate in balance)


def _subsample(
    members: Sequence[Sequence[Fact]], buckets: Sequence[Bucket], settings: BucketSettings
) -> list[list[Fact]]:
    """Return the facts to keep of each bucket.

    With covariates, every bucket keeps the same number of each stratum, limited by the smallest bucket;
    without them, the composition of buckets is unchanged. Then ``per_bucket`` facts are drawn from each.
    """
    if not settings.balance and settings.per_bucket is None:
        return [list(facts) for facts in members]
    strata = [_strata(facts, settings.balance) for facts in members]
    sizes: list[dict[tuple[str, ...], int]]
    if not settings.balance:
        sizes = [
            {(): _wanted(len(facts), bucket, settings)}
            for facts, bucket in zip(members, buckets, strict=True)
        ]
    else:
        shared = _shared_sizes(strata, buckets, settings)
        sizes = [shared] * len(buckets)
    return [
        [
            fact
            for stratum, n_facts in sorted(size.items())
            for fact in random_stream(settings.seed, "bucket", bucket.index, *stratum).sample(
                own[stratum], n_facts
            )
        ]
        for bucket, own, size in zip(buckets, strata, sizes, strict=True)
    ]


def _strata(facts: Sequence[Fact], balance: Sequence[Covariate]) -> dict[tuple[str, ...], list[Fact]]:
    """Return the facts by stratum, sorted by id, so that draws do not depend on the order of the table."""
    strata: dict[tuple[str, ...], list[Fact]] = defaultdict(list)
    for fact in sorted(facts, key=lambda fact: fact.fact_id):
        strata[_stratum(fact, balance)].append(fact)
    return strata


def _wanted(n_facts: int, bucket: Bucket, settings: BucketSettings) -> int:
    wanted = n_facts if settings.per_bucket is None else settings.per_bucket
    if wanted > n_facts:
        raise DataError(
            f"bucket {bucket.index} ({bucket.label}) holds {n_facts} facts, fewer than per_bucket {wanted};"
            f" ask for {n_facts} at most, or for fewer or other bins"
        )
    return wanted


def _shared_sizes(
    strata: Sequence[Mapping[tuple[str, ...], Sequence[Fact]]],
    buckets: Sequence[Bucket],
    settings: BucketSettings,
) -> dict[tuple[str, ...], int]:
    """Return how many facts of each stratum every bucket keeps, scaled proportionally to ``per_bucket``."""
    common = set.intersection(*(set(own) for own in strata))
    sizes = {stratum: min(len(own[stratum]) for own in strata) for stratum in sorted(common)}
    total = sum(sizes.values())
    if not total:
        held = [
            f"bucket {b.index} ({b.label}): {len(own)} strata" for b, own in zip(buckets, strata, strict=True)
        ]
        named = " and ".join(settings.balance)
        raise DataError(
            f"no {named} is found in every bucket, so balancing would leave nothing;"
            f" take fewer bins or covariates: {listed(held)}"
        )
    if settings.per_bucket is None:
        return sizes
    if settings.per_bucket > total:
        raise DataError(
            f"balancing leaves {total} facts in each bucket, fewer than per_bucket {settings.per_bucket};"
            f" ask for {total} at most, or for fewer bins or covariates"
        )
    return _in_proportion(sizes, settings.per_bucket)


def _in_proportion(sizes: Mapping[tuple[str, ...], int], wanted: int) -> dict[tuple[str, ...], int]:
    """Return the sizes scaled to sum to ``wanted``, by largest remainders."""
    total = sum(sizes.values())
    parts = {stratum: size * wanted // total for stratum, size in sizes.items()}
    by_remainder = sorted(sizes, key=lambda stratum: (-(sizes[stratum] * wanted % total), stratum))
    for stratum in by_remainder[: wanted - sum(parts.values())]:
        parts[stratum] += 1
    return parts


# --- reporting


def histogram(values: Sequence[int]) -> list[tuple[str, int]]:
    """Return ``(range, facts)`` in half decades (0, 1–2, 3–9, 10–31, …) from the lowest to the highest."""
    lows = [0, *HALF_DECADES]
    at = Counter(bisect_right(lows, value) - 1 for value in values)
    shown = range(min(at), max(at) + 1) if at else range(0)
    return [(Bucket(n, lows[n], lows[n + 1] - 1).label, at[n]) for n in shown]


def _place(bucket: Bucket) -> dict[str, Any]:
    return {"bucket": bucket.index, "bucket_label": bucket.label}


def _with(fact: Fact, columns: dict[str, Any]) -> Fact:
    return fact.model_copy(update=columns)


def _meaning(counts: pl.DataFrame) -> str:
    """Return the meaning of the counts as one text, such as ``scan, my-corpus, window, 100, words``."""
    first = counts.row(0, named=True)
    return ", ".join(str(first[column]) for column in SOURCE if first.get(column) is not None) or "unknown"


def _dropped(
    members: Sequence[Sequence[Fact]], chosen: Sequence[Sequence[Fact]], settings: BucketSettings
) -> Counter[str]:
    n_lost = sum(map(len, members)) - sum(map(len, chosen))
    reasons = [f"balance of {' and '.join(settings.balance)}"] if settings.balance else []
    reasons += [f"{settings.per_bucket} drawn of each bucket"] if settings.per_bucket is not None else []
    return Counter({", then ".join(reasons): n_lost} if n_lost else {})


def _notes(
    facts: Sequence[Fact],
    counts: pl.DataFrame,
    rows: Mapping[str, Mapping[str, Any]],
    members: Sequence[Sequence[Fact]],
    settings: BucketSettings,
) -> list[str]:
    notes = []
    if settings.bins != "fixed" and len(members) < settings.n_bins:
        why = "equal counts stay together" if settings.bins == "quantile" else "the others would be empty"
        notes.append(f"{len(members)} buckets instead of {settings.n_bins}: {why}")
    if n_empty := sum(not own for own in members):
        notes.append(f"{n_empty} of {len(members)} buckets hold no fact")
    if n_approx := sum(bool(rows[fact.fact_id]["count_approx"]) for fact in facts):
        notes.append(f"{n_approx} of {len(facts)} counts are estimates (count_approx)")
    if n_replaced := sum(fact.count is not None for fact in facts):
        notes.append(f"{n_replaced} facts had a count already; it was replaced")
    if n_others := counts.height - len(facts):
        notes.append(f"{n_others} counts belong to facts that are not in the table")
    return notes
