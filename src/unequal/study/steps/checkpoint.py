"""A published model as a base: fetched from the hub or found in a folder, hashed, and given facts."""

from pathlib import Path
from typing import Any, ClassVar, Literal, Self

from pydantic import Field

from unequal.facts.probes import PromptFormat
from unequal.files import write_json
from unequal.models.hub_snapshot import (
    Snapshot,
    count_weights,
    fingerprint,
    has_adapter,
    is_folder,
    named_weights,
    refuse_adapter,
    take_snapshot,
)
from unequal.progress import Progress
from unequal.records import read_record
from unequal.strict import PathOrName, StrictModel
from unequal.study.base_model import Base
from unequal.study.memory_estimate import ModelSize
from unequal.study.step import Step
from unequal.study.steps.split import SplitStep

UNKNOWN_WEIGHTS = 1_000_000_000
WORDING = "natural"


class CheckpointSettings(StrictModel):
    """One model of a study: a folder, or a name on the hub; labels are read from it where none are given."""

    model: PathOrName = Field(min_length=1, description="folder, or name on the hub")
    revision: str | None = Field(default=None, description="commit, tag or branch on the hub")
    start: Literal["base", "instruct"] | None = Field(default=None, description="what it was trained to be")
    family: str | None = Field(default=None, description="by default the model type of its configuration")
    size: str | None = Field(default=None, description="by default its weights, counted")
    merge_adapter: bool = Field(
        default=False, description="add an adapter that lies beside the model's parameters to them"
    )

    @property
    def label(self) -> str:
        """The last part of the model's name, with its revision if it has one."""
        last = self.model.rstrip("/").rsplit("/", 1)[-1] or "model"
        return last if self.revision is None else f"{last}@{self.revision[:12]}"


class CheckpointStep(Step):
    """From a name to hashed files; of a folder ``content`` says what it holds, of a hub name its revision."""

    kind: ClassVar[str] = "checkpoint"

    model: str
    revision: str | None
    content: str | None
    folder_of_model: Path | None = Field(default=None, exclude=True)
    merge_adapter: bool = Field(default=False, exclude=True)  # what is there is merged or refused, never left

    @classmethod
    def of(cls, settings: CheckpointSettings) -> Self:
        """Return the step.

        Raises `DataError` for a folder without a model, with pickled weights only, or with an adapter that is
        not to be merged.
        """
        merged = settings.merge_adapter
        if not is_folder(settings.model):
            return cls(model=settings.model, revision=settings.revision, content=None, merge_adapter=merged)
        path = Path(settings.model).absolute()
        if not merged and has_adapter(one.name for one in path.iterdir()):
            refuse_adapter(settings.model)
        content = fingerprint(path)
        return cls(
            model=path.name, revision=None, content=content, folder_of_model=path, merge_adapter=merged
        )

    @property
    def name(self) -> str:
        """Return the last part of the model's name."""
        return self.model.rsplit("/", 1)[-1][:60]

    @property
    def n_weights(self) -> int:
        """The weights of a folder, or those that the name tells; a billion where neither does."""
        if self.folder_of_model is not None:
            return count_weights(self.folder_of_model)
        return named_weights(self.model) or UNKNOWN_WEIGHTS

    @property
    def cost(self) -> float:
        """Four bytes a weight: hashed at a gigabyte a second, and fetched at a tenth of that."""
        return 2 + 4 * self.n_weights / (1e9 if self.folder_of_model else 1e8)

    @property
    def memory(self) -> float:
        """A block of a file: no model is loaded."""
        return 0.09

    def execute(self, study: Path, folder: Path, progress: Progress) -> None:  # noqa: ARG002  has no inputs
        """Write ``checkpoint.json``: where the files are, and what they hash to."""
        place = str(self.folder_of_model or self.model)
        found = take_snapshot(place, self.revision, progress)
        if not self.merge_adapter and has_adapter(one.name for one in found.files):
            refuse_adapter(place)
        write_json(folder / "checkpoint.json", found.model_dump(mode="json"))

    def snapshot(self, study: Path) -> Snapshot:
        """Return what was found, once the step is done."""
        path = study / self.folder / "checkpoint.json"
        return read_record(Snapshot, path, f"delete {path.parent}, and the step is done anew")


class CheckpointBase(StrictModel, Base):
    """A published model and the facts that it is asked about."""

    checkpoint: CheckpointStep
    facts: SplitStep
    prompt_format: PromptFormat
    start: str | None = None
    family: str | None = None
    size: str | None = None

    @property
    def name(self) -> str:
        """Return the model and the seed of the split."""
        return f"{self.checkpoint.name}-{self.facts.name}"

    @property
    def steps(self) -> tuple[Step, ...]:
        """Those of the facts, and the model's own."""
        return (*self.facts.steps, self.checkpoint)

    @property
    def needs(self) -> tuple[str, ...]:
        """The model and the facts."""
        return (self.checkpoint.folder, self.facts.folder)

    @property
    def prompts(self) -> PromptFormat:
        """Those of the run file."""
        return self.prompt_format

    @property
    def draw_seed(self) -> int:
        """The seed of the split."""
        return self.facts.seed

    @property
    def n_weights(self) -> int:
        """Those of the model."""
        return self.checkpoint.n_weights

    @property
    def model_size(self) -> ModelSize:
        """That of the folder, or one that a model of so many weights may have."""
        if self.checkpoint.folder_of_model is not None:
            return ModelSize.of_folder(self.checkpoint.folder_of_model, self.n_weights)
        return ModelSize.of_weights(self.n_weights)

    def model_folder(self, study: Path) -> Path:
        """Return the folder of the files, which still are what they were."""
        return self.checkpoint.snapshot(study).verified()

    @property
    def merge_adapter(self) -> bool:
        """As the run file says."""
        return self.checkpoint.merge_adapter

    def facts_file(self, study: Path) -> Path:
        """Return the facts with their roles."""
        return study / self.facts.folder / "facts.parquet"

    def labels(self, study: Path) -> dict[str, Any]:
        """Return family, size, start and the seed of the split."""
        found = self.checkpoint.snapshot(study)
        return {
            "family": self.family or found.model_type,
            "size": self.size or f"{found.n_weights / 1e6:.4g}M",
            "wording": WORDING,
            "pretrain_seed": self.facts.seed,
            "start": self.start,
        }
