"""Facts by role: forget, retain, neighbour, utility and never-seen."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Self

from unequal.errors import ConfigError
from unequal.facts.schema import Fact, Role

DRAWN_ROLES: tuple[Role, Role] = ("retain", "utility")
"""Roles whose facts can be drawn from the rest of a table."""


@dataclass(frozen=True)
class FactsByRole:
    """The facts of a run by role; raises `ConfigError` when a fact is given twice."""

    all: tuple[Fact, ...]

    def __post_init__(self) -> None:
        roles: dict[str, Role | None] = {}
        for fact in self.all:
            if fact.fact_id in roles:
                both = " and ".join(map(str, dict.fromkeys((roles[fact.fact_id], fact.role))))
                raise ConfigError(
                    f"fact '{fact.fact_id}' is given twice, as {both}; a fact can have one role only"
                )
            roles[fact.fact_id] = fact.role

    @classmethod
    def of(cls, facts: Iterable[Fact]) -> Self:
        """Return facts by their own roles; those without one have the role ``forget``.

        Where others have that role, facts without one are those that `drawn` takes retain and utility facts
        from.
        """
        known, rest = known_and_rest(list(facts))
        return cls((*known, *drawn(known, rest)))

    @property
    def forget(self) -> list[Fact]:
        """The facts to forget."""
        return self.of_role("forget")

    @property
    def retain(self) -> list[Fact]:
        """The facts to retain."""
        return self.of_role("retain")

    @property
    def utility(self) -> list[Fact]:
        """The utility facts, on which no run trains."""
        return self.of_role("utility")

    @property
    def never_seen(self) -> list[Fact]:
        """The never-seen facts."""
        return self.of_role("never_seen")

    def of_role(self, *roles: Role) -> list[Fact]:
        """Return the facts with one of the roles, in the order of the table."""
        return [fact for fact in self.all if fact.role in roles]


def in_role(facts: Iterable[Fact], role: Role) -> list[Fact]:
    """Return facts in a role."""
    return [fact if fact.role == role else fact.model_copy(update={"role": role}) for fact in facts]


def known_and_rest(facts: Sequence[Fact]) -> tuple[list[Fact], list[Fact]]:
    """Return the facts by their role, and the rest, which have none.

    Where no fact has the role forget, those without a role have it, and there is no rest.
    """
    known = [fact for fact in facts if fact.role]
    rest = [fact for fact in facts if not fact.role]
    if any(fact.role == "forget" for fact in known):
        return known, rest
    return [fact if fact.role else in_role([fact], "forget")[0] for fact in facts], []


def drawn(
    known: Sequence[Fact], rest: Sequence[Fact], seed: int = 0, roles: Sequence[Role] = DRAWN_ROLES
) -> list[Fact]:
    """Return retain and utility facts from the rest of a table, of the relations of the known facts.

    They are as many of each as there are facts to forget, at most, and none of a role that a known fact has
    or that is not among ``roles``: of one relation damage is greatest, so it is seen. Other chunks of a
    known passage are left out, since their prompts overlap with it, and neighbouring chunks stay together.
    """
    relations = {fact.relation for fact in known}
    ids = {fact.fact_id for fact in known}
    n_forget = sum(fact.role == "forget" for fact in known)
    passages = {_passage(fact) for fact in known} - {None}
    usable = [
        fact
        for fact in rest
        if fact.relation in relations and fact.fact_id not in ids and _passage(fact) not in passages
    ]
    places = Random(seed).sample(range(len(usable)), min(len(usable), 2 * n_forget))
    sample = [usable[place] for place in sorted(places)]
    half = len(sample) // 2
    present = {fact.role for fact in known}
    together = any(fact.is_passage for fact in sample)
    halves = (sample[:half], sample[half:]) if together else (sample[::2][:half], sample[1::2][:half])
    parts = zip(DRAWN_ROLES, halves, strict=True)
    return [
        fact for role, part in parts if role in roles and role not in present for fact in in_role(part, role)
    ]


def _passage(fact: Fact) -> str | None:
    """Return the passage of which a fact is a chunk; None for other facts."""
    return str((fact.model_extra or {}).get("passage", fact.subject)) if fact.is_passage else None
