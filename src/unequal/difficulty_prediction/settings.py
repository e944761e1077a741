"""What a plan is made for: the model, the facts, and the study it is learned from."""

from pathlib import Path

from pydantic import Field, model_validator

from unequal.facts.probes import PromptFormat
from unequal.facts.role_tables import FactTables
from unequal.models.compute_settings import LoadSettings, ModelName
from unequal.output_paths import Output


class PlanSettings(FactTables, LoadSettings):
    """Settings of ``unequal plan``. Unknown keys are refused."""

    model: ModelName
    out: Path = Field(description="folder for plan.parquet and plan.json")
    predictor: Path | None = Field(default=None, description="predictor, as unequal plan fit writes it")
    study: Path | None = Field(
        default=None, description="folder of a finished study to learn from, instead of a predictor"
    )
    counts: Path | None = Field(
        default=None,
        description="count table, as unequal count writes it; by default the counts in the fact table, if"
        " any",
    )
    share: float = Field(
        default=0.9,
        gt=0,
        lt=1,
        description="share of the facts that the budget for all together is to forget",
    )
    extrapolate: bool = Field(
        default=False, description="also predict facts whose features lie outside those of the study"
    )
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
