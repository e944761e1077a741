"""Pre-train one model on one corpus."""

from pathlib import Path
from typing import ClassVar, TypeVar

from pydantic import BaseModel, Field, ValidationError

from unequal.facts.probes import PromptFormat
from unequal.models.shapes import ModelSettings
from unequal.progress import Progress
from unequal.study.base_model import Base
from unequal.study.memory_estimate import ModelSize, of_pretraining
from unequal.study.step import Step
from unequal.study.steps.corpus import CorpusStep
from unequal.study.steps.natural_corpus import NaturalCorpusStep
from unequal.training.settings import PretrainSettings

CHECKPOINT_EVERY = 200  # steps; does not change the result

Corpus = TypeVar("Corpus", bound=BaseModel)


class PretrainStep(Step, Base):
    """From a corpus to a model folder; the base of the runs that start from this model."""

    kind: ClassVar[str] = "pretrain"
    result_format: ClassVar[int] = 5
    runs_model: ClassVar[bool] = True

    corpus: CorpusStep | NaturalCorpusStep
    model: ModelSettings
    pretrain: PretrainSettings
    seed: int

    @property
    def name(self) -> str:
        """Return family, size, arm and seed."""
        return f"{self.model.family}-{self.model.size}-{self.corpus.wording}-seed{self.seed}"

    @property
    def inputs(self) -> tuple[str, ...]:
        """The corpus."""
        return (self.corpus.folder,)

    @property
    def n_weights(self) -> int:
        """Estimated weights of the model."""
        return self.model.build_shape().n_weights(self.corpus.vocabulary)

    @property
    def cost(self) -> float:
        """Six operations a weight and token at 60 GFLOP/s."""
        return self.corpus.n_tokens * 6 * self.n_weights / 60e9

    @property
    def memory(self) -> float:
        """Weights, gradients, two moments, and what a forward pass keeps."""
        windows = min(self.pretrain.batch_windows, self.pretrain.micro_batch_windows)
        return of_pretraining(self.model_size, windows * self.corpus.corpus.window_tokens)

    @property
    def disk(self) -> float:
        """The weights in float32, and while it trains two checkpoints with both moments."""
        return (4 + 2 * 12) * self.n_weights / 1e9

    @property
    def steps(self) -> tuple[Step, ...]:
        """Those of the corpus, and this one."""
        return (*self.corpus.steps, self)

    @property
    def needs(self) -> tuple[str, ...]:
        """The model, and the corpus whose facts it saw."""
        return (self.folder, self.corpus.folder)

    @property
    def prompts(self) -> PromptFormat:
        """Those of the corpus: models are asked as they were trained."""
        return self.corpus.prompts

    @property
    def draw_seed(self) -> int:
        """The pre-training seed."""
        return self.seed

    @property
    def model_size(self) -> ModelSize:
        """That of its shape."""
        return ModelSize.of_shape(self.model.build_shape(), self.corpus.vocabulary, self.model.family)

    def model_folder(self, study: Path) -> Path:
        """Return the folder of the trained model."""
        return study / self.folder / "model"

    def facts_file(self, study: Path) -> Path:
        """Return the corpus's facts, with role and exposure."""
        return study / self.corpus.folder / "data" / "facts.parquet"

    def labels(self, study: Path) -> dict[str, object]:  # noqa: ARG002  the settings say it all
        """Return family, size, wording arm and seed."""
        return {
            "family": self.model.family,
            "size": self.model.size,
            "wording": self.corpus.wording,
            "pretrain_seed": self.seed,
        }

    def execute(self, study: Path, folder: Path, progress: Progress) -> None:
        """Write ``folder/model``, from the newest checkpoint on if there is one that is not damaged."""
        from unequal.training.pretrain import pretrain

        corpus = study / self.corpus.folder / "data"
        pretrain(self.model, corpus, self.pretrain, self.seed, folder, CHECKPOINT_EVERY, progress)


class TrainedModel(ModelSettings):
    """A model that a study trains, at a rate and for epochs of its own where its family wants others."""

    learning_rate: float | None = Field(
        default=None,
        gt=0,
        allow_inf_nan=False,
        description="by default that of pretrain.optimiser",
    )
    epochs: int | None = Field(default=None, ge=1, description="by default those of corpus")

    def trained_on(
        self, corpus: CorpusStep | NaturalCorpusStep, pretrain: PretrainSettings, seed: int
    ) -> PretrainStep:
        """Return the step that trains it."""
        if self.learning_rate is not None:
            rate = {"learning_rate": self.learning_rate}
            pretrain = pretrain.model_copy(update={"optimiser": pretrain.optimiser.model_copy(update=rate)})
        if self.epochs is not None:
            corpus = corpus.model_copy(update={"corpus": with_epochs(corpus.corpus, self.epochs)})
        model = ModelSettings.model_validate(self.model_dump(exclude={"learning_rate", "epochs"}))
        return PretrainStep(corpus=corpus, model=model, pretrain=pretrain, seed=seed)


def with_epochs(corpus: Corpus, epochs: int) -> Corpus:
    """Return settings of a corpus with other epochs, or `ValueError` where they cannot be."""
    try:
        return type(corpus).model_validate({**corpus.model_dump(), "epochs": epochs})
    except ValidationError as error:
        reason = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise ValueError(f"with {epochs} epochs for one of the models: {reason}") from error


def distinct_models(models: tuple[TrainedModel, ...]) -> tuple[TrainedModel, ...]:
    """Return models of which no two have the family and size that tables know them by, or `ValueError`."""
    names = [f"{model.family} {model.size}" for model in models]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"{', '.join(twice)} stands twice; tables tell models apart by family and size")
    return models
