"""CounterFact: statements about entities with a true and a false completion."""

from collections.abc import Mapping
from typing import Any

from unequal.facts.importers.contract import (
    BLANK,
    Columns,
    Context,
    FactSet,
    Row,
    text,
    texts,
)
from unequal.facts.names import without

NESTED = "requested_rewrite"


def convert(row: Row, _context: Context) -> Columns:
    """Return the true fact of a row; the false completion becomes a wrong answer of the same type.

    Prompts about neighbours, attributes and free generation concern other facts and are not used.
    """
    rewrite = _rewrite(row)
    subject, right = text(rewrite, "subject"), text(rewrite, "target_true")
    prompt = text(rewrite, "prompt").replace("{}", subject)
    wrong = [name for name in ("target_new", "target_false") if rewrite.get(name) is not None]
    relation = text(rewrite, "relation_id" if rewrite.get("relation_id") else "relation")
    given = {} if row.get("case_id") is None else {"fact_id": f"counterfact-{text(row, 'case_id')}"}
    return given | {
        "subject": subject,
        "relation": relation,
        "object": right,
        "question": f"Fill in the blank: {prompt} {BLANK}.",
        "answer": right,
        "cloze": without([prompt, *texts(row, "paraphrase_prompts")]),
        "distractors": without([text(rewrite, name) for name in wrong], right),
    }


def _rewrite(row: Row) -> dict[str, Any]:
    """Return the inner columns of a nested row, one flattened with dots, or one without that level."""
    nested = row.get(NESTED)
    if isinstance(nested, Mapping):
        columns = dict(nested)
    else:
        columns = {name.removeprefix(f"{NESTED}."): value for name, value in row.items()}
    for name in ("target_true", "target_new"):
        target = columns.get(name)
        columns[name] = target.get("str") if isinstance(target, Mapping) else target
        columns[name] = columns[name] or columns.get(f"{name}.str")
    return columns


COUNTERFACT = FactSet(
    title="statements with a true and a false completion",
    source="Meng et al. 2022, arXiv 2202.05262; hf:azhx/counterfact, hf:NeelNanda/counterfact-tracing",
    forms=(
        (NESTED,),
        *((f"{NESTED}.prompt", f"{NESTED}.subject", f"{NESTED}.{target}") for target in
          ("target_true", "target_true.str")),
        ("prompt", "subject", "target_true", "relation_id"),
    ),
    convert=convert,
    notes=("CounterFact asks no questions: they are its statements with a blank for the object",),
)  # fmt: skip
