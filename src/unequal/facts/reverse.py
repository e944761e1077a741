"""Facts asked the other way round: for the subject, given the object."""

import re
from collections import Counter
from collections.abc import Iterable

from unequal.facts.schema import Fact

NO_QUESTION = "no question that its subject answers"
TOLD = "its question holds its answer"
REVERSE = "reverse_"
"""What the name of a relation begins with when its facts are turned round."""


def reverse_facts(facts: Iterable[Fact], dropped: Counter[str]) -> list[Fact]:
    """Return the facts turned round, less those without a ``reverse_question`` or with one that tells all.

    Guatemala City is such a one. What is left out is counted in ``dropped`` by reason.

    A model learns a fact in the direction in which text states it, and hardly in the other (Berglund et al.
    2023, arXiv 2309.12288). Held-out wordings and wrong answers belong to the old direction and are dropped.
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
