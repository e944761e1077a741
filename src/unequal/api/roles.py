"""Facts by role: those to retain and untouched ones come from the rest of a table where none are given."""

from typing import Any

from unequal.api.facts import Facts, read_facts
from unequal.facts.roles import FactsByRole
from unequal.facts.schema import Fact, Role


def by_role(forget: Any, retain: Any, utility: Any, never_seen: Any, seed: int) -> FactsByRole:
    """Return the facts by role; retain and utility facts not given are drawn from the rest of the table."""
    table = forget if isinstance(forget, Facts) else read_facts(forget)
    known: list[Fact] = [_with_role(fact, "forget") for fact in table if fact.role in (None, "forget")]
    given = {"retain": retain, "utility": utility, "never_seen": never_seen}
    for role, facts in given.items():
        own = [fact for fact in table if fact.role == role]
        known += own if facts is None else [_with_role(fact, role) for fact in read_facts(facts)]  # type: ignore[arg-type]
    relations = {fact.relation for fact in known}
    ids = {fact.fact_id for fact in known}
    rest = [fact for fact in table.rest if fact.relation in relations and fact.fact_id not in ids]
    rest = list(Facts(rest).sample(min(len(rest), 2 * len(table)), seed))
    half = len(rest) // 2
    for role, facts, part in (("retain", retain, rest[::2][:half]), ("utility", utility, rest[1::2][:half])):
        if facts is None and not any(fact.role == role for fact in known):
            known += [_with_role(fact, role) for fact in part]  # type: ignore[arg-type]
    return FactsByRole(tuple(known))


def _with_role(fact: Fact, role: Role) -> Fact:
    return fact if fact.role == role else fact.model_copy(update={"role": role})
