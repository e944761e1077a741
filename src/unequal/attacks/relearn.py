"""Relearning: fine-tune a copy on some of the facts, and evaluate the held-out others."""

from typing import TYPE_CHECKING, ClassVar, Literal

import polars as pl
from pydantic import Field

from unequal.attacks.attack import ANSWER_METRICS, Attack, AttackContext
from unequal.attacks.evaluate import TAUGHT, best_values, no_rows, question, rows
from unequal.errors import DivergedError
from unequal.facts.probes import Probe
from unequal.facts.schema import Fact
from unequal.seeds import random_stream
from unequal.training.settings import OptimiserSettings

if TYPE_CHECKING:
    from transformers import PreTrainedModel

HELD_OUT = "the attack did not train on this fact"


class Relearning(Attack):
    """Fine-tunes a copy of the model on a share of the facts to forget, whole subjects at a time, and judges
    the held-out ones. Never-seen facts are the control: what rises there was the format, or was made up.

    With ``on = "retain"`` the copy is trained on retained facts only and every fact to forget is held out.
    The rate must suit the model: ``taught_prob`` stays low where the attack was too weak.
    """

    title: ClassVar[str] = "Relearning"
    shows: ClassVar[str] = "whether held-out facts return when others are trained on"
    source: ClassVar[str] = (
        "Deeb and Roger (2024), arXiv 2410.08827; benign data: Hu et al. (2024), arXiv 2406.13356"
    )
    metrics: ClassVar[tuple[str, ...]] = (*ANSWER_METRICS, "taught_prob")
    cost: ClassVar[float] = 4.0

    kind: Literal["relearn"] = "relearn"
    on: Literal["forget", "retain"] = Field(default="forget", description="the role that is trained on")
    share: float = Field(default=0.2, gt=0.0, lt=1.0, description="of the subjects to forget, trained on")
    steps: int = Field(default=20, ge=1, description="optimiser steps")
    learning_rate: float = Field(default=1e-4, gt=0.0, description="constant")
    batch_size: int = Field(default=32, ge=1, description="facts in a step")

    @property
    def needs_kept(self) -> bool:
        """Training on retained facts does, relearning of some facts to forget does not."""
        return self.on == "retain"

    def trained_on(self, context: AttackContext) -> frozenset[str]:
        """Return the ids of the facts to forget that the copy is trained on."""
        return frozenset(fact.fact_id for fact in self._taught(context) if fact.role == "forget")

    def run(self, context: AttackContext) -> pl.DataFrame:
        """Return the held-out facts' rows; facts that were trained on have no value but a reason."""
        from unequal.attacks.finetune import tuned_copy

        taught = self._taught(context)
        if not taught:
            return no_rows(self, context, f"there are no facts of the role {self.on} to train on")
        optimiser = OptimiserSettings(
            learning_rate=self.learning_rate, schedule="constant", warmup_share=0.0, weight_decay=0.0
        )
        try:
            with tuned_copy(context, taught, self.steps, self.batch_size, optimiser) as model:
                return self._judged(context, model, {fact.fact_id for fact in taught})
        except DivergedError as error:
            return no_rows(self, context, str(error))

    def _judged(self, context: AttackContext, model: "PreTrainedModel", trained: set[str]) -> pl.DataFrame:
        """Return the rows of a model that was trained on the facts of these ids."""
        apart: dict[bool, list[Probe]] = {True: [], False: []}
        for fact in context.attacked:
            apart[fact.fact_id in trained].append(question(context, fact))
        found = best_values(context, model, apart[False], ANSWER_METRICS, dict.fromkeys(trained, TAUGHT))
        others = dict.fromkeys((probe.fact_id for probe in apart[False]), HELD_OUT)
        of_trained = best_values(context, model, apart[True], ("answer_prob",), others)
        for fact_id, values in of_trained.items():
            found[fact_id]["taught_prob"] = values["answer_prob"]
        return rows(self, context, found)

    def _taught(self, context: AttackContext) -> list[Fact]:
        """Return the facts to train on: retained ones, or those of some subjects to forget."""
        if self.on == "retain":
            return [fact for fact in context.kept if fact.role == "retain"]
        subjects = sorted({fact.subject for fact in context.forget})
        stream = random_stream(context.seed, "relearn")
        n_taught = max(1, round(self.share * len(subjects)))
        chosen = set(stream.sample(subjects, min(len(subjects), n_taught)))
        return [fact for fact in context.forget if fact.subject in chosen]
