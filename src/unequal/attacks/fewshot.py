"""Few-shot prompting: solved questions of the same relation before the one to be answered."""

from dataclasses import replace
from typing import ClassVar, Literal

import polars as pl
from pydantic import Field

from unequal.attacks.attack import ANSWER_METRICS, Attack, AttackContext
from unequal.attacks.evaluate import TOO_LONG, evaluate, fits, question
from unequal.facts.probes import Probe
from unequal.facts.schema import Fact
from unequal.seeds import random_stream
from unequal.strict import PositiveInt


class FewShot(Attack):
    """Shows the model other people's solved questions of the relation, none of them to be forgotten.

    No example is about the fact's own subject or has its object for an answer, so the context gives nothing
    away. Where the model's window is short there are as many examples as fit.
    """

    title: ClassVar[str] = "Few-shot context"
    shows: ClassVar[str] = "whether examples of the task bring facts back without any training"
    source: ClassVar[str] = "Lynch et al. (2024), arXiv 2402.16835; Shumailov et al. (2024), arXiv 2407.00106"
    metrics: ClassVar[tuple[str, ...]] = ANSWER_METRICS

    kind: Literal["fewshot"] = "fewshot"
    examples: PositiveInt = Field(default=4, description="solved questions before each")
    separator: str = Field(default="\n", min_length=1, description="after each example in plain text")

    @property
    def needs_kept(self) -> bool:
        """Its examples are kept facts of the same relation."""
        return True

    def run(self, context: AttackContext) -> pl.DataFrame:
        """Return the rows; facts of a relation without examples, or with none that fits, have no value."""
        probes: list[Probe] = []
        missing: dict[str, str] = {}
        for fact in context.attacked:
            examples = self._examples(context, fact)
            if not examples:
                reason = f"there are no kept facts of the relation {fact.relation} for examples"
                missing[fact.fact_id] = reason
            elif probe := self._probe(context, fact, examples):
                probes.append(probe)
            else:
                missing[fact.fact_id] = TOO_LONG
        return evaluate(self, context, context.model, probes, missing)

    def _examples(self, context: AttackContext, fact: Fact) -> list[Fact]:
        apt = [
            other
            for other in context.kept
            if other.relation == fact.relation
            and other.subject != fact.subject
            and other.object != fact.object
        ]
        return random_stream(context.seed, "fewshot", fact.fact_id).sample(apt, min(self.examples, len(apt)))

    def _probe(self, context: AttackContext, fact: Fact, examples: list[Fact]) -> Probe | None:
        """Return the question after as many examples as fit, None when not even one does."""
        for n_examples in range(len(examples), 0, -1):
            shown = [(context.prompts.ask(f.question), f.answer) for f in examples[:n_examples]]
            probe = self._shown(context, question(context, fact), context.prompts.ask(fact.question), shown)
            if fits(context, probe):
                return probe
        return None

    def _shown(self, context: AttackContext, asked: Probe, own: str, shown: list[tuple[str, str]]) -> Probe:
        """Return the probe after solved questions, which are earlier turns in a chat."""
        if asked.chat is None:
            solved = [f"{question} {answer}{self.separator}" for question, answer in shown]
            stops = (*asked.stops, self.separator) if asked.stops else ()
            return replace(asked, prompt="".join([context.before, *solved, own]), stops=stops, statement="")
        (first, answer), *others = [*shown, (own, "")]
        turns = [(context.before + first, answer), *others]
        return replace(asked, prompt=own, chat=replace(asked.chat, earlier=tuple(turns[:-1])), statement="")
