"""Rows without questions as rows of a fact table: statements, passages, and ids made from the content."""

import hashlib
import json
import re
from collections.abc import Iterator
from typing import Any

from unequal.facts.lists import list_in
from unequal.facts.passages import chunks
from unequal.facts.problems import Findings
from unequal.facts.schema import STATEMENT, Fact
from unequal.facts.statements import split_statement

PLAIN_COLUMNS = ("statement", "text")
"""Columns of which one is enough to make facts of a row."""
IDS_MADE = "there is no fact_id; ids are made from the content of each row"
STATEMENTS_SPLIT = (
    "statements are asked by their beginning and answered by their end"
    " (unequal facts check TABLE --out FILE writes both)"
)
PASSAGES_CUT = "passages are cut into chunks, each asked by the words before it"
_IDENTIFYING = ("subject", "relation", "object", "question", "answer")
_TITLE_WORDS = 6
_LONGEST_SLUG = 24

Row = dict[str, Any]


def fact_rows(row: Row, findings: Findings) -> Iterator[Row]:
    """Yield the rows of a fact table that a row stands for: several for a passage, else one.

    A row with a question is one already. Of other rows a ``statement``, or else a ``text``, is asked as a
    completion. Raises `ValueError`, with the column and what is wrong, where that is impossible.
    """
    if not _text(row, "question") and _text(row, "statement"):
        made = iter((_of_statement(_filled(row), findings),))
    elif not _text(row, "question") and _text(row, "text"):
        made = _of_passage(_filled(row), findings)
    else:
        made = iter((row,))
    for one in made:
        if one.get("fact_id") is None:
            findings.note([IDS_MADE])
            one = {**one, "fact_id": _made_id(one.get("subject"), [one.get(name) for name in _IDENTIFYING])}
        yield one


def _of_statement(row: Row, findings: Findings) -> Row:
    """Return the row of a statement, asked by its beginning."""
    findings.note([STATEMENTS_SPLIT])
    given = _text(row, "answer") or _text(row, "object")
    statement = row.pop("statement")
    others = [str(value) for name, value in row.items() if name not in Fact.model_fields]
    try:
        subject, question, answer = split_statement(statement, _text(row, "subject"), given, others)
    except ValueError as error:
        raise ValueError(f"statement: {error}") from error
    cloze = row.get("cloze", ())
    more = list_in(cloze) if isinstance(cloze, str) else cloze
    made = {"subject": subject, "relation": STATEMENT, "object": answer}
    return {**made, **row, "question": question, "answer": answer, "cloze": [question, *more]}


def _of_passage(row: Row, findings: Findings) -> Iterator[Row]:
    """Yield the rows of a passage's chunks, with ``passage`` and ``chunk``, numbered from 1."""
    findings.note([PASSAGES_CUT])
    passage = row.pop("text")
    try:
        parts = list(chunks(passage))
    except ValueError as error:
        raise ValueError(f"text: {error}") from error
    title = _text(row, "subject") or _text(row, "title") or " ".join(passage.split()[:_TITLE_WORDS])
    name = str(row.get("fact_id") or _made_id(title, passage))
    if "fact_id" not in row:
        findings.note([IDS_MADE])
    for number, (before, text) in enumerate(parts, start=1):
        yield {
            "subject": title, "relation": "passage", "object": text, "passage": name, **row,
            "fact_id": f"{name}-{number:03}", "chunk": number, "question": before, "answer": text,
            "cloze": [before],
        }  # fmt: skip


def _made_id(subject: Any, content: Any) -> str:
    """Return an id that says what a row is about and depends on its content alone."""
    slug = re.sub(r"\W+", "-", str(subject or "").casefold())[:_LONGEST_SLUG].strip("-")
    digest = hashlib.sha256(json.dumps(content, default=str).encode()).hexdigest()[:8]
    return f"{slug}-{digest}" if slug else digest


def _text(row: Row, column: str) -> str:
    value = row.get(column)
    return value.strip() if isinstance(value, str) else ""


def _filled(row: Row) -> Row:
    """Return a row without empty cells: None, NaN or blank."""
    return {
        name: value
        for name, value in row.items()
        if value is not None and value == value and not (isinstance(value, str) and not value.strip())
    }
