"""Unlearning targets: the facts to forget, and the facts by role that a run is evaluated on."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from unequal.errors import ConfigError, did_you_mean
from unequal.facts.roles import FactsByRole
from unequal.facts.schema import Fact, Role, whole_number
from unequal.seeds import random_stream
from unequal.unlearning.settings import TargetSettings

if TYPE_CHECKING:
    from unequal.scoring.perplexity import TextPass


@dataclass(frozen=True)
class Controls:
    """Facts that a run never trains on: some that the model knows and keeps, some that it never saw.

    ``text`` is held-out text, for the stopping rule ``perplexity_rise``.
    """

    utility: Sequence[Fact] = ()
    never_seen: Sequence[Fact] = ()
    text: "TextPass | None" = None


NO_CONTROLS = Controls()


@dataclass(frozen=True)
class Target:
    """The facts of a run: those that are evaluated, by role, and all that training holds on to."""

    facts: FactsByRole
    retain_set: list[Fact]

    @property
    def forget(self) -> list[Fact]:
        """The facts to forget."""
        return self.facts.forget

    @property
    def controls(self) -> Controls:
        """The evaluated facts that no run trains on, for stopping rules to watch."""
        return Controls(self.facts.utility, self.facts.never_seen)


def select_target(facts: Sequence[Fact], settings: TargetSettings, facts_per_role: int, seed: int) -> Target:
    """Return the target's facts; raises `ConfigError` when none are of that relation, level or bucket.

    All facts to forget and all never-seen facts of the relation are evaluated, and of each other role a
    random sample that is spread evenly over levels and is the same for every run of the seed. Neighbours
    are the facts of the forget pool that share a subject with the target, or, where natural counts make
    buckets, its relation; counted facts that share neither are never touched, so they are utility too.
    """
    check_relation(facts, settings.relation)
    check_target(facts, settings)
    by_role: dict[Role | None, list[Fact]] = defaultdict(list)
    for fact in facts:
        by_role[fact.role].append(fact)
    forget = [f for f in by_role["forget"] if _of_relation(f, settings) and _of_level(f, settings)]
    never_seen = [fact for fact in by_role["never_seen"] if _of_relation(fact, settings)]
    neighbours, others = _around(by_role["forget"], forget, settings)
    evaluated = [*with_role(forget, "forget"), *with_role(never_seen, "never_seen")]
    groups: tuple[tuple[Role, list[Fact]], ...] = (
        ("neighbour", neighbours),
        ("retain", by_role["retain"]),
        ("utility", [*by_role["utility"], *others]),
    )
    for role, group in groups:
        evaluated += with_role(_spread_sample(group, facts_per_role, seed), role)
    return Target(FactsByRole(tuple(evaluated)), by_role["retain"])


def check_relation(facts: Iterable[Fact], relation: str) -> None:
    """Raise `ConfigError`, with what there is, when no fact is of the relation or table."""
    relations = dict.fromkeys(name for fact in facts for name in (*_table_of(fact), fact.relation))
    if relation not in relations:
        shown = ", ".join([*relations][:20]) + (", …" if len(relations) > 20 else "")
        hint = did_you_mean(relation, relations)
        raise ConfigError(f"target relation '{relation}'{hint} is not among the facts' ({shown})")


def check_target(facts: Sequence[Fact], settings: TargetSettings) -> None:
    """Raise `ConfigError`, with what there is, when no fact to forget is of the target's level or bucket."""
    pool = [fact for fact in facts if fact.role == "forget" and _of_relation(fact, settings)]
    if any(_of_level(fact, settings) for fact in pool):
        return
    if settings.bucket is not None:
        buckets = sorted({bucket for fact in pool if (bucket := bucket_of(fact)) is not None})
        raise ConfigError(
            f"target bucket {settings.bucket} is not among the buckets of its facts ({buckets})"
        )
    if settings.level == "mixed":
        raise ConfigError(f"no fact of the relation '{settings.relation}' has the role forget")
    levels = sorted({level_of(fact) for fact in facts if fact.role == "forget"})
    raise ConfigError(f"target level {settings.level} is not among the levels of the corpus ({levels})")


def level_of(fact: Fact) -> int:
    """Return the biographies an epoch shows of the fact's subject, or the number of its bucket of counts."""
    level = whole_number(fact, "level")
    bucket = bucket_of(fact)
    return level if level is not None else bucket if bucket is not None else -1


def bucket_of(fact: Fact) -> int | None:
    """Return the number of the fact's bucket of counts, from 0; None where counts make no buckets."""
    return whole_number(fact, "bucket")


def with_role(facts: Iterable[Fact], role: Role) -> list[Fact]:
    """Return copies of the facts in that role."""
    return [fact.model_copy(update={"role": role}) for fact in facts]


def _table_of(fact: Fact) -> tuple[str, ...]:
    """Return the name of the table that the fact came from, if it came from one of several."""
    table = (fact.model_extra or {}).get("fact_table")
    return (str(table),) if table else ()


def _of_relation(fact: Fact, settings: TargetSettings) -> bool:
    return settings.relation in (fact.relation, *_table_of(fact))


def _of_level(fact: Fact, settings: TargetSettings) -> bool:
    if settings.bucket is not None:
        return bucket_of(fact) == settings.bucket
    return settings.level in ("mixed", level_of(fact))


def _around(
    pool: Sequence[Fact], forget: Sequence[Fact], settings: TargetSettings
) -> tuple[list[Fact], list[Fact]]:
    """Return the neighbours in the forget pool, and the counted facts there that share nothing with it."""
    chosen = {fact.fact_id for fact in forget}
    subjects = {fact.subject for fact in forget}
    neighbours: list[Fact] = []
    others: list[Fact] = []
    for fact in pool:
        if fact.fact_id in chosen:
            continue
        counted = bucket_of(fact) is not None
        of_relation = _of_relation(fact, settings)
        if (fact.subject in subjects and not of_relation) or (counted and of_relation):
            neighbours.append(fact)
        elif counted and fact.subject not in subjects:
            others.append(fact)
    return neighbours, others


def _spread_sample(facts: Sequence[Fact], n_facts: int, seed: int) -> list[Fact]:
    """Return at most ``n_facts``, levels in turn, in the order of the table."""
    by_level: dict[int, list[Fact]] = defaultdict(list)
    for fact in random_stream(seed, "sample").sample(list(facts), len(facts)):
        by_level[level_of(fact)].append(fact)
    turns = [(turn, level, fact) for level, group in by_level.items() for turn, fact in enumerate(group)]
    chosen = {fact.fact_id for _, _, fact in sorted(turns, key=lambda item: item[:2])[:n_facts]}
    return [fact for fact in facts if fact.fact_id in chosen]
