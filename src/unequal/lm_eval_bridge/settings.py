"""Which of lm-eval's tasks to run, from where, and how much of them."""

from pathlib import Path
from typing import Any, Self

from pydantic import Field, field_validator, model_validator

from unequal.models.compute_settings import LoadSettings, ModelName
from unequal.output_paths import Output
from unequal.strict import StrictModel


class TaskSettings(StrictModel):
    """Tasks by name. Unknown keys are refused."""

    tasks: tuple[str, ...] = Field(min_length=1, description="names of tasks or groups of lm-eval")
    task_dir: Path | None = Field(
        default=None,
        description="folder with more task files (.yaml), such as unequal facts export-lm-eval writes; code"
        " that comes with them runs only if UNEQUAL_TRUST_REMOTE_CODE names the folder",
    )
    limit: int | None = Field(
        default=None, ge=1, description="documents of each task, at most; by default all"
    )
    n_fewshot: int | None = Field(
        default=None, ge=0, description="solved examples before each question; by default as the task says"
    )
    batch_size: int = Field(default=16, ge=1, description="prompts in a forward pass")
    chat: bool = Field(
        default=False, description="ask in the tokenizer's chat template; by default in plain text"
    )
    system: str | None = Field(default=None, min_length=1, description="system prompt of a chat")

    @field_validator("tasks", mode="before")
    @classmethod
    def _parted(cls, value: Any) -> Any:
        return [part.strip() for part in value.split(",")] if isinstance(value, str) else value

    @model_validator(mode="after")
    def _system_is_of_a_chat(self) -> Self:
        if self.system is not None and not self.chat:
            raise ValueError("system is what a chat begins with; set chat = true too, or leave system out")
        return self


class TaskCommand(TaskSettings, LoadSettings):
    """Settings of ``unequal lm-eval``."""

    model: ModelName
    out: Path | None = Field(default=None, description="file of the scores to write (JSON)")

    def outputs(self) -> list[Output]:
        """Return what is written."""
        return [Output(self.out)] if self.out else []
