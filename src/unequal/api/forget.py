"""Forget facts from a model, with an audit of the result."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from unequal.api.facts import Facts, read_facts
from unequal.api.models import Model, load
from unequal.api.results import AuditReport, Summary, percent
from unequal.config import build
from unequal.console import say
from unequal.facts.roles import known_and_rest
from unequal.facts.schema import Fact, Role

if TYPE_CHECKING:
    from unequal.forgetting.run import Forgotten


@dataclass(frozen=True)
class ForgetResult:
    """The model that is kept, its audit, one row a method tried, and what was filled in."""

    model: Model
    audit: AuditReport
    methods: pl.DataFrame
    notes: list[str]
    summary: Summary

    def __repr__(self) -> str:
        return str(self.summary)

    def _repr_html_(self) -> str:
        return self.summary._repr_html_()


def forget(
    model: Any,
    facts: Any,
    out: str | Path,
    *,
    retain: Any = None,
    utility: Any = None,
    never_seen: Any = None,
    methods: Sequence[Any] | None = None,
    budget: float = 0.1,
    **options: Any,
) -> ForgetResult:
    """Return a model that was made to forget facts, with the audit of it; the same as ``unequal forget``.

    It finds how to ask, fills in facts to retain, untouched and never-seen ones where none are given (from
    the rest of the table that ``facts`` were sampled from, else from packaged facts that the model says),
    tries the ``methods`` (by default simnpo, npo and idk) within the ``budget``, attacks each result, and
    keeps the one of which attacks find least. Model, audit page, model card and ``forget.toml`` are written
    into ``out``; the model given stays as it is. ``options`` are those of the command, such as ``attacks``,
    ``steps``, ``time``, ``policy`` and ``seed``.
    Raises `DataError` when the model says under a tenth of the facts.
    """
    from unequal.api.audit import audit_summary
    from unequal.forgetting import run
    from unequal.forgetting.card import TABLE
    from unequal.forgetting.settings import ForgetSettings
    from unequal.models.checkpoint import Checkpoint

    before = load(model)
    out = Path(out)
    values: dict[str, Any] = {
        "model": before.name,
        "out": out,
        "facts": out / TABLE,
        "budget": budget,
        **options,
    }
    if methods is not None:
        values["methods"] = methods
    if "steps" in values:
        values["unlearn"] = {**values.get("unlearn", {}), "steps": values.pop("steps")}
    settings = build(ForgetSettings, values, "forget")
    table = facts if isinstance(facts, Facts) else read_facts(facts)
    known, rest = known_and_rest(list(table))
    given: tuple[tuple[Role, Any], ...] = (
        ("retain", retain), ("utility", utility), ("never_seen", never_seen)
    )  # fmt: skip
    for role, more in given:
        known += (
            [fact.model_copy(update={"role": role}) for fact in read_facts(more)] if more is not None else []
        )
    others: list[Fact] = [*rest, *table.rest]
    checkpoint = Checkpoint(before.model, before.tokenizer)
    found = run.forget(settings, run.Given(checkpoint, before.prompts, known, others), say)
    audit = AuditReport(found.audit, audit_summary(found.audit.summary))
    return ForgetResult(load(out / "model"), audit, found.methods, found.notes, _summary(found))


def _summary(found: "Forgotten") -> Summary:
    rows = tuple(
        (
            row["method"], f"{row['learning_rate']:.2g}", percent(row["left"]), percent(row["loss"]),
            "kept" if row["kept"] else "",
        )
        for row in found.methods.iter_rows(named=True)
    )  # fmt: skip
    columns = ("method", "learning rate", "still found", "lost at worst", "")
    return Summary(
        f"{found.settings.model} made to forget", columns, rows, tuple(found.audit.summary["finding"])
    )
