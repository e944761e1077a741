"""Other formats: the fact asked backwards, as a sentence to complete, or as a statement to judge."""

from dataclasses import replace
from typing import ClassVar, Literal

import polars as pl

from unequal.attacks.attack import ANSWER_METRICS, Attack, AttackContext
from unequal.attacks.judge import Found, find, judge, rows
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
        probes, gaps = _probes(context, self.kind)
        return judge(self, context, context.model, probes, gaps, self.kind)


class TrueOrFalse(Attack):
    """Asks whether a true and whether a false statement is true: mean accuracy, so always yes gets a half."""

    title: ClassVar[str] = "True or false"
    shows: ClassVar[str] = "whether the model still tells the fact from a false statement"
    source: ClassVar[str] = "Krishnan et al. (2025), arXiv 2504.05058, with false statements added"
    metrics: ClassVar[tuple[str, ...]] = ("choice_accuracy",)

    kind: Literal["true_false"] = "true_false"

    def run(self, context: AttackContext) -> pl.DataFrame:
        """Return the rows; facts without cloze prompts or distractors have no value."""
        probes, gaps = _probes(context, self.kind)
        true, false = (
            find(
                context,
                context.model,
                [probe for probe in probes if probe.variant == variant],
                self.metrics,
                gaps,
            )
            for variant in (0, 1)
        )
        found = {
            fact_id: {name: _mean(value, false[fact_id][name]) for name, value in values.items()}
            for fact_id, values in true.items()
        }
        return rows(self, context, found, self.kind)


def _probes(context: AttackContext, kind: ProbeKind) -> tuple[list[Probe], dict[str, str]]:
    """Return the probes of all attacked facts, and why the others have none."""
    probes: list[Probe] = []
    gaps: dict[str, str] = {}
    for fact in context.attacked:
        made = context.maker.probes(fact, [kind])
        probes += [replace(probe, prompt=context.before + probe.prompt) for probe in made]
        if not made:
            gaps[fact.fact_id] = LACKING[kind]
    return probes, gaps


def _mean(first: Found, second: Found) -> Found:
    if first[0] is None or second[0] is None:
        return None, first[1] or second[1]
    return (first[0] + second[0]) / 2, None
