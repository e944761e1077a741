"""A study of published models: checkpoints, and facts with the counts of what they were trained on."""

from collections.abc import Iterator
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from unequal.counting.count_source import CountChoice
from unequal.facts.split import SplitSettings
from unequal.facts.study_facts import FactsSettings
from unequal.study.settings import Seeds, StudySettings, all_distinct, refuse_levels
from unequal.study.steps.checkpoint import CheckpointBase, CheckpointSettings, CheckpointStep
from unequal.study.steps.counts import CountStep
from unequal.study.steps.facts import FactsStep
from unequal.study.steps.split import SplitStep

LABELS = {"start", "family", "size"}


class CheckpointStudy(StudySettings):
    """Published models, facts and their counts in a corpus, and unlearning runs by count.

    A split seed decides the roles of the facts; nothing else of these models can be drawn again.
    """

    source: Literal["checkpoints"] = Field(description="source of base models")
    checkpoints: tuple[CheckpointSettings, ...] = Field(
        min_length=1, description="published models to unlearn from"
    )
    facts: FactsSettings
    counts: CountChoice
    split: SplitSettings = SplitSettings()
    split_seeds: Seeds = Field(default=(0,), min_length=1, description="seeds of the split of facts by role")

    _distinct_bases = field_validator("checkpoints", "split_seeds")(all_distinct)

    @model_validator(mode="after")
    def _checkpoints(self) -> "CheckpointStudy":
        refuse_levels(self.targets)
        if self.split.withheld_share:
            raise ValueError(
                "split.withheld_share: nothing can be taken out of the text behind a published model;"
                " never-seen facts are made up (facts.made_up) or of count 0 (split.unseen)"
            )
        if self.attacks and not (self.facts.made_up or self.split.unseen):
            raise ValueError(
                "attacks: without never-seen facts nothing shows what an attack finds by luck; set"
                " facts.made_up, or split.unseen where a count of 0 can be trusted"
            )
        return self

    def bases(self) -> Iterator[CheckpointBase]:
        """Yield each model with each split of the facts."""
        facts = FactsStep.of(self.facts, tuple(target.relation for target in self.targets))
        counts = CountStep.of(facts, self.counts)
        for seed in self.split_seeds:
            split = SplitStep(counts=counts, split=self.split, seed=seed, targets=self.target_settings())
            for settings in self.checkpoints:
                yield CheckpointBase(
                    checkpoint=CheckpointStep.of(settings),
                    facts=split,
                    prompt_format=self.prompts,
                    **settings.model_dump(include=LABELS),
                )

    @property
    def other_seeds(self) -> dict[str, Any]:
        """The seeds of what is drawn of the tables, and of the splits."""
        return {"facts": self.facts.seed, "splits": self.split_seeds}
