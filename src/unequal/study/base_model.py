"""The base model of a run: the model that unlearning starts from, with the facts that it is asked about."""

from abc import ABC, abstractmethod
from pathlib import Path

from unequal.facts.probes import PromptFormat
from unequal.study.memory_estimate import ModelSize
from unequal.study.step import Step


class Base(ABC):
    """What a baseline and its unlearning runs must know of their starting model.

    Both folders exist once `steps` are done; the facts carry their roles.
    """

    @property
    @abstractmethod
    def name(self) -> str:
        """A readable name, the first part of the names of runs."""

    @property
    @abstractmethod
    def steps(self) -> tuple[Step, ...]:
        """The steps that make the model and its facts, each after its inputs."""

    @property
    @abstractmethod
    def needs(self) -> tuple[str, ...]:
        """Folders, relative to the study, that a run reads: of the model and of its facts."""

    @abstractmethod
    def model_folder(self, study: Path) -> Path:
        """Return the folder of the model and its tokenizer; raises `DataError` when it has changed."""

    @property
    def merge_adapter(self) -> bool:
        """Whether an adapter that lies beside the model's parameters is added to them."""
        return False

    @abstractmethod
    def facts_file(self, study: Path) -> Path:
        """Return the fact table with each fact's role."""

    @property
    @abstractmethod
    def prompts(self) -> PromptFormat:
        """The text around questions."""

    @property
    @abstractmethod
    def draw_seed(self) -> int:
        """The seed of what is drawn of the facts, the same for every run on this base."""

    @property
    @abstractmethod
    def n_weights(self) -> int:
        """Estimated weights of the model."""

    @property
    @abstractmethod
    def model_size(self) -> ModelSize:
        """What memory depends on, estimated where it cannot be known yet."""

    @abstractmethod
    def labels(self, study: Path) -> dict[str, object]:
        """Return the columns of the score table that tell bases apart: family, size, wording, seed, start."""
