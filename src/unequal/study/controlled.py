"""A controlled study: base models that are trained on a world whose every exposure was assigned."""

from collections.abc import Iterator
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from unequal.corpus.settings import CorpusSettings, ExposureSettings, Wording
from unequal.corpus.world_factors import crossing_problem
from unequal.facts.world.world import WorldSettings
from unequal.study.settings import Seeds, StudySettings, all_distinct
from unequal.study.steps.corpus import CorpusStep
from unequal.study.steps.pretrain import PretrainStep, TrainedModel, distinct_models, with_epochs
from unequal.training.settings import PretrainSettings


class ControlledStudy(StudySettings):
    """Worlds and corpora, models trained on them, and unlearning runs.

    A pre-training seed decides who is shown how often, every wording and the model's first weights.
    """

    source: Literal["controlled"] = Field(default="controlled", description="source of base models")
    pretrain_seeds: Seeds = Field(
        default=(0,), min_length=1, description="seeds of pre-training, each with a corpus of its own"
    )
    wordings: tuple[Wording, ...] = Field(
        default=("rerendered",), min_length=1, description="how repeated biographies are worded"
    )
    world: WorldSettings = WorldSettings()
    corpus: ExposureSettings = ExposureSettings()
    models: tuple[TrainedModel, ...] = Field(
        min_length=1, description="models to pre-train: family and size of each"
    )
    pretrain: PretrainSettings = PretrainSettings()

    _distinct_bases = field_validator("pretrain_seeds", "wordings")(all_distinct)
    _distinct_models = field_validator("models")(distinct_models)

    def bases(self) -> Iterator[PretrainStep]:
        """Yield one model for each seed, wording arm and shape."""
        for seed in self.pretrain_seeds:
            for wording in self.wordings:
                plan = CorpusSettings(seed=seed, wording=wording, **self.corpus.model_dump())
                corpus = CorpusStep(world=self.world, corpus=plan, prompts=self.prompts)
                for model in self.models:
                    yield model.trained_on(corpus, self.pretrain, seed)

    @property
    def other_seeds(self) -> dict[str, Any]:
        """The seeds of the world and of pre-training."""
        return {"world": self.world.seed, "pretraining": self.pretrain_seeds}

    @model_validator(mode="after")
    def _models_can_have_their_epochs(self) -> "ControlledStudy":
        for epochs in {model.epochs for model in self.models if model.epochs}:
            with_epochs(self.corpus, epochs)
        return self

    @model_validator(mode="after")
    def _attacks_have_a_control(self) -> "ControlledStudy":
        if self.attacks and 0 not in self.corpus.levels:
            raise ValueError(
                f"attacks: without never-seen people nothing shows what an attack finds by luck; put 0 among"
                f" corpus.levels {list(self.corpus.levels)}"
            )
        return self

    @model_validator(mode="after")
    def _stops_by_what_the_models_know(self) -> "ControlledStudy":
        if self.unlearn.stopping.perplexity_rise is not None:
            raise ValueError(
                "unlearn.stopping.perplexity_rise: the models of a controlled study know made-up words alone,"
                " and no real text; use utility_drop"
            )
        return self

    @model_validator(mode="after")
    def _factors_can_be_crossed(self) -> "ControlledStudy":
        relations = [target.relation for target in self.targets]
        if problem := crossing_problem(self.corpus, self.world, self.wordings, relations):
            raise ValueError(problem)
        return self

    @model_validator(mode="after")
    def _targets_exist(self) -> "ControlledStudy":
        for index, target in enumerate(self.targets):
            where = f"targets.{index}"
            if target.relation not in self.world.relations:
                known = ", ".join(self.world.relations)
                raise ValueError(
                    f"{where}.relation '{target.relation}' is not among world.relations ({known})"
                )
            if target.bucket is not None:
                raise ValueError(
                    f"{where}.bucket: buckets are of natural counts; a controlled study has level"
                )
            if target.level != "mixed" and target.level not in self.corpus.levels:
                raise ValueError(
                    f"{where}.level {target.level} is not among corpus.levels {list(self.corpus.levels)}"
                )
        return self
