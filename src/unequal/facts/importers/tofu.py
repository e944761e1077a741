"""TOFU: questions about fictitious authors, with answers in sentences."""

from unequal.facts.importers.contract import (
    NO_RELATION,
    Columns,
    Context,
    FactSet,
    Row,
    text,
    texts,
)
from unequal.facts.names import without


def convert(row: Row, _context: Context) -> Columns:
    """Return the fact of a row, with the question as subject and the answer as object.

    A column ``author`` or ``subject``, which the published files lack, is used as subject if present.
    """
    question, answer = text(row, "question"), text(row, "answer")
    named = next((name for name in ("author", "subject") if row.get(name)), "question")
    paraphrased, wrong = texts(row, "paraphrased_question"), texts(row, "perturbed_answer")
    options = [item for name in ("option1", "option2", "option3", "option4") for item in texts(row, name)]
    return {
        "subject": text(row, named),
        "relation": NO_RELATION,
        "object": answer,
        "question": question,
        "answer": answer,
        "answer_aliases": without(texts(row, "paraphrased_answer"), answer),
        "paraphrases": without(paraphrased, question),
        "distractors": without(wrong or options, answer),
    }


TOFU = FactSet(
    title="questions about authors who do not exist",
    source="Maini et al. 2024, arXiv 2401.06121; hf:locuslab/TOFU",
    forms=(("question", "answer"),),
    convert=convert,
    countable=False,
)
