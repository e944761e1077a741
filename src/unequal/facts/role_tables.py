"""Fact tables by role, as commands take them: one table with a column ``role``, or one table a role."""

from collections.abc import Sequence
from pathlib import Path
from random import Random

from pydantic import Field, model_validator

from unequal.errors import ConfigError, DataError, did_you_mean
from unequal.facts.roles import DRAWN_ROLES, FactsByRole, drawn, in_role, known_and_rest
from unequal.facts.schema import Fact, Role
from unequal.facts.table import read_facts
from unequal.strict import PositiveInt, StrictModel

OWN_TABLES: tuple[Role, ...] = ("forget", "retain", "utility", "never_seen")
"""Roles that may have a table of their own."""


class FactTables(StrictModel):
    """The facts of a command by role."""

    facts: Path | None = Field(
        default=None,
        description="fact table (.jsonl, .csv, .parquet) with a column role; without one all facts are to be"
        " forgotten, and beside facts to forget those without a role are what the others are drawn from",
    )
    forget: Path | None = Field(
        default=None, description="fact table of the facts to forget, in place of a table with roles"
    )
    retain: Path | None = Field(default=None, description="fact table of more facts, to retain")
    utility: Path | None = Field(
        default=None, description="fact table of more facts, never trained on, to measure damage by"
    )
    never_seen: Path | None = Field(
        default=None, description="fact table of more facts, which the model never saw: the control"
    )
    relations: tuple[str, ...] = Field(
        default=(), description="relations of the facts to take; by default all"
    )
    n_forget: PositiveInt | None = Field(
        default=None,
        description="facts to forget, drawn at random from those of --facts; the others are to draw from",
    )

    @model_validator(mode="after")
    def _facts_to_forget(self) -> "FactTables":
        if (self.facts is None) == (self.forget is None):
            raise ValueError(
                "give one of --facts (one table with a column role) and --forget (a table of the facts to"
                " forget, beside --retain, --utility and --never-seen)"
            )
        if self.n_forget is not None and self.facts is None:
            raise ValueError("--n-forget draws from one table; give that with --facts in place of --forget")
        return self

    @property
    def table(self) -> Path:
        """The table that holds the facts to forget."""
        chosen = self.facts or self.forget
        assert chosen is not None  # noqa: S101  one of the two is given
        return chosen

    def tables(self) -> dict[str, Path]:
        """Return the tables that are given, by setting."""
        found = {name: getattr(self, name) for name in ("facts", *OWN_TABLES)}
        return {name: path for name, path in found.items() if path}

    def read(self) -> FactsByRole:
        """Return the facts by role; retain and utility facts without a table come from the rest of ``facts``.

        What is drawn is the same in every command. Raises `DataError` when there is nothing to forget.
        """
        known, rest = self.known_and_rest()
        roles = [role for role in DRAWN_ROLES if getattr(self, role) is None]
        return FactsByRole((*known, *drawn(known, rest, roles=roles)))

    def known_and_rest(self) -> tuple[list[Fact], list[Fact]]:
        """Return the facts that have a role, and the rest of the table, which others can be drawn from.

        Raises `DataError` when there is nothing to forget.
        """
        main = self._of_relations(read_facts(self.table))
        known, rest = known_and_rest(main) if self.facts else (in_role(main, "forget"), [])
        known, rest = self._sampled(known, rest)
        if not any(fact.role == "forget" for fact in known):
            raise DataError(
                f"{self.table} holds no facts to forget, of the role forget or, where none has it, without a"
                " role"
            )
        for role in OWN_TABLES[1:]:
            path = getattr(self, role)
            known += in_role(read_facts(path), role) if path else []
        return known, rest

    def _of_relations(self, facts: Sequence[Fact]) -> list[Fact]:
        """Return the facts of the chosen relations; raises `ConfigError` for one that no fact has."""
        present = dict.fromkeys(fact.relation for fact in facts)
        for relation in self.relations:
            if relation not in present:
                hint = did_you_mean(relation, present)
                raise ConfigError(
                    f"relations: {self.table} has no fact of '{relation}'{hint} (there are:"
                    f" {', '.join([*present][:20])})"
                )
        return [fact for fact in facts if not self.relations or fact.relation in self.relations]

    def _sampled(self, known: list[Fact], rest: list[Fact]) -> tuple[list[Fact], list[Fact]]:
        """Return the known facts with ``n_forget`` of those to forget, and the rest with the others."""
        forget = [fact for fact in known if fact.role == "forget"]
        if self.n_forget is None:
            return known, rest
        if self.n_forget > len(forget):
            raise ConfigError(
                f"n_forget: {self.table} holds {len(forget)} facts to forget, not {self.n_forget}"
            )
        places = Random(0).sample(range(len(forget)), self.n_forget)
        chosen = {forget[place].fact_id for place in places}
        others = [fact for fact in forget if fact.fact_id not in chosen]
        return [fact for fact in known if fact.role != "forget" or fact.fact_id in chosen], rest + others
