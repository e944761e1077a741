"""Import of public fact sets: rows to facts, with excluded rows counted and bad rows reported."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from unequal.errors import ConfigError, DataError, did_you_mean, listed
from unequal.facts.importers import IMPORTERS
from unequal.facts.importers.contract import (
    SAYS,
    BadRowError,
    Columns,
    Context,
    ExcludedRowError,
    FactSet,
    Row,
    fact_id,
)
from unequal.facts.importers.pararel import read_patterns
from unequal.facts.importers.source import Source
from unequal.facts.schema import Fact

DUPLICATE = "exact duplicate"
SAME_FACT = "same fact again under another id or with other aliases; the first was kept"
OTHER_RELATION = "not of the relations asked for"
BAD = "bad row (left out on request)"


@dataclass
class Import:
    """The imported facts in file order, the excluded rows by reason, and notes."""

    facts: list[Fact] = field(default_factory=list)
    dropped: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)


def import_facts(
    name: str,
    sources: Sequence[Source],
    patterns: Source | None = None,
    relations: Sequence[str] = (),
    skip_bad: bool = False,
) -> Import:
    """Return the facts of a set's files.

    Raises `ConfigError` for an unknown set or relation, and `DataError` for wrong columns or for bad
    rows (it lists at most 50 with file and line); with ``skip_bad``, bad rows are excluded instead.
    """
    fact_set = IMPORTERS.get(name)
    known_patterns = _patterns(name, fact_set, patterns)
    problems: list[str] = []
    done = Import()
    found: list[tuple[str, Fact]] = []
    for source in sources:
        context = Context(source.name, known_patterns)
        for line, row in _checked_rows(name, source, problems):
            fact = _fact(name, f"{source.label}:{line}", row, context, problems, done.dropped)
            if fact is not None:
                found.append((f"{source.label}:{line}", fact))
    kept = _of_relations(found, relations, done.dropped)
    done.facts = _without_duplicates(kept, done.dropped, problems)
    if problems and not skip_bad:
        raise DataError(
            f"{name} has {len(problems)} bad rows (--skip-bad leaves them out): {listed(problems)}"
        )
    if problems:
        done.dropped[BAD] = len(problems)
    if not done.facts:
        raise DataError(
            f"no facts are left of {', '.join(source.label for source in sources)}{_why(done.dropped)}"
        )
    done.notes = [*fact_set.notes, *_oddities(done.facts)]
    return done


def _patterns(name: str, fact_set: FactSet, source: Source | None) -> dict[str, list[str]]:
    if fact_set.needs_patterns and source is None:
        raise ConfigError(
            f"{name} names no questions; give --patterns with the file of its statement patterns"
        )
    if source is None:
        return {}
    if not fact_set.needs_patterns:
        raise ConfigError(f"{name} brings its own questions; leave out --patterns")
    problems: list[str] = []
    patterns: dict[str, list[str]] = defaultdict(list)
    for line, row in source.rows(problems):
        try:
            for relation, texts in read_patterns([(row, source.name)]).items():
                patterns[relation] += texts
        except BadRowError as error:
            problems.append(f"{source.label}:{line}: {error}")
    if problems:
        raise DataError(f"{source.label} has {len(problems)} bad rows: {listed(problems)}")
    return dict(patterns)


def _checked_rows(name: str, source: Source, problems: list[str]) -> Iterator[tuple[int, Row]]:
    """Yield the rows of a source, after checking that the first has the columns of one of the set's forms."""
    forms = IMPORTERS.get(name).forms
    columns_fit = False
    for line, row in source.rows(problems):
        if not columns_fit and not _fits(row, forms):
            raise DataError(_wrong_columns(name, source, row))
        columns_fit = True
        if not _fits(row, forms):
            needed = min((sorted(set(form) - set(row)) for form in forms), key=len)
            problems.append(f"{source.label}:{line}: nothing in column {', '.join(needed)}")
            continue
        yield line, row


def _fits(row: Row, forms: Sequence[Sequence[str]]) -> bool:
    return any(all(column in row for column in form) for form in forms)


def _wrong_columns(name: str, source: Source, row: Row) -> str:
    needs = " or ".join(", ".join(form) for form in IMPORTERS.get(name).forms)
    fitting = {
        other: max(len(form) for form in fact_set.forms if _fits(row, [form]))
        for other, fact_set in IMPORTERS.items()
        if other != name and _fits(row, fact_set.forms)
    }
    best = [other for other, n_columns in fitting.items() if n_columns == max(fitting.values())]
    missing = sorted({column for form in IMPORTERS.get(name).forms for column in form} - set(row))
    close = next((hint for column in missing if (hint := did_you_mean(column, row))), "")
    hint = f"; did you mean: unequal facts import {' or '.join(best)}?" if best else close
    return f"{source.label}: found the columns {', '.join(row) or 'none'}; {name} needs {needs}{hint}"


def _fact(
    name: str, place: str, row: Row, context: Context, problems: list[str], dropped: Counter[str]
) -> Fact | None:
    """Return the row as a fact, or None after recording the reason."""
    try:
        columns = IMPORTERS.get(name).convert(row, context)
        return _validated(columns | {"fact_id": fact_id(name, columns)})
    except ExcludedRowError as reason:
        dropped[str(reason)] += 1
    except BadRowError as error:
        problems.append(f"{place}: {error}")
    return None


def _validated(columns: Columns) -> Fact:
    try:
        return Fact.model_validate({name: value for name, value in columns.items() if value is not None})
    except ValidationError as error:
        first: Any = error.errors()[0]
        column = ".".join(map(str, first["loc"]))
        raise BadRowError(f"{column}: found {first['input']!r}; {first['msg']}") from error


def _of_relations(
    found: Sequence[tuple[str, Fact]], relations: Sequence[str], dropped: Counter[str]
) -> list[tuple[str, Fact]]:
    known = dict.fromkeys(fact.relation for _, fact in found)
    for relation in relations if known else ():
        if relation not in known:
            shown = ", ".join(sorted(known)[:50])
            raise ConfigError(
                f"no fact has the relation '{relation}'{did_you_mean(relation, known)} (found: {shown})"
            )
    kept = [(place, fact) for place, fact in found if not relations or fact.relation in relations]
    if len(kept) < len(found):
        dropped[OTHER_RELATION] = len(found) - len(kept)
    return kept


def _without_duplicates(
    found: Sequence[tuple[str, Fact]], dropped: Counter[str], problems: list[str]
) -> list[Fact]:
    """Return the distinct facts; one id for two different facts is a problem."""
    by_id: dict[str, tuple[str, Fact]] = {}
    said: set[tuple[str, ...]] = set()
    kept: list[Fact] = []
    for place, fact in found:
        earlier_place, earlier = by_id.setdefault(fact.fact_id, (place, fact))
        if earlier is not fact and _says(earlier) != _says(fact):
            problems.append(f"{place}: id '{fact.fact_id}' is that of another fact at {earlier_place}")
        elif _says(fact) in said:
            dropped[DUPLICATE if earlier is not fact and earlier == fact else SAME_FACT] += 1
        else:
            said.add(_says(fact))
            kept.append(fact)
    return kept


def _says(fact: Fact) -> tuple[str, ...]:
    return tuple(getattr(fact, column) for column in SAYS)


def _oddities(facts: Sequence[Fact]) -> list[str]:
    """Return notes on properties of the facts that would distort counts or scores."""
    by_question: dict[str, set[str]] = defaultdict(set)
    for fact in facts:
        by_question[fact.question].add(fact.answer)
    n_facts = {
        "share their question with a fact that has another answer (names of several things)": sum(
            len(by_question[fact.question]) > 1 for fact in facts
        ),
        "have one name as subject and object; their counts mean nothing": sum(
            fact.subject.casefold() == fact.object.casefold() for fact in facts
        ),
        "keep the set's own count as published_count, never to be ranked together with other counts": sum(
            "published_count" in (fact.model_extra or {}) for fact in facts
        ),
    }
    return [f"{n} facts {what}" for what, n in n_facts.items() if n]


def _why(dropped: Counter[str]) -> str:
    return (
        ": " + ", ".join(f"{n} {reason}" for reason, n in dropped.items())
        if dropped
        else "; they hold no rows"
    )
