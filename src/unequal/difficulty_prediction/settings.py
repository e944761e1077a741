"""What a plan is made for: the model, the facts, and the study it is learned from."""

from pathlib import Path

from pydantic import Field, model_validator

from unequal.facts.probes import PromptFormat
from unequal.models.compute_settings import LoadSettings
from unequal.places import Output
from unequal.strict import PathOrName


class PlanSettings(LoadSettings):
    """Settings of ``unequal plan``. Unknown keys are refused."""

    model: PathOrName = Field(description="a folder, or a name on the hub")
    forget: Path
    out: Path
    predictor: Path | None = Field(default=None, description="as unequal plan fit writes it")
    study: Path | None = Field(default=None, description="a finished study to learn from instead")
    counts: Path | None = Field(default=None, description="count table, as unequal count writes it")
    retain: Path | None = Field(default=None, description="for the feature alignment")
    share: float = Field(default=0.9, gt=0, lt=1, description="of the facts that the budget is to forget")
    extrapolate: bool = Field(default=False, description="predict facts outside what was fitted too")
    prompts: PromptFormat = PromptFormat()

    def outputs(self) -> list[Output]:
        """Return what is written."""
        return [Output(self.out, kind="whole", made="plan.json")]

    @model_validator(mode="after")
    def _learned_from_one(self) -> "PlanSettings":
        if (self.predictor is None) == (self.study is None):
            raise ValueError(
                "give one of predictor (made by unequal plan fit) and study (the folder of a finished study);"
                " none comes with unequal, since difficulty depends on models and methods"
            )
        return self
