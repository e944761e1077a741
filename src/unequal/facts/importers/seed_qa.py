"""Question-answer pairs of the seed paper, with the two names in separate columns.

Krishnan, Reddy, Mosbach, "Not All Data Are Unlearned Equally" (arXiv 2504.05058); the sets
``country_capital_qa``, ``book_author_qa`` and ``zsre_qa`` of McGill-NLP on the Hugging Face Hub.
"""

from unequal.facts.importers.contract import Columns, Row, number, text, texts
from unequal.facts.names import without

SEED_PAPER = "Krishnan, Reddy, Mosbach 2025, arXiv 2504.05058"


def named_pair(relation: str, subject: str, obj: str, row: Row) -> Columns:
    """Return the columns of a fact about two names; a sentence-long answer is kept, the object is the name.

    A count in the paper's files (infini-gram on Dolma 1.7) becomes ``published_count``, since ``count`` is
    for counts with a stated definition. The question is the row's ``question`` or ``direct_question``;
    without either, the caller adds it.
    """
    question = next((text(row, name) for name in ("question", "direct_question") if row.get(name)), None)
    answer = next((text(row, name) for name in ("answer", "direct_answer") if row.get(name)), obj)
    paraphrases = texts(row, "paraphrased_question")
    columns: Columns = {
        "subject": subject,
        "relation": relation,
        "object": obj,
        "answer": answer,
        "paraphrases": without(paraphrases, question or ""),
        "answer_aliases": without([obj], answer),
    }
    if question is not None:
        columns["question"] = question
    if (count := number(row, "count")) is not None:
        columns["published_count"] = count
    return columns
