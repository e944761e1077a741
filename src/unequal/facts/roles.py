"""Facts by role: forget, retain, neighbour, utility and never-seen."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from unequal.errors import ConfigError, DataError
from unequal.facts.schema import Fact, Role
from unequal.facts.table import read_facts


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
    def read(
        cls,
        forget: Path,
        *,
        retain: Path | None = None,
        utility: Path | None = None,
        never_seen: Path | None = None,
        keep_roles: bool = False,
    ) -> Self:
        """Return the facts of one table for each role.

        With ``keep_roles``, facts of the table ``forget`` keep their role if they have one. Raises
        `DataError` when there is no fact to forget.
        """
        facts = [
            fact if keep_roles and fact.role else _in_role(fact, "forget") for fact in read_facts(forget)
        ]
        if not any(fact.role == "forget" for fact in facts):
            raise DataError(f"{forget} holds no facts to forget, of the role forget or without a role")
        others: dict[Role, Path | None] = {"retain": retain, "utility": utility, "never_seen": never_seen}
        for role, path in others.items():
            facts += [_in_role(fact, role) for fact in read_facts(path)] if path else []
        return cls(tuple(facts))

    @classmethod
    def of(cls, facts: Iterable[Fact]) -> Self:
        """Return facts by their own roles; those without one have the role ``forget``."""
        return cls(tuple(fact if fact.role else _in_role(fact, "forget") for fact in facts))

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


def _in_role(fact: Fact, role: Role) -> Fact:
    return fact if fact.role == role else fact.model_copy(update={"role": role})
