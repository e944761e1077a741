"""Split of counted facts into buckets by count, and of subjects into roles."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated

import polars as pl
from pydantic import Field, model_validator

from unequal.errors import DataError
from unequal.facts.buckets import Bucket, BucketSettings, bucket_facts
from unequal.facts.fictitious import is_fictitious
from unequal.facts.schema import Fact, Role
from unequal.seeds import random_stream
from unequal.strict import StrictModel

Share = Annotated[float, Field(ge=0.0, lt=1.0)]
WRITTEN = "fictitious name that occurs in the corpus"
UNCOUNTED = "no count"
NOT_DRAWN = "count 0, not drawn as never-seen"


class SplitSettings(StrictModel):
    """Settings of buckets and of the shares of subjects by role; the remaining subjects are to forget."""

    buckets: BucketSettings = Field(
        default=BucketSettings(), description="within each table; by is the count that ranks the facts"
    )
    retain_share: Share = Field(default=0.5, description="of the subjects, whose facts hold the model")
    utility_share: Share = Field(default=0.1, description="of the subjects, never touched")
    withheld_share: Share = Field(
        default=0.0, description="of the subjects, whose facts are taken out of the training text"
    )
    unseen: Annotated[int, Field(ge=0)] = Field(
        default=0,
        description="facts of count 0 that are never-seen, of each table at most; 0 leaves them in buckets",
    )

    @model_validator(mode="after")
    def _some_are_left(self) -> "SplitSettings":
        if (shares := self.retain_share + self.utility_share + self.withheld_share) >= 1:
            raise ValueError(
                f"retain_share, utility_share and withheld_share are {shares:g} in all; less than 1 leaves"
                " subjects to forget"
            )
        return self


@dataclass(frozen=True)
class Split:
    """Facts with ``role``, ``count``, ``bucket`` and ``bucket_label``; never-seen facts have no bucket.

    ``buckets`` has the buckets of each table, ``dropped`` the excluded facts by reason, ``notes`` messages.
    """

    facts: list[Fact]
    buckets: dict[str, list[Bucket]] = field(default_factory=dict)
    dropped: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)


def split_facts(
    facts: Sequence[Fact], counts: pl.DataFrame, settings: SplitSettings, by: str, seed: int
) -> Split:
    """Return the facts with buckets and roles; ``by`` is the count column that ranks them.

    Each role gets its share of the subjects of every bucket at random; a subject has one role in all tables.
    Excluded are facts without a count, and fictitious ones whose subject occurs in the corpus. Raises
    `DataError` for counts that cannot rank the facts (see `unequal.facts.buckets.bucket_facts`), or when no
    fact is left to forget.
    """
    split = Split([])
    found = dict(counts.select("fact_id", by).iter_rows())
    written: dict[str, int] = {}
    if "subject_count" in counts.columns:
        written = dict(counts.select("fact_id", "subject_count").iter_rows())
    tables: Mapping[str, list[Fact]] = defaultdict(list)
    for fact in facts:
        if is_fictitious(fact) and written.get(fact.fact_id):
            split.dropped[WRITTEN] += 1
        elif is_fictitious(fact):
            split.facts.append(fact.model_copy(update={"count": 0}))
        elif found.get(fact.fact_id) is None:
            split.dropped[UNCOUNTED] += 1
        else:
            tables[str((fact.model_extra or {}).get("fact_table", ""))].append(fact)
    bucketed: list[Fact] = []
    for table, own in tables.items():
        shown = [fact for fact in own if not settings.unseen or found.get(fact.fact_id) != 0]
        split.facts.extend(_unseen(table, own, shown, settings, seed, split.dropped))
        bucketed += _bucketed(table, shown, counts, settings.buckets.model_copy(update={"by": by}), split)
    split.facts.extend(_with_roles(bucketed, settings, seed))
    if not any(fact.role == "forget" for fact in split.facts):
        raise DataError(f"no fact is left to forget: none of {len(facts)} has a count above 0 and a subject")
    return split


def _unseen(
    table: str,
    own: Sequence[Fact],
    shown: Sequence[Fact],
    settings: SplitSettings,
    seed: int,
    dropped: Counter[str],
) -> list[Fact]:
    """Return the requested number of never-seen facts of count 0."""
    rest = {fact.fact_id for fact in shown}
    unseen = [fact for fact in own if fact.fact_id not in rest]
    n_drawn = min(len(unseen), settings.unseen)
    drawn = random_stream(seed, "unseen", table).sample(unseen, n_drawn)
    if len(unseen) > n_drawn:
        dropped[NOT_DRAWN] += len(unseen) - n_drawn
    return [fact.model_copy(update={"role": "never_seen", "exposure": 0, "count": 0}) for fact in drawn]


def _bucketed(
    table: str, facts: Sequence[Fact], counts: pl.DataFrame, settings: BucketSettings, split: Split
) -> list[Fact]:
    """Return the facts of a table with their buckets."""
    if not facts:
        split.notes.append(f"{table}: no fact has a count above 0")
        return []
    own = counts.join(pl.DataFrame({"fact_id": [fact.fact_id for fact in facts]}), on="fact_id", how="semi")
    done = bucket_facts(facts, own, settings)
    split.buckets[table] = done.buckets
    split.dropped.update(done.dropped)
    split.notes.extend(f"{table}: {note}" for note in done.notes)
    return done.facts


def _with_roles(facts: Sequence[Fact], settings: SplitSettings, seed: int) -> list[Fact]:
    """Return the facts with the role of their subject, drawn within the bucket of its first fact."""
    strata: Mapping[tuple[str, int], list[str]] = defaultdict(list)
    placed: set[str] = set()
    for fact in facts:
        subject = fact.subject.casefold()
        if subject not in placed:
            placed.add(subject)
            extra = fact.model_extra or {}
            strata[str(extra.get("fact_table", "")), int(extra["bucket"])].append(subject)
    shares: dict[Role, float] = {
        "retain": settings.retain_share,
        "utility": settings.utility_share,
        "never_seen": settings.withheld_share,
    }
    roles: dict[str, Role] = {}
    owed = dict.fromkeys(shares, 0.0)  # rounding errors are compensated in later strata
    for stratum, subjects in sorted(strata.items()):
        order = random_stream(seed, "roles", *stratum).sample(sorted(subjects), len(subjects))
        for role, share in shares.items():
            owed[role] += share * len(subjects)
            n_dealt = min(round(owed[role]), len(order))
            owed[role] -= n_dealt
            roles |= {order.pop(): role for _ in range(n_dealt)}
        roles |= dict.fromkeys(order, "forget")
    return [_in_role(fact, roles[fact.subject.casefold()]) for fact in facts]


def _in_role(fact: Fact, role: Role) -> Fact:
    """Return the fact with a role; a withheld fact has exposure 0."""
    return fact.model_copy(update={"role": role} | ({"exposure": 0} if role == "never_seen" else {}))
