"""EntityQuestions: questions of 24 Wikidata relations, one file a relation, subjects within the question."""

import re

from unequal.facts.importers.contract import (
    BadRowError,
    Columns,
    Context,
    FactSet,
    Row,
    answers,
    text,
)

QUESTIONS = {
    "P106": "What kind of work does {} do?",
    "P112": "Who founded {}?",
    "P127": "Who owns {}?",
    "P131": "Where is {} located?",
    "P136": "What type of music does {} play?",
    "P159": "Where is the headquarter of {}?",
    "P17": "Which country is {} located in?",
    "P170": "Who was {} created by?",
    "P175": "Who performed {}?",
    "P176": "Which company is {} produced by?",
    "P19": "Where was {} born?",
    "P20": "Where did {} die?",
    "P26": "Who is {} married to?",
    "P264": "What music label is {} represented by?",
    "P276": "Where is {} located?",
    "P36": "What is the capital of {}?",
    "P40": "Who is {}'s child?",
    "P407": "Which language was {} written in?",
    "P413": "What position does {} play?",
    "P495": "Which country was {} created in?",
    "P50": "Who is the author of {}?",
    "P69": "Where was {} educated?",
    "P740": "Where was {} founded?",
    "P800": "What is {} famous for?",
}
"""The question of each relation, with a gap for the subject (Sciavolino et al. 2021, appendix)."""


def convert(row: Row, context: Context) -> Columns:
    """Return the fact of a row; relation and subject are inferred where the row lacks them."""
    question, right = text(row, "question"), answers(row, "answers")
    relation = text(row, "relation") if row.get("relation") else _relation(question, context.name)
    subject = text(row, "subject") if row.get("subject") else _subject(question, relation)
    return {
        "subject": subject,
        "relation": relation,
        "object": right[0],
        "question": question,
        "answer": right[0],
        "answer_aliases": right[1:],
    }


def _relation(question: str, name: str) -> str:
    """Return the relation from a file name such as ``P36.train.json``, or from the question's wording."""
    if match := re.match(r"(P\d+)(?![A-Za-z0-9])", name.replace("_", ".")):
        return match[1]
    asked = [relation for relation in QUESTIONS if _match(question, relation)]
    if len(asked) != 1:
        found = " and ".join(asked) or "none of the 24 relations"
        raise BadRowError(
            f"the question {question!r} may belong to {found};"
            " name the file after its relation (P36.train.json) or add a column relation"
        )
    return asked[0]


def _subject(question: str, relation: str) -> str:
    if relation not in QUESTIONS:
        raise BadRowError(f"column relation: {relation!r} is unknown, so a column subject is required")
    match = _match(question, relation)
    if match is None:
        wording = QUESTIONS[relation]
        raise BadRowError(f"column question: {question!r} is not worded as {relation}: {wording!r}")
    return match[1].strip()


def _match(question: str, relation: str) -> re.Match[str] | None:
    before, after = QUESTIONS[relation].split("{}")
    return re.fullmatch(f"{re.escape(before)}(.+){re.escape(after)}", question)


ENTITYQUESTIONS = FactSet(
    title="simple questions about entities, 24 relations",
    source="Sciavolino et al. 2021, arXiv 2109.08535; princeton-nlp/EntityQuestions",
    forms=(("question", "answers"),),
    convert=convert,
    notes=("answers beyond the first are accepted but not counted; they may name other entities",),
)
