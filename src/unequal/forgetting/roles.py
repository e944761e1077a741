"""Missing roles: facts to retain, untouched facts and never-seen facts, where a table has none."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from unequal.errors import DataError
from unequal.facts.complete import completed, relation_templates
from unequal.facts.fictitious import fictitious_facts
from unequal.facts.names import name_key
from unequal.facts.packaged import FACTS_NAME
from unequal.facts.roles import FactsByRole
from unequal.facts.schema import Fact, Role
from unequal.facts.table import read_facts
from unequal.seeds import random_stream

LEAST, MOST = 16, 48
"""Facts to retain, and untouched ones, that are filled in: as many as are forgotten, within these bounds."""
N_NEVER_SEEN = 20
AT_ONCE = 32

SaidOf = Callable[[Sequence[Fact]], list[bool]]
"""Whether the model says each of some facts."""


@dataclass(frozen=True)
class FilledRoles:
    """Facts by role with what was missing, and a sentence about each thing that was filled in."""

    facts: FactsByRole
    notes: list[str]


def candidates(given: FactsByRole, rest: Sequence[Fact], seed: int) -> list[Fact]:
    """Return the facts that may be retained, in the order in which they are tried.

    Those of the relations that are forgotten come first, since there damage is greatest: from the ``rest`` of
    the table, then the packaged countries and capitals. None shares a subject or an answer with a fact to
    forget.
    """
    taken = {name_key(name) for fact in given.all for name in _names(fact)}
    relations = {fact.relation for fact in given.forget}
    ids = {fact.fact_id for fact in given.all}
    found: dict[str, Fact] = {}
    for pool in (rest, read_facts(Path(FACTS_NAME))):
        apt = [
            fact for fact in pool if fact.fact_id not in ids and taken.isdisjoint(map(name_key, _names(fact)))
        ]
        drawn = random_stream(seed, "kept").sample(apt, len(apt))
        for fact in sorted(drawn, key=lambda one: one.relation not in relations):
            found.setdefault(fact.fact_id, fact)
    return list(found.values())


def fill_roles(given: FactsByRole, pool: Sequence[Fact], said: SaidOf, seed: int) -> FilledRoles:
    """Return the facts with the roles that are missing, and missing wrong answers and wordings.

    Facts to retain and untouched ones are those of the ``pool`` that the model says.
    """
    notes: list[str] = []
    facts = list(given.all)
    wanted = max(LEAST, min(len(given.forget), MOST))
    roles: tuple[Role, ...] = ("retain", "utility")
    missing = [role for role in roles if not given.of_role(role)]
    known = _known(pool, said, wanted * len(missing))
    relations = {fact.relation for fact in given.forget}
    for place, role in enumerate(missing):
        own = known[place :: len(missing)]
        facts += [fact.model_copy(update={"role": role}) for fact in own]
        notes.append(_filled_in(role, own, relations))
    if not given.never_seen:
        made = fictitious_facts([*given.forget, *known], N_NEVER_SEEN, seed)
        facts += made
        notes.append(f"{len(made)} facts about made-up names show what a model says that never saw them")
    filled = completed(facts, relation_templates())
    return FilledRoles(FactsByRole(tuple(filled.facts)), [*notes, *filled.notes])


def _known(pool: Sequence[Fact], said: SaidOf, wanted: int) -> list[Fact]:
    """Return the first facts of the pool that the model says, at most so many."""
    known: list[Fact] = []
    for start in range(0, len(pool), AT_ONCE):
        if len(known) >= wanted:
            break
        part = pool[start : start + AT_ONCE]
        with suppress(DataError):  # questions longer than the model's window
            known += [fact for fact, is_said in zip(part, said(part), strict=True) if is_said]
    return known[:wanted]


def _filled_in(role: Role, facts: Sequence[Fact], relations: set[str]) -> str:
    what = {"retain": "facts to retain", "utility": "untouched facts"}[role]
    if not facts:
        return f"there are no {what}: the model says none that could be filled in; give --{role}"
    n_near = sum(fact.relation in relations for fact in facts)
    if n_near == len(facts):
        return f"{what}: {len(facts)} of the same relation that the model says"
    others = ", ".join(sorted({fact.relation for fact in facts} - relations))
    return (
        f"{what}: {len(facts)} that the model says, {len(facts) - n_near} of them of another relation"
        f" ({others}), so damage near the forgotten facts shows less; give --{role} with facts like them"
    )


def _names(fact: Fact) -> tuple[str, ...]:
    return (fact.subject, *fact.subject_aliases, fact.object, fact.answer)
