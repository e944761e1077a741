"""Audit an unlearned model."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from unequal.api.facts import read_facts
from unequal.api.general import General, general_settings
from unequal.api.models import load
from unequal.api.results import AuditReport, Summary
from unequal.api.roles import by_role
from unequal.config import build
from unequal.console import progress_bar
from unequal.errors import ConfigError
from unequal.evaluation.general_table import sentences
from unequal.facts.roles import FactsByRole


def audit(
    before: Any,
    after: Any,
    facts: Any,
    *,
    policy: str | Path | None = None,
    counts: Mapping[str, int] | None = None,
    general: General = True,
    **options: Any,
) -> AuditReport:
    """Return the audit of an unlearned model against the model before: is it gone, and what did it cost?

    Facts without a role are to be forgotten; facts that should survive have the role utility or retain, and
    are drawn from the rest of the table where there are none. ``general`` adds what is about no fact, such as
    perplexity: true, false, or settings of ``[general]``. ``options`` are ``attacks``, ``n_wordings``,
    ``known_by`` and ``seed``; ``policy`` is a file such as examples/policy.toml. ``counts`` are by fact id.
    Raises `ConfigError` when the models have different tokenizers, `DataError` when the model before knew
    none of the facts.
    """
    from unequal.auditing.conclude import conclude
    from unequal.auditing.policy import read_policy
    from unequal.auditing.run import score_models
    from unequal.auditing.settings import AuditOptions
    from unequal.facts.complete import completed, relation_templates

    first, second = load(before), load(after)
    if first.tokenizer.get_vocab() != second.tokenizer.get_vocab():
        raise ConfigError(
            f"{first.name} and {second.name} have different tokenizers; give a model and what unlearning made"
            " of it"
        )
    chosen = build(
        AuditOptions, {"prompts": second.prompts, **options, "general": general_settings(general)}, "audit"
    )
    table = read_facts(facts)
    asked = table if any(fact.role for fact in table) else by_role(table, (), None, None, chosen.seed).all
    filled = completed(FactsByRole.of(asked).all, relation_templates(()))
    with progress_bar("auditing") as progress:
        models = [lambda: first.model, lambda: second.model]
        scores, notes = score_models(models, second.tokenizer, filled.facts, chosen, progress=progress)
    own = {fact.fact_id: fact.exposure if fact.count is None else fact.count for fact in filled.facts}
    described = {"before": first.name, "after": second.name, **chosen.model_dump(mode="json")}
    rules = read_policy(Path(policy)) if policy else None
    notes = [*filled.notes, *notes]
    found = conclude(chosen, filled.facts, scores, rules, {**own, **(counts or {})}, notes, described)
    return AuditReport(found, audit_summary(found.summary))


def audit_summary(summary: Mapping[str, Any]) -> Summary:
    """Return the headline of an audit with the number of facts of each verdict."""
    rows = tuple((str(one["verdict"]), f"{one['n_facts']}") for one in summary["verdicts"])
    headline, *below = summary["finding"]
    notes = (*below, *sentences(summary["general"]))
    return Summary(headline, ("verdict", "facts"), rows, notes)
