"""Queries to infini-gram for a fact: its names, the clauses of its AND queries, and checks of names.

A query is "A OR B AND C OR D", where OR binds tighter than AND: positions where A or B is near C or D.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from unequal.counting.infinigram.answers import NameCount
from unequal.errors import DataError, listed
from unequal.facts.schema import Fact

QueryKind = Literal["or_clause", "reference_sum"]

OPERATORS = ("AND", "OR")
MOST_NAMES = 4
"""Maximum terms of a clause."""
MOST_CHARACTERS = 1000
"""Maximum characters of a query."""
MOST_TOKENS = 500
"""Maximum tokens of a query."""

AND = " AND "
_CLAUSE_CHARACTERS = (MOST_CHARACTERS - len(AND)) // 2
_CLAUSE_TOKENS = MOST_TOKENS // 2


@dataclass(frozen=True, slots=True)
class QueryPlan:
    """The queries of one fact; facts with equal plans share all queries.

    The names of subject and object are counted separately. ``pairs`` has the names of the AND queries to sum;
    if it is empty, there is one AND query with all names in each clause.
    """

    subject: tuple[str, ...]
    object: tuple[str, ...]
    pairs: tuple[tuple[str, str], ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The distinct names."""
        return tuple(dict.fromkeys((*self.subject, *self.object)))

    @property
    def n_pairs(self) -> int:
        """The number of AND queries."""
        return len(self.pairs) or 1


@dataclass(frozen=True, slots=True)
class Clause:
    """One clause of an AND query: its names, their total count, and the names that did not fit."""

    names: tuple[str, ...]
    count: int
    left_out: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The clause in the service's syntax."""
        return " OR ".join(self.names)


def plan_queries(facts: Sequence[Fact], query: QueryKind) -> list[QueryPlan]:
    """Return the queries of each fact.

    Raises `DataError` that lists all names that the service cannot handle: it would parse AND or OR
    inside a name as an operator, and accepts no query longer than `MOST_CHARACTERS`.
    """
    plans = [_plan(fact, query) for fact in facts]
    problems = [
        f"fact '{fact.fact_id}': the name {name!r} {problem}"
        for fact, plan in zip(facts, plans, strict=True)
        for name in plan.names
        if (problem := _problem(name))
    ]
    if problems:
        raise DataError(
            f"infini-gram cannot be asked for {len(problems)} of the names; change or remove them: "
            + listed(problems)
        )
    return plans


def _plan(fact: Fact, query: QueryKind) -> QueryPlan:
    if query == "reference_sum":
        pairs = reference_pairs(fact.subject, fact.object)
        return QueryPlan(_casings(fact.subject), _casings(fact.object), pairs)
    subject = tuple(dict.fromkeys((fact.subject, *fact.subject_aliases)))
    return QueryPlan(subject, tuple(dict.fromkeys((fact.object, *fact.object_aliases))))


def reference_pairs(subject: str, object_: str) -> tuple[tuple[str, str], ...]:
    """Return the four pairs of casings whose counts are summed in the seed paper.

    Source: Krishnan, Reddy, Mosbach, "Not All Data Are Unlearned Equally" (2025), the counting notebook of
    its code. Equal casings, as of names without letters, are summed more than once there, and so here.
    """
    return (
        (subject.title(), object_.title()),
        (subject.lower(), object_.lower()),
        (subject, object_.lower()),
        (subject.lower(), object_),
    )


def _casings(name: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys((name, name.title(), name.lower())))


def _problem(name: str) -> str:
    # The service splits at operators between spaces, also those that a name begins or ends with.
    operator = next((word for word in name.split() if word in OPERATORS), None)
    if operator:
        return f"holds {operator}, which is an operator of the query"
    if len(name) > _CLAUSE_CHARACTERS:
        return f"has {len(name)} characters; {_CLAUSE_CHARACTERS} fit in a query"
    return ""


def distinct_names(names: Sequence[str], counts: Mapping[str, NameCount]) -> list[str]:
    """Return the names without those that have another one as a token prefix.

    Occurrences of such a name are counted with its prefix: "Guinea" is found in "Guinea-Bissau". The
    remaining names never begin at the same position, so the sum of their counts counts every position once.
    """
    shortest_first = sorted(names, key=lambda name: len(counts[name].token_ids))
    kept: list[tuple[int, ...]] = []
    found: set[str] = set()
    for name in shortest_first:
        tokens = counts[name].token_ids
        if not any(tokens[: len(other)] == other for other in kept):
            kept.append(tokens)
            found.add(name)
    return [name for name in names if name in found]


def occurrences(names: Sequence[str], counts: Mapping[str, NameCount]) -> int:
    """Return the exact number of positions at which one of the names begins."""
    return sum(counts[name].count for name in distinct_names(names, counts))


def or_clause(names: Sequence[str], counts: Mapping[str, NameCount]) -> Clause:
    """Return the clause of an entity's names: the most frequent ones that fit into half a query.

    Names that never occur are ignored. The names are in the order of
    the fact; the most frequent is always included.
    """
    present = [name for name in distinct_names(names, counts) if counts[name].count]
    taken: list[str] = []
    for name in sorted(present, key=lambda name: -counts[name].count):
        if not taken or _fits([*taken, name], counts):
            taken.append(name)
    in_order = tuple(name for name in present if name in taken)
    left_out = tuple(name for name in present if name not in taken)
    return Clause(in_order, sum(counts[name].count for name in in_order), left_out)


def _fits(names: Sequence[str], counts: Mapping[str, NameCount]) -> bool:
    return (
        len(names) <= MOST_NAMES
        and len(" OR ".join(names)) <= _CLAUSE_CHARACTERS
        and sum(len(counts[name].token_ids) for name in names) <= _CLAUSE_TOKENS
    )


def clause_pairs(plan: QueryPlan, counts: Mapping[str, NameCount]) -> list[tuple[Clause, Clause]]:
    """Return both clauses of every AND query of a plan."""
    if not plan.pairs:
        return [(or_clause(plan.subject, counts), or_clause(plan.object, counts))]
    return [
        (Clause((subject,), counts[subject].count), Clause((object_,), counts[object_].count))
        for subject, object_ in plan.pairs
    ]
