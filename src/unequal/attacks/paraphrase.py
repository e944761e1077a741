"""Worst-case paraphrase: each fact's best score over all held-out wordings of its question."""

from dataclasses import replace
from typing import ClassVar, Literal

import polars as pl

from unequal.attacks.attack import ANSWER_METRICS, Attack, AttackContext
from unequal.attacks.evaluate import evaluate, question


class WorstParaphrase(Attack):
    """Asks in every held-out wording and keeps the best answer for the attacker, of each fact and metric.

    A best of several is higher than a mean by chance alone; the never-seen facts show by how much.
    """

    title: ClassVar[str] = "Worst paraphrase"
    shows: ClassVar[str] = "whether any other wording of the question still finds the fact"
    source: ClassVar[str] = "Patil et al. (2023), arXiv 2309.17410; Lynch et al. (2024), arXiv 2402.16835"
    metrics: ClassVar[tuple[str, ...]] = ANSWER_METRICS

    kind: Literal["paraphrase"] = "paraphrase"

    def run(self, context: AttackContext) -> pl.DataFrame:
        """Return the rows; facts without paraphrases have no value."""
        probes, missing = [], {}
        for fact in context.attacked:
            asked = question(context, fact)
            for variant, text in enumerate(fact.paraphrases):
                prompt = context.before + context.prompts.prompt(text, fact)
                probes.append(replace(asked, kind="paraphrase", variant=variant, prompt=prompt))
            if not fact.paraphrases:
                missing[fact.fact_id] = "the fact has no paraphrases"
        return evaluate(self, context, context.model, probes, missing, "paraphrase")
