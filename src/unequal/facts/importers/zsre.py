"""zsRE: questions about the subjects of relations, in the layouts of MEND and of the seed paper."""

from unequal.facts.importers.contract import (
    NO_RELATION,
    Columns,
    Context,
    FactSet,
    Row,
    answers,
    text,
    texts,
)
from unequal.facts.importers.seed_qa import SEED_PAPER, named_pair
from unequal.facts.names import without


def convert(row: Row, _context: Context) -> Columns:
    """Return the fact of a row; MEND's ``alt`` is a distractor, ``pred``, ``loc`` and ``cond`` are unused."""
    if row.get("src") is None:
        answer = text(row, "answer")
        question, subject = text(row, "question"), text(row, "subject")
        return named_pair(_relation(row, question, subject), subject, answer, row)
    question, subject, right = text(row, "src"), text(row, "subject"), answers(row, "answers")
    relation = _relation(row, question, subject)
    return {
        "subject": subject,
        "relation": relation,
        "object": right[0],
        "question": question,
        "answer": right[0],
        "answer_aliases": right[1:],
        "paraphrases": without(texts(row, "rephrase"), question),
        "distractors": without(texts(row, "alt"), *right),
    }


def _relation(row: Row, question: str, subject: str) -> str:
    """Return the relation of a row, or its question with a placeholder for the subject."""
    if row.get("relation") is not None:
        return text(row, "relation")
    return question.replace(subject, "[X]") if subject in question else NO_RELATION


ZSRE = FactSet(
    title="zero-shot relation extraction, as questions",
    source=f"Levy et al. 2017; Mitchell et al. 2022 (MEND); {SEED_PAPER}; hf:McGill-NLP/zsre_qa",
    forms=(("subject", "src", "answers"), ("subject", "question", "answer")),
    convert=convert,
    notes=("zsRE names no relation: it is the wording of the question with the subject left open",),
)
