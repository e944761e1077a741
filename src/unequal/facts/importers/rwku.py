"""RWKU: probes about two hundred real people and their neighbours, in three levels."""

from unequal.facts.importers.contract import (
    BLANK,
    NO_RELATION,
    Columns,
    Context,
    FactSet,
    Row,
    statement_prefix,
    text,
)


def convert(row: Row, _context: Context) -> Columns:
    """Return the fact of a probe; the subject of a neighbour's probe is the neighbour.

    ``level`` and ``type`` become ``rwku_level`` and ``rwku_type``, the person to forget ``rwku_target``.
    """
    query, answer, target = text(row, "query"), text(row, "answer"), text(row, "subject")
    subject = text(row, "neighbor") if row.get("neighbor") else target
    prefix = statement_prefix(query) if BLANK in query else None
    extras = {f"rwku_{name}": text(row, name) for name in ("level", "type") if row.get(name) is not None}
    return {
        "subject": subject,
        "relation": NO_RELATION,
        "object": answer,
        "question": query,
        "answer": answer,
        "cloze": [prefix] if prefix else [],
        "rwku_target": target,
    } | extras


RWKU = FactSet(
    title="probes about two hundred well-known people",
    source="Jin et al. 2024, arXiv 2406.10890; hf:jinzhuoran/RWKU:forget_level2:test (and the like)",
    forms=(("query", "answer", "subject"),),
    convert=convert,
    notes=(
        "RWKU names no relation; objects are the answers as written, which may be phrases",
        "level 3 wraps the questions of level 2 in attacks; reverse queries have the subject as the answer",
    ),
)
