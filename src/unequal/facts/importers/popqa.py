"""PopQA: questions about Wikidata entities with the page views of subject and object."""

import re

from unequal.facts.importers.contract import (
    BadRowError,
    Columns,
    Context,
    FactSet,
    Row,
    answers,
    number,
    text,
    texts,
)
from unequal.facts.names import without

QUESTIONS = {
    "occupation": "What is {}'s occupation?",
    "place of birth": "In what city was {} born?",
    "genre": "What genre is {}?",
    "father": "Who is the father of {}?",
    "country": "In what country is {}?",
    "producer": "Who was the producer of {}?",
    "director": "Who was the director of {}?",
    "capital of": "What is {} the capital of?",
    "screenwriter": "Who was the screenwriter for {}?",
    "composer": "Who was the composer of {}?",
    "color": "What color is {}?",
    "religion": "What is the religion of {}?",
    "sport": "What sport does {} play?",
    "author": "Who is the author of {}?",
    "mother": "Who is the mother of {}?",
    "capital": "What is the capital of {}?",
}
"""The question of each of the 16 relations, with a gap for the subject (Mallen et al. 2023, appendix)."""


def convert(row: Row, _context: Context) -> Columns:
    """Return the fact of a row, in the published or the reduced layout, with ``s_pop`` and ``o_pop``."""
    columns = _reduced(row) if row.get("question") is None else _published(row)
    popularity = {name: number(row, name) for name in ("s_pop", "o_pop")}
    return {"fact_id": f"popqa-{text(row, 'id')}"} | columns | popularity


def _published(row: Row) -> Columns:
    subject, answer = text(row, "subj"), text(row, "obj")
    return {
        "subject": subject,
        "relation": text(row, "prop"),
        "object": answer,
        "question": text(row, "question"),
        "answer": answer,
        "subject_aliases": without(texts(row, "s_aliases"), subject),
        "object_aliases": without(texts(row, "o_aliases"), answer),
        "answer_aliases": without(texts(row, "possible_answers"), answer),
    }


def _reduced(row: Row) -> Columns:
    """Return the columns of a row that holds only a question and its answers."""
    question, right = text(row, "input"), answers(row, "output")
    relation, subject = _asked_about(question)
    return {
        "subject": subject,
        "relation": relation,
        "object": right[0],
        "question": question,
        "answer": right[0],
        "answer_aliases": right[1:],
    }


def _asked_about(question: str) -> tuple[str, str]:
    for relation, wording in QUESTIONS.items():
        before, after = wording.split("{}")
        if match := re.fullmatch(f"{re.escape(before)}(.+){re.escape(after)}", question):
            return relation, match[1].strip()
    raise BadRowError(f"column input: {question!r} has the wording of none of PopQA's 16 questions")


POPQA = FactSet(
    title="questions with the popularity of both entities",
    source="Mallen et al. 2023, arXiv 2212.10511; hf:akariasai/PopQA",
    forms=(
        ("id", "subj", "prop", "obj", "question", "possible_answers", "s_pop", "o_pop"),
        ("id", "input", "output", "s_pop", "o_pop"),
    ),
    convert=convert,
    notes=(
        "s_pop and o_pop are monthly Wikipedia page views, not counts in a corpus",
        "answers beyond the object are accepted but not counted; they may name other entities",
    ),
)
