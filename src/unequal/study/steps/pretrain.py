"""Pre-train one model on one corpus."""

import logging
import shutil
from pathlib import Path
from typing import ClassVar

from unequal.errors import DamagedError
from unequal.models.shapes import ModelSettings
from unequal.study.step import Progress, Step
from unequal.study.steps.corpus import CorpusStep
from unequal.training.settings import PretrainSettings

CHECKPOINT_EVERY = 200  # steps; does not change the result

logger = logging.getLogger(__name__)


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
    def n_weights(self) -> int:
        """Estimated weights of the model; a vocabulary of whole words is taken to be of 1,000."""
        tokenizer = self.corpus.corpus.tokenizer
        return self.model.build_shape().n_weights(
            tokenizer.vocabulary_size if tokenizer.kind == "bpe" else 1000
        )

    @property
    def cost(self) -> float:
        """Six operations a weight and token at 60 GFLOP/s."""
        return self.corpus.n_tokens * 6 * self.n_weights / 60e9

    @property
    def memory(self) -> float:
        """On top of the libraries, weights, gradients, two moments and a copy in float32."""
        return super().memory + 20 * self.n_weights / 1e9

    def execute(self, study: Path, folder: Path, progress: Progress) -> None:
        """Write ``folder/model``, from the newest checkpoint on if there is one that is not damaged."""
        from unequal.training.pretrain import pretrain  # noqa: PLC0415

        given = (self.model, study / self.corpus.folder / "data", self.pretrain, self.seed, folder)
        try:
            pretrain(*given, CHECKPOINT_EVERY, progress)
        except DamagedError as error:
            if not (folder / "checkpoints").exists():
                raise
            logger.warning("%s: %s is damaged; training begins anew", self.folder, error.folder)
            shutil.rmtree(folder / "checkpoints")
            pretrain(*given, CHECKPOINT_EVERY, progress)
