"""Reversed facts, which ask for the subject given the object."""

import re
from collections import Counter
from collections.abc import Iterable

from unequal.facts.schema import Fact

NO_QUESTION = "no question that its subject answers"
TOLD = "its question holds its answer"
REVERSE = "reverse_"
"""Prefix of the relation of reversed facts."""


def reverse_facts(facts: Iterable[Fact], dropped: Counter[str]) -> list[Fact]:
    """Return the reversed facts, with subject and object exchanged.

    Excluded are facts without a ``reverse_question`` and those whose question contains its answer (Guatemala
    City); ``dropped`` counts them by reason. Held-out wordings and distractors belong to the old direction
    and are removed. A model learns a fact mostly in the direction in which text states it (Berglund et al.
    2023, arXiv 2309.12288).
    """
    turned = []
    for fact in facts:
        question = fact.reverse_question
        if not question:
            dropped[NO_QUESTION] += 1
        elif any(_names(question, name) for name in (fact.subject, *fact.subject_aliases)):
            dropped[TOLD] += 1
        else:
            turned.append(_reverse(fact, question))
    return turned


def _names(text: str, name: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text, re.IGNORECASE) is not None


def _reverse(fact: Fact, question: str) -> Fact:
    return fact.model_copy(
        update={
            "fact_id": f"{REVERSE.replace('_', '-')}{fact.fact_id}",
            "relation": f"{REVERSE}{fact.relation}",
            "subject": fact.object,
            "object": fact.subject,
            "question": question,
            "answer": fact.subject,
            "subject_aliases": tuple(dict.fromkeys((*fact.object_aliases, *fact.answer_aliases))),
            "object_aliases": fact.subject_aliases,
            "answer_aliases": fact.subject_aliases,
            "paraphrases": (),
            "cloze": (),
            "distractors": (),
            "reverse_question": fact.question,
        }
    )
