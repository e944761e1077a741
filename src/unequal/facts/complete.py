"""Completion of fact tables: distractors from the same relation, and held-out wordings."""

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from unequal.facts.schema import Fact
from unequal.facts.wordings import RelationWordings, read_wordings, with_held_out_wordings
from unequal.facts.world.relations import RELATION_NAMES, load_relation
from unequal.seeds import random_stream

N_DISTRACTORS = 7
"""Number of distractors if no fact of the table has any."""
MIN_SHARED_WORDS = 2
"""Minimum words a question must share with the templates, as a check of its language."""
FILLED = {
    "distractors": "wrong answers were taken from the answers to other facts of the relation",
    "paraphrases": "paraphrases were made from templates of the relation",
    "cloze": "statements to complete (cloze) were made from templates of the relation",
    "reverse_question": "reverse questions were made from templates of the relation",
}
"""The columns that can be filled in, with their names in notes."""


@dataclass(frozen=True)
class Completed:
    """Completed facts in the order of the table, and the number of facts filled in by column."""

    facts: list[Fact]
    filled: dict[str, int]

    @property
    def notes(self) -> list[str]:
        """One message a column about the filled-in values."""
        of = len(self.facts)
        return [f"{FILLED[name]} for {n} of {of} facts, which had none" for name, n in self.filled.items()]


def relation_templates(paths: Iterable[Path] = ()) -> dict[str, RelationWordings]:
    """Return the wording templates of the package and of the files, by name of the relation.

    Raises `ConfigError` for a file that cannot be read or has no wordings.
    """
    return {**_of_the_world(), **read_wordings(paths)}


def completed(
    facts: Sequence[Fact],
    templates: Mapping[str, RelationWordings],
    n_distractors: int | None = None,
    seed: int = 0,
) -> Completed:
    """Return the facts with missing distractors and wordings filled in, where possible.

    Wordings come from ``templates``, for questions in their language. Each fact gets as many distractors
    as facts of its relation usually have. Existing values are never changed.
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
    """Return the facts with missing distractors drawn from answers of the same relation.

    Up to ``n_distractors`` are drawn; ``by_relation`` overrides this for some relations. Excluded are
    accepted answers of the fact, answers to other questions about its subject, other answers to the same
    question, and names that contain one of these or are part of one, such as New York and New York City. A
    statement takes answers of its type (see `Fact.answer_type`), a passage none.
    """
    pools: Mapping[str, dict[str, tuple[str, ...]]] = defaultdict(dict)
    right: Mapping[tuple[str, str], set[str]] = defaultdict(set)
    for fact in facts:
        names = _names(fact)
        pools[fact.answer_type].setdefault(fact.answer, names)
        for key in _asked_about(fact):
            right[key].update(names)
    ordered = {relation: sorted(pool.items()) for relation, pool in pools.items()}
    numbers = by_relation or {}
    done = []
    for fact in facts:
        if not fact.distractors and not fact.is_passage:
            wanted = numbers.get(fact.relation, n_distractors)
            known = {name for key in _asked_about(fact) for name in right[key]}
            drawn = _draw(fact, ordered[fact.answer_type], known, wanted, seed)
            fact = fact.model_copy(update={"distractors": drawn})
        done.append(fact)
    return done


def _draw(
    fact: Fact, pool: Sequence[tuple[str, tuple[str, ...]]], known: set[str], wanted: int, seed: int
) -> tuple[str, ...]:
    """Return wrong answers from the pool, drawing more until there are enough."""
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
    """Return a name without case, accents, punctuation and repeated spaces; never empty."""
    folded = unicodedata.normalize("NFKD", name.casefold())
    letters = "".join(sign for sign in folded if not unicodedata.combining(sign))
    return " ".join(re.findall(r"\w+", letters)) or " ".join(name.casefold().split())


def _same(first: str, second: str) -> bool:
    """Return whether one plain name equals the other or contains it as whole words."""
    return f" {first} " in f" {second} " or f" {second} " in f" {first} "


def _names(fact: Fact) -> tuple[str, ...]:
    accepted = (fact.answer, fact.object, *fact.answer_aliases, *fact.object_aliases)
    return tuple(dict.fromkeys(map(plain, accepted)))


def _asked_about(fact: Fact) -> list[tuple[str, str]]:
    subjects = [("subject", plain(name)) for name in (fact.subject, *fact.subject_aliases)]
    return [*subjects, *([("question", plain(fact.question))] if re.search(r"\w", fact.question) else [])]


def _usual_number(facts: Sequence[Fact]) -> dict[str, int]:
    """Return the most common number of distractors by relation, or of the whole table.

    More choices are harder, so facts and never-seen facts must have equally many.
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
    worded = with_held_out_wordings(fact, templates)
    asked = plain(fact.question)
    others = tuple(text for text in worded.paraphrases if plain(text) != asked)
    return worded if fact.paraphrases else worded.model_copy(update={"paraphrases": others})


def _in_their_language(fact: Fact, known: RelationWordings) -> bool:
    templates = (*known.questions.train, *known.questions.held_out)
    words = {word for text in templates for word in plain(text.replace("{subject}", " ")).split()}
    asked = plain(fact.question.replace(fact.subject, " ")).split()
    return len(words.intersection(asked)) >= MIN_SHARED_WORDS


def _of_the_world() -> dict[str, RelationWordings]:
    """Return the wordings of the relations of the synthetic world."""
    shared = ("relation", "reverse_question", "statements", "questions")
    found = {name: load_relation(name).model_dump(include=set(shared)) for name in RELATION_NAMES}
    return {name: RelationWordings.model_validate({**one, "names": (name,)}) for name, one in found.items()}
