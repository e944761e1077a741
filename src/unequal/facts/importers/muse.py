"""MUSE: questions about passages of news and books (``knowmem``), and the pairs shown before them."""

from unequal.facts.importers.contract import NO_RELATION, Columns, Context, FactSet, Row, text


def convert(row: Row, _context: Context) -> Columns:
    """Return the fact of a row, with the question as subject and the answer as object."""
    question, answer = text(row, "question"), text(row, "answer")
    return {
        "subject": question,
        "relation": NO_RELATION,
        "object": answer,
        "question": question,
        "answer": answer,
    }


MUSE = FactSet(
    title="questions about passages of news and books",
    source="Shi et al. 2024, arXiv 2407.06460; hf:muse-bench/MUSE-News:knowmem:forget_qa (and MUSE-Books)",
    forms=(("question", "answer"),),
    convert=convert,
    countable=False,
)
