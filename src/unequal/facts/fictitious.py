"""Facts about names that do not exist: what a published model says where there is nothing to know."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from random import Random

from unequal.facts.names import without
from unequal.facts.schema import Fact
from unequal.seeds import random_stream

ORDER = 2  # letters that decide the next one: names that can be pronounced
TRIES = 200
STEM = 4
_END = "\n"

Letters = Mapping[str, Sequence[str]]


def made_up_facts(facts: Sequence[Fact], n_facts: int, seed: int) -> list[Fact]:
    """Return up to ``n_facts`` never-seen facts that ask about invented subjects as the given ones are asked.

    A subject is spelt by the letters of the subjects of its relation, so that it looks like one of them; no
    word of it begins as any of theirs does. Its answer and wrong answers are objects of the same relation, as
    frequent as there. Fewer come back where too few subjects stand in their own question, or where too few
    new names can be spelt.
    """
    relations: Mapping[str, list[Fact]] = defaultdict(list)
    for fact in facts:
        if fact.subject in fact.question:
            relations[fact.relation].append(fact)
    stream = random_stream(seed, "made up", *sorted(relations))
    letters = {relation: _letters(fact.subject for fact in own) for relation, own in relations.items()}
    taken = {
        stem for fact in facts for name in (fact.subject, *fact.subject_aliases) for stem in _stems(name)
    }
    patterns = [fact for own in relations.values() for fact in own]
    made: list[Fact] = []
    for _ in range(TRIES * n_facts if patterns else 0):
        if len(made) == n_facts:
            break
        pattern = stream.choice(patterns)
        name = _spell(letters[pattern.relation], stream, len(pattern.subject) + STEM)
        stems = _stems(name)
        if stems and taken.isdisjoint(stems) and len(name.split()[-1]) >= STEM:
            taken.update(stems)
            made.append(_ask(pattern, name, relations[pattern.relation], len(made), stream))
    return made


def is_made_up(fact: Fact) -> bool:
    """Return whether the fact's subject was invented here."""
    return (fact.model_extra or {}).get("made_up") in (True, "True")  # text in CSV files


def _ask(pattern: Fact, name: str, own: Sequence[Fact], number: int, stream: Random) -> Fact:
    """Return the fact about a new name in the words of another; ``own`` are the facts of its relation."""
    answer = stream.choice(own).object
    wrong = without(sorted({fact.object for fact in own}), answer)
    n_wrong = min(len(wrong), len(pattern.distractors))

    def renamed(text: str) -> str:
        return text.replace(pattern.subject, name)

    reverse = pattern.reverse_question and pattern.reverse_question.replace(pattern.object, answer)
    return pattern.model_copy(
        update={
            "fact_id": f"made-up-{pattern.relation}-{number}",
            "subject": name,
            "object": answer,
            "answer": answer,
            "question": renamed(pattern.question),
            "paraphrases": tuple(map(renamed, pattern.paraphrases)),
            "cloze": tuple(map(renamed, pattern.cloze)),
            "distractors": tuple(stream.sample(wrong, n_wrong)),
            "reverse_question": reverse,
            "subject_aliases": (),
            "object_aliases": (),
            "answer_aliases": (),
            "case_sensitive": (),
            "role": "never_seen",
            "exposure": 0,
            "made_up": True,
        }
    )


def _letters(names: Iterable[str]) -> Letters:
    """Return the letters that follow every run of `ORDER` letters in the names, as often as they do."""
    following: dict[str, list[str]] = defaultdict(list)
    for name in names:
        text = _END * ORDER + name + _END
        for place in range(ORDER, len(text)):
            following[text[place - ORDER : place]].append(text[place])
    return following


def _spell(letters: Letters, stream: Random, longest: int) -> str:
    """Return a name of at most ``longest`` letters, empty when none ends in time."""
    text = _END * ORDER
    while len(text) <= ORDER + longest:
        letter = stream.choice(letters[text[-ORDER:]])
        if letter == _END:
            return text[ORDER:].strip()
        text += letter
    return ""


def _stems(name: str) -> set[str]:
    """Return how the longer words of a name begin."""
    return {word[:STEM] for word in name.casefold().split() if len(word) >= STEM}
