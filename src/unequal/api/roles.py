"""Facts by role: those to retain and untouched ones come from the rest of a table where none are given."""

from typing import Any

from unequal.api.facts import Facts, read_facts
from unequal.facts.roles import DRAWN_ROLES, FactsByRole, drawn, in_role, known_and_rest
from unequal.facts.schema import Role


def by_role(forget: Any, retain: Any, utility: Any, never_seen: Any, seed: int) -> FactsByRole:
    """Return the facts by role; retain and utility facts not given are drawn from the rest of the table."""
    table = forget if isinstance(forget, Facts) else read_facts(forget)
    known, rest = known_and_rest(table)
    given: dict[Role, Any] = {"retain": retain, "utility": utility, "never_seen": never_seen}
    for role, facts in given.items():
        if facts is not None:
            known = [fact for fact in known if fact.role != role] + in_role(read_facts(facts), role)
    roles = [role for role in DRAWN_ROLES if given[role] is None]
    return FactsByRole((*known, *drawn(known, [*rest, *table.rest], seed, roles)))
