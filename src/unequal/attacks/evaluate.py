"""Evaluation of an attacked model: probes through both passes, and each fact's best score for an attacker."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import polars as pl

from unequal.attacks.attack import ROW_SCHEMA, Attack, AttackContext
from unequal.evaluation.metrics import METRICS
from unequal.evaluation.metrics.contract import Metric, NoValueError, ProbeRecord
from unequal.evaluation.rows import FACT_COLUMNS
from unequal.facts.probes import Probe
from unequal.facts.schema import Fact

if TYPE_CHECKING:
    from transformers import PreTrainedModel

Found = tuple[float | None, str | None]
"""A value, or the reason why there is none."""

TAUGHT = "the attack trained on this fact"
TOO_LONG = "the prompt does not fit into the model's window"


def question(context: AttackContext, fact: Fact) -> Probe:
    """Return the fact's question as the context asks it, with the text that stands before every prompt."""
    (probe,) = context.maker.probes(fact, ["question"])
    return replace(probe, prompt=context.before + probe.prompt)


def fits(context: AttackContext, probe: Probe) -> bool:
    """Return whether the prompt fits into the model's window with each of its answers."""
    from unequal.models.configuration import window_of
    from unequal.scoring.encoding import open_prompt

    window = window_of(context.model)
    prompt, chat = probe.scored
    answers = replace(
        probe,
        prompt=prompt,
        chat=chat,
        accepted=(*probe.accepted, probe.answer, *probe.distractors),
        extra_tokens=0,
    )
    asked = open_prompt(context.tokenizer, answers)
    return window is None or len(asked.ids) + asked.limit <= window


def records(context: AttackContext, model: "PreTrainedModel", probes: Sequence[Probe]) -> list[ProbeRecord]:
    """Return what both passes give for each probe, in order; true-or-false probes have no text."""
    from unequal.scoring.generate import GenerationPass
    from unequal.scoring.log_probs import AnswerPass

    model.eval()
    open_probes = [probe for probe in probes if probe.kind != "true_false"]
    texts = iter(GenerationPass(context.tokenizer, open_probes).run(model))
    scores = AnswerPass(context.tokenizer, probes).run(model)
    return [
        ProbeRecord(probe, None if probe.kind == "true_false" else next(texts), score)
        for probe, score in zip(probes, scores, strict=True)
    ]


def evaluate(
    attack: Attack,
    context: AttackContext,
    model: "PreTrainedModel",
    probes: Sequence[Probe],
    missing: Mapping[str, str] = MappingProxyType({}),
    probe_kind: str = "question",
) -> pl.DataFrame:
    """Return the attack's rows, of each attacked fact the best of its probes; see `best_values`."""
    found = best_values(context, model, probes, attack.metrics, missing)
    return rows(attack, context, found, probe_kind)


def best_values(
    context: AttackContext,
    model: "PreTrainedModel",
    probes: Sequence[Probe],
    metrics: Sequence[str],
    missing: Mapping[str, str] = MappingProxyType({}),
) -> dict[str, dict[str, Found]]:
    """Return, by fact and metric, the value of the attacked facts' best probes for an attacker.

    ``missing`` are the facts without probes, by id, and the reason.
    """
    by_fact: dict[str, list[ProbeRecord]] = defaultdict(list)
    for record in records(context, model, [probe for probe in probes if fits(context, probe)]):
        by_fact[record.probe.fact_id].append(record)
    missing = {**dict.fromkeys((probe.fact_id for probe in probes), TOO_LONG), **missing}

    def of_fact(fact_id: str) -> dict[str, Found]:
        reason = missing.get(fact_id)
        return {name: best_value(METRICS.get(name), by_fact[fact_id], reason) for name in metrics}

    return {fact.fact_id: of_fact(fact.fact_id) for fact in context.attacked}


def best_value(metric: Metric, records: Sequence[ProbeRecord], reason: str | None) -> Found:
    """Return the metric's value at which a fact is known best, or the reason why there is none."""
    values: list[float] = []
    for record in records:
        try:
            values.append(metric.value(record))
        except NoValueError as error:
            reason = str(error)
    if not values:
        return None, reason
    return (max if metric.direction == "higher means known" else min)(values), None


def no_rows(
    attack: Attack, context: AttackContext, reason: str, probe_kind: str = "question"
) -> pl.DataFrame:
    """Return the attack's rows without any value, for one reason."""
    found = {fact.fact_id: dict.fromkeys(attack.metrics, (None, reason)) for fact in context.attacked}
    return rows(attack, context, found, probe_kind)


def rows(
    attack: Attack,
    context: AttackContext,
    found: Mapping[str, Mapping[str, Found]],
    probe_kind: str = "question",
) -> pl.DataFrame:
    """Return one row for each attacked fact and metric from what was found, by fact and metric."""
    lines: list[dict[str, Any]] = [
        {
            **{column: getattr(fact, column) for column in FACT_COLUMNS},
            "probe": probe_kind,
            "metric": f"{attack.name}_{metric}",
            "kind": "robustness",
            "value": value,
            "reason": reason,
        }
        for fact in context.attacked
        for metric, (value, reason) in found[fact.fact_id].items()
    ]
    return pl.DataFrame(lines, schema=ROW_SCHEMA)
