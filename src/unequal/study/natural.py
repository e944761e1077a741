"""A natural study: base models that are trained on real text, in which facts have the counts they have."""

from collections.abc import Iterator
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from unequal.corpus.extract_text import TextSettings
from unequal.corpus.natural import NaturalCorpusSettings
from unequal.facts.split import SplitSettings
from unequal.facts.study_facts import FactsSettings
from unequal.study.settings import Seeds, StudySettings, all_distinct, refuse_levels
from unequal.study.steps.counts import CountStep
from unequal.study.steps.facts import FactsStep
from unequal.study.steps.natural_corpus import NaturalCorpusStep
from unequal.study.steps.pretrain import PretrainStep, TrainedModel, distinct_models
from unequal.study.steps.split import SplitStep
from unequal.study.steps.text import TextStep
from unequal.training.settings import PretrainSettings

SPLIT = SplitSettings(withheld_share=0.1, unseen=40)


class NaturalStudy(StudySettings):
    """Real text and facts counted in it, models trained on the text, and unlearning runs by count.

    A pre-training seed decides the roles of the facts, the order of the text and the model's first weights.
    """

    source: Literal["natural"] = Field(description="source of base models")
    facts: FactsSettings
    text: TextSettings
    split: SplitSettings = SPLIT
    corpus: NaturalCorpusSettings = NaturalCorpusSettings()
    pretrain_seeds: Seeds = Field(
        default=(0,), min_length=1, description="seeds of pre-training, each with a split of its own"
    )
    models: tuple[TrainedModel, ...] = Field(
        min_length=1, description="models to pre-train: family and size of each"
    )
    pretrain: PretrainSettings = PretrainSettings()

    _distinct_bases = field_validator("pretrain_seeds")(all_distinct)
    _distinct_models = field_validator("models")(distinct_models)

    @field_validator("split", mode="before")
    @classmethod
    def _with_never_seen(cls, value: Any) -> Any:
        """Fill up a table with what a natural study has of never-seen facts unless it says otherwise."""
        standard = {"withheld_share": SPLIT.withheld_share, "unseen": SPLIT.unseen}
        return standard | value if isinstance(value, dict) else value

    @model_validator(mode="after")
    def _natural(self) -> "NaturalStudy":
        refuse_levels(self.targets)
        if self.attacks and not (self.split.withheld_share or self.split.unseen or self.facts.made_up):
            raise ValueError(
                "attacks: without never-seen facts nothing shows what an attack finds by luck; set"
                " split.withheld_share, split.unseen or facts.made_up"
            )
        return self

    def bases(self) -> Iterator[PretrainStep]:
        """Yield one model for each seed and shape."""
        facts = FactsStep.of(self.facts, tuple(target.relation for target in self.targets))
        text = TextStep.of(facts, self.text)
        counts = CountStep(facts=facts, text=text)
        for seed in self.pretrain_seeds:
            split = SplitStep(counts=counts, split=self.split, seed=seed, targets=self.target_settings())
            corpus = NaturalCorpusStep(split=split, corpus=self.corpus, prompts=self.prompts, seed=seed)
            for model in self.models:
                yield model.trained_on(corpus, self.pretrain, seed)

    @property
    def other_seeds(self) -> dict[str, Any]:
        """The seeds of what is drawn of the tables, and of pre-training."""
        return {"facts": self.facts.seed, "pretraining": self.pretrain_seeds}
