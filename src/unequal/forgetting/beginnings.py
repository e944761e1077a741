"""Beginnings of sentences: what a model says before an answer, where the answer is scored and trained."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence

from unequal.facts.schema import Fact

_SUBJECT = "\0"


def with_beginnings(facts: Sequence[Fact], texts: Mapping[str, str]) -> list[Fact]:
    """Return the facts with the beginning of their sentence as the first of ``cloze``.

    ``texts`` are a model's answers by fact id. Of a text that holds an answer it is what stands before it; a
    fact whose text holds none gets the commonest of the others' beginnings, with its own subject, unless it
    has a ``cloze``. A text that begins with the answer leaves ``cloze`` empty, so that the bare answer is
    scored.
    """
    said = {fact.fact_id: _before_answer(fact, texts.get(fact.fact_id, "")) for fact in facts}
    templates = Counter(
        begun.replace(fact.subject, _SUBJECT)
        for fact in facts
        if (begun := said[fact.fact_id]) and fact.subject in begun
    )
    common = templates.most_common(1)[0][0] if templates else ""
    return [_with_beginning(fact, said[fact.fact_id], common) for fact in facts]


def _with_beginning(fact: Fact, begun: str | None, common: str) -> Fact:
    if begun is None:
        if fact.cloze or not common:
            return fact
        begun = common.replace(_SUBJECT, fact.subject)
    if not begun:
        return fact.model_copy(update={"cloze": ()})
    others = tuple(text for text in fact.cloze if text != begun)
    return fact.model_copy(update={"cloze": (begun, *others)})


def _before_answer(fact: Fact, text: str) -> str | None:
    """Return what a text says before the first of the fact's answers; None where it holds none."""
    names = (fact.answer, fact.object, *fact.answer_aliases, *fact.object_aliases)
    places = [
        found.start()
        for name in names
        if (found := re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text, re.I))
    ]
    return text[: min(places)].strip() if places else None
