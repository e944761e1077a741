"""Index of the names of facts: distinct patterns, the entities they name, and subject-object pairs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

import numpy as np

from unequal.counting.characters import Spelling, spellings
from unequal.counting.normalise import Normaliser, normalise, utf8
from unequal.counting.ragged import Groups, group
from unequal.counting.scan.definition import Case
from unequal.counting.words import Ints
from unequal.errors import DataError
from unequal.facts.schema import Fact
from unequal.plain_text import short

LONGEST = 5000
"""Maximum bytes of a name that every matcher accepts."""

Name = tuple[bytes, bytes]
"""The normal form of a name, and its `aligned` cased form if the name is case-sensitive, else empty."""

Entity = tuple[Name, ...]
"""The sorted distinct names of one subject or object."""


@dataclass(frozen=True, slots=True)
class NameIndex:
    """Distinct patterns, entities and pairs of facts, each with an index from 0.

    A name is a pattern of an entity, with the cased bytes that a match must have (empty if it is not
    case-sensitive); names have indices too.
    """

    patterns: tuple[bytes, ...]
    pattern_names: Groups
    name_entity: Ints
    name_cased: tuple[bytes, ...]
    any_cased: bool
    n_entities: int
    subject_pairs: Groups
    pair_subject: Ints
    pair_object: Ints
    fact_pair: Ints


def index_names(facts: Sequence[Fact], case: Case = "fold", spelling: Spelling = "loose") -> NameIndex:
    """Return the index of the names of the facts.

    Raises `DataError` for a name that is empty after normalisation, and for a name in `case_sensitive`
    that the fact does not have.
    """
    entities: dict[Entity, int] = {}
    pairs: dict[tuple[int, int], int] = {}
    fact_pair: list[int] = []
    for fact in facts:
        subject = _entity(fact, (fact.subject, *fact.subject_aliases), case, spelling)
        object_ = _entity(fact, (fact.object, *fact.object_aliases), case, spelling)
        if fact.case_sensitive:
            _check_case_sensitive(fact)
        pair = (entities.setdefault(subject, len(entities)), entities.setdefault(object_, len(entities)))
        fact_pair.append(pairs.setdefault(pair, len(pairs)))
    names = [(pattern, cased, number) for entity, number in entities.items() for pattern, cased in entity]
    patterns = {p: number for number, p in enumerate(sorted({pattern for pattern, _, _ in names}))}
    asked = np.array(list(pairs), dtype=np.int64).reshape(-1, 2)
    return NameIndex(
        patterns=tuple(patterns),
        pattern_names=group(
            np.array([patterns[pattern] for pattern, _, _ in names], dtype=np.int64),
            np.arange(len(names)),
            len(patterns),
        ),
        name_entity=np.array([entity for _, _, entity in names], dtype=np.int64),
        name_cased=tuple(cased for _, cased, _ in names),
        any_cased=any(cased for _, cased, _ in names),
        n_entities=len(entities),
        subject_pairs=group(asked[:, 0], np.arange(len(asked)), len(entities)),
        pair_subject=asked[:, 0],
        pair_object=asked[:, 1],
        fact_pair=np.array(fact_pair, dtype=np.int64),
    )


def _entity(fact: Fact, names: Sequence[str], case: Case, spelling: Spelling) -> Entity:
    entity: dict[bytes, set[bytes]] = {}
    spelled = [(name, own) for name in names for own in spellings(name, spelling)]
    for name, own in spelled:
        folded = normalise(own, spelling)
        if not folded:
            raise DataError(
                f"fact '{fact.fact_id}': nothing is left of the name {name!r} after normalisation;"
                " give it a visible character or remove it"
            )
        if len(utf8(folded)) > LONGEST:
            raise DataError(
                f"fact '{fact.fact_id}': the name {short(name)!r} is too long to look for; a name should have"
                f" at most {LONGEST} bytes"
            )
        as_written = (
            case == "exact" or name in fact.case_sensitive or (case == "acronyms" and _is_acronym(name))
        )
        cased = _CASED[spelling].block([own]).cased.strip() if as_written else b""
        entity.setdefault(utf8(folded), set()).add(cased)
    return tuple((folded, cased) for folded in sorted(entity) for cased in _widest(entity[folded]))


_CASED = {spelling: Normaliser(True, spelling) for spelling in get_args(Spelling)}


def _widest(cased: set[bytes]) -> list[bytes]:
    """Return the allowed casings of a name; if any casing is allowed, only that."""
    return [b""] if b"" in cased else sorted(cased)


def _is_acronym(name: str) -> bool:
    return name == name.upper() and name != name.lower()


def _check_case_sensitive(fact: Fact) -> None:
    names = (fact.subject, *fact.subject_aliases, fact.object, *fact.object_aliases)
    for name in fact.case_sensitive:
        if name not in names:
            raise DataError(
                f"fact '{fact.fact_id}': case_sensitive lists {name!r}, which is none of its names"
                f" ({', '.join(names)}); write it as the subject, the object or an alias does"
            )
