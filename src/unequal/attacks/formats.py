"""Format shift: the reversed question, a cloze statement to complete, or a true-or-false statement."""

from dataclasses import replace
from typing import ClassVar, Literal

import polars as pl

from unequal.attacks.attack import ANSWER_METRICS, Attack, AttackContext
from unequal.attacks.evaluate import Found, best_values, evaluate, rows
from unequal.facts.probes import Probe, ProbeKind

LACKING = {
    "reverse": "the fact has no reverse question",
    "cloze": "the fact has no cloze prompts",
    "true_false": "the fact lacks cloze prompts or distractors",
}


class FormatShift(Attack):
    """Asks backwards (from the object to the subject), or lets a statement be completed.

    Of several statements the best for the attacker counts.
    """

    title: ClassVar[str] = "Other format"
    shows: ClassVar[str] = "whether only the question's own format was unlearned"
    source: ClassVar[str] = "Berglund et al. (2023), arXiv 2309.12288; Lynch et al. (2024), arXiv 2402.16835"
    metrics: ClassVar[tuple[str, ...]] = ANSWER_METRICS

    kind: Literal["reverse", "cloze"]

    def run(self, context: AttackContext) -> pl.DataFrame:
        """Return the rows; facts without the columns for such prompts have no value."""
        probes, missing = _probes(context, self.kind)
        return evaluate(self, context, context.model, probes, missing, self.kind)


class TrueOrFalse(Attack):
    """Asks whether a true and whether a false statement is true: mean accuracy, so always yes gets a half."""

    title: ClassVar[str] = "True or false"
    shows: ClassVar[str] = "whether the model still tells the fact from a false statement"
    source: ClassVar[str] = "Krishnan et al. (2025), arXiv 2504.05058, with false statements added"
    metrics: ClassVar[tuple[str, ...]] = ("choice_accuracy",)

    kind: Literal["true_false"] = "true_false"

    def run(self, context: AttackContext) -> pl.DataFrame:
        """Return the rows; facts without cloze prompts or distractors have no value."""
        probes, missing = _probes(context, self.kind)
        by_variant = [[probe for probe in probes if probe.variant == variant] for variant in (0, 1)]
        true, false = (
            best_values(context, context.model, some, self.metrics, missing) for some in by_variant
        )
        found = {
            fact_id: {name: _mean(value, false[fact_id][name]) for name, value in values.items()}
            for fact_id, values in true.items()
        }
        return rows(self, context, found, self.kind)


def _probes(context: AttackContext, kind: ProbeKind) -> tuple[list[Probe], dict[str, str]]:
    """Return the probes of all attacked facts, and why the others have none."""
    probes: list[Probe] = []
    missing: dict[str, str] = {}
    for fact in context.attacked:
        made = context.maker.probes(fact, [kind])
        probes += [replace(probe, prompt=context.before + probe.prompt) for probe in made]
        if not made:
            missing[fact.fact_id] = LACKING[kind]
    return probes, missing


def _mean(first: Found, second: Found) -> Found:
    if first[0] is None or second[0] is None:
        return None, first[1] or second[1]
    return (first[0] + second[0]) / 2, None
