"""Pre-train one model on one corpus."""

from pathlib import Path
from typing import ClassVar

from unequal.models.shapes import ModelSettings
from unequal.study.step import Progress, Step
from unequal.study.steps.corpus import CorpusStep
from unequal.training.settings import PretrainSettings

CHECKPOINT_EVERY = 200  # steps; does not change the result


class PretrainStep(Step):
    """From a corpus to a model folder."""

    kind: ClassVar[str] = "pretrain"

    corpus: CorpusStep
    model: ModelSettings
    pretrain: PretrainSettings
    seed: int

    @property
    def name(self) -> str:
        """Return family, size, arm and seed."""
        wording = self.corpus.corpus.wording
        return f"{self.model.family}-{self.model.size}-{wording}-seed{self.seed}"

    @property
    def inputs(self) -> tuple[str, ...]:
        """The corpus."""
        return (self.corpus.folder,)

    @property
    def cost(self) -> float:
        """Six operations a weight and token (with a small vocabulary's embeddings) at 60 GFLOP/s."""
        shape = self.model.build_shape()
        weights = 12 * shape.layers * shape.width**2 + 1000 * shape.width
        return self.corpus.n_tokens * 6 * weights / 60e9

    def execute(self, study: Path, folder: Path, progress: Progress) -> None:
        """Write ``folder/model``, from the newest checkpoint on if there is one."""
        from unequal.training.pretrain import pretrain  # noqa: PLC0415

        corpus = study / self.corpus.folder / "data"
        pretrain(self.model, corpus, self.pretrain, self.seed, folder, CHECKPOINT_EVERY, progress)
