"""ParaRel and T-REx: triples of Wikidata relations, asked by filling the blank in a relation's patterns."""

import re
from collections.abc import Iterable, Mapping

from unequal.facts.importers.contract import (
    BLANK,
    BadRowError,
    Columns,
    Context,
    ExcludedRowError,
    FactSet,
    Row,
    statement_prefix,
    text,
)
from unequal.facts.names import without

MOST_PARAPHRASES = 20


def convert(row: Row, context: Context) -> Columns:
    """Return the fact of a triple; rows of relations without a pattern are excluded."""
    relation = _relation(row, context.name)
    subject, obj = text(row, "sub_label"), text(row, "obj_label")
    patterns = context.patterns.get(relation, ())
    if not patterns:
        raise ExcludedRowError(f"no pattern for relation {relation}")
    # the object's gap first: a subject may itself hold brackets
    statements = [pattern.replace("[Y]", BLANK).replace("[X]", subject) for pattern in patterns]
    questions = without(f"Fill in the blank: {statement}" for statement in statements)
    given = {"fact_id": f"pararel-{text(row, 'uuid')}"} if row.get("uuid") else {}
    prefixes = (statement_prefix(statement) for statement in statements)
    return given | {
        "subject": subject,
        "relation": relation,
        "object": obj,
        "question": questions[0],
        "answer": obj,
        "paraphrases": questions[1 : 1 + MOST_PARAPHRASES],
        "cloze": without(prefix for prefix in prefixes if prefix),
    }


def read_patterns(rows: Iterable[tuple[Row, str]]) -> dict[str, list[str]]:
    """Return the patterns of each relation, from rows with the names of their files.

    A row holds ``pattern`` (ParaRel) or ``template`` (LAMA), with [X] for the subject and [Y] for the object.
    Raises `BadRowError` for a row without them.
    """
    patterns: dict[str, list[str]] = {}
    for row, name in rows:
        column = "template" if row.get("pattern") is None else "pattern"
        pattern = re.sub(r"\s+([.,])", r"\1", text(row, column))
        if pattern.count("[X]") != 1 or pattern.count("[Y]") != 1:
            raise BadRowError(f"column {column}: {pattern!r} must hold [X] and [Y] once each")
        patterns.setdefault(_relation(row, name), []).append(pattern)
    return patterns


def _relation(row: Mapping[str, object], name: str) -> str:
    """Return the relation from a row or its file name."""
    for column in ("relation", "predicate_id"):
        if row.get(column):
            return text(row, column)
    if match := re.match(r"(P\d+)(?![A-Za-z0-9])", name.replace("_", ".")):
        return match[1]
    raise BadRowError("no column relation or predicate_id, and the file is not named after one (P36.jsonl)")


PARAREL = FactSet(
    title="triples of 41 relations with paraphrased patterns",
    source="Elazar et al. 2021, arXiv 2102.01017; ElSahar et al. 2018 (T-REx); Petroni et al. 2019 (LAMA)",
    forms=(("sub_label", "obj_label"),),
    convert=convert,
    notes=("questions are the relation's patterns with a blank for the object",),
    needs_patterns=True,
)
