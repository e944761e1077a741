"""What a table of facts lacks, filled in: wrong answers of the same relation, and held-out wordings."""

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from unequal.facts.schema import Fact
from unequal.facts.wordings import RelationWordings, read_wordings, with_tests
from unequal.facts.world.relations import RELATION_NAMES, load_relation
from unequal.seeds import random_stream

N_DISTRACTORS = 7
"""Wrong answers of a fact whose table gives none to any fact."""
MIN_SHARED_WORDS = 2
"""A template is used for questions that share as many words with the templates: those of its language."""
FILLED = {
    "distractors": "wrong answers were taken from the answers to other facts of the relation",
    "paraphrases": "paraphrases were made from templates of the relation",
    "cloze": "statements to complete (cloze) were made from templates of the relation",
    "reverse_question": "reverse questions were made from templates of the relation",
}
"""The columns that can be filled in, and how a note says it."""


@dataclass(frozen=True)
class Completed:
    """Facts in the order of their table, and for each column how many facts it was filled in for."""

    facts: list[Fact]
    filled: dict[str, int]

    @property
    def notes(self) -> list[str]:
        """What was filled in, a sentence a column."""
        of = len(self.facts)
        return [f"{FILLED[name]} for {n} of {of} facts, which had none" for name, n in self.filled.items()]


def relation_templates(paths: Iterable[Path] = ()) -> dict[str, RelationWordings]:
    """Return the templates that come with the package and those of the files, by name of the relation.

    Raises `ConfigError` for a file that cannot be read or is not one of wordings.
    """
    return {**_of_the_world(), **read_wordings(paths)}


def completed(
    facts: Sequence[Fact],
    templates: Mapping[str, RelationWordings],
    n_distractors: int | None = None,
    seed: int = 0,
) -> Completed:
    """Return the facts with wrong answers and wordings where their table has none, as far as there are any.

    Wordings come from ``templates``, for questions in their language. Each fact gets as many wrong answers
    as facts of its relation usually have. What a fact has is never changed.
    """
    worded = [_with_wordings(fact, templates) for fact in facts]
    usual = {} if n_distractors is not None else _usual_number(facts)
    done = with_distractors(worded, n_distractors or N_DISTRACTORS, seed, usual)
    filled = {
        name: sum(
            bool(getattr(new, name)) and not getattr(old, name) for old, new in zip(facts, done, strict=True)
        )
        for name in FILLED
    }
    return Completed(done, {name: n for name, n in filled.items() if n})


def with_distractors(
    facts: Sequence[Fact], n_distractors: int, seed: int, by_relation: Mapping[str, int] | None = None
) -> list[Fact]:
    """Return the facts, those without wrong answers with up to ``n_distractors`` answers of their relation.

    ``by_relation`` gives other numbers for some relations. Never drawn are an accepted answer of the fact,
    an answer to another question about its subject, another answer to the same question, and a name that
    holds one of these or is a part of it, as New York and New York City.
    """
    pools: Mapping[str, dict[str, tuple[str, ...]]] = defaultdict(dict)
    right: Mapping[tuple[str, str], set[str]] = defaultdict(set)
    for fact in facts:
        names = _names(fact)
        pools[fact.relation].setdefault(fact.answer, names)
        for key in _asked_about(fact):
            right[key].update(names)
    ordered = {relation: sorted(pool.items()) for relation, pool in pools.items()}
    numbers = by_relation or {}
    done = []
    for fact in facts:
        if not fact.distractors:
            wanted = numbers.get(fact.relation, n_distractors)
            known = {name for key in _asked_about(fact) for name in right[key]}
            drawn = _draw(fact, ordered[fact.relation], known, wanted, seed)
            fact = fact.model_copy(update={"distractors": drawn})
        done.append(fact)
    return done


def _draw(
    fact: Fact, pool: Sequence[tuple[str, tuple[str, ...]]], known: set[str], wanted: int, seed: int
) -> tuple[str, ...]:
    """Return answers of the pool that are wrong, from a draw that is made larger until there are enough."""
    n_drawn = wanted + len(known)
    while True:
        n_drawn = min(n_drawn, len(pool))
        stream = random_stream(seed, "distractors", fact.fact_id)
        found: dict[str, str] = {}
        for answer, names in stream.sample(pool, n_drawn):
            if known.isdisjoint(names) and not any(_same(name, other) for name in names for other in known):
                found.setdefault(plain(answer), answer)
        if len(found) >= wanted or n_drawn == len(pool):
            return tuple(found.values())[:wanted]
        n_drawn *= 4


def plain(name: str) -> str:
    """Return a name without case, accents, punctuation and runs of spaces; never an empty text."""
    folded = unicodedata.normalize("NFKD", name.casefold())
    letters = "".join(sign for sign in folded if not unicodedata.combining(sign))
    return " ".join(re.findall(r"\w+", letters)) or " ".join(name.casefold().split())


def _same(first: str, second: str) -> bool:
    """Return whether one plain name is the other, or stands in it as words."""
    return f" {first} " in f" {second} " or f" {second} " in f" {first} "


def _names(fact: Fact) -> tuple[str, ...]:
    accepted = (fact.answer, fact.object, *fact.answer_aliases, *fact.object_aliases)
    return tuple(dict.fromkeys(map(plain, accepted)))


def _asked_about(fact: Fact) -> list[tuple[str, str]]:
    subjects = [("subject", plain(name)) for name in (fact.subject, *fact.subject_aliases)]
    return [*subjects, *([("question", plain(fact.question))] if re.search(r"\w", fact.question) else [])]


def _usual_number(facts: Sequence[Fact]) -> dict[str, int]:
    """Return, by relation, how many wrong answers most facts that have any have: its own, else of the table.

    A choice among more is harder, so facts must not differ from never-seen ones in their number.
    """
    own: Mapping[str, Counter[int]] = defaultdict(Counter)
    for fact in facts:
        own[fact.relation].update([len(fact.distractors)] if fact.distractors else [])
    table = sum(own.values(), Counter[int]())
    return {
        relation: max(found or table or {N_DISTRACTORS: 1}, key=lambda n: ((found or table)[n], n))
        for relation, found in own.items()
    }


def _with_wordings(fact: Fact, templates: Mapping[str, RelationWordings]) -> Fact:
    known = templates.get(fact.relation)
    if known is None or not _in_their_language(fact, known):
        return fact
    worded = with_tests(fact, templates)
    asked = plain(fact.question)
    others = tuple(text for text in worded.paraphrases if plain(text) != asked)
    return worded if fact.paraphrases else worded.model_copy(update={"paraphrases": others})


def _in_their_language(fact: Fact, known: RelationWordings) -> bool:
    templates = (*known.questions.train, *known.questions.held_out)
    words = {word for text in templates for word in plain(text.replace("{subject}", " ")).split()}
    asked = plain(fact.question.replace(fact.subject, " ")).split()
    return len(words.intersection(asked)) >= MIN_SHARED_WORDS


def _of_the_world() -> dict[str, RelationWordings]:
    """Return the wordings of the synthetic world's relations."""
    shared = ("relation", "reverse_question", "statements", "questions")
    found = {name: load_relation(name).model_dump(include=set(shared)) for name in RELATION_NAMES}
    return {name: RelationWordings.model_validate({**one, "names": (name,)}) for name, one in found.items()}
