"""Settings of ``unequal forget``: a checkpoint, facts, what it may cost, and what is tried."""

from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, field_validator

from unequal.auditing.settings import AuditOptions
from unequal.facts.role_tables import FactTables
from unequal.models.compute_settings import DeviceSettings, LoadSettings, ModelName
from unequal.output_paths import Output, beside_of
from unequal.unlearning.method import Method, MethodSettings
from unequal.unlearning.settings import UnlearnSettings

METHODS = ("simnpo", "npo", "idk")


class ForgetSettings(FactTables, AuditOptions, DeviceSettings, LoadSettings):
    """Settings of ``unequal forget``. Unknown keys are refused."""

    model: ModelName
    out: Path = Field(description="folder for the unlearned model, its audit and forget.toml")
    methods: Annotated[tuple[MethodSettings, ...], Field(min_length=1)] = Field(
        default=METHODS,
        validate_default=True,
        description="methods to try; see: unequal list methods",
    )
    budget: float = Field(
        default=0.1,
        gt=0.0,
        le=1.0,
        description="share of what the model knows besides that may be lost, such as 10%",
    )
    time: float | None = Field(
        default=None,
        gt=0,
        description="minutes after which no further method is begun; the first is always tried",
    )
    unlearn: UnlearnSettings = UnlearnSettings()
    policy: Path | None = Field(
        default=None, description="TOML file of what must hold; see examples/policy.toml"
    )

    @field_validator("methods", mode="before")
    @classmethod
    def _named(cls, value: Any) -> Any:
        return [part.strip() for part in value.split(",")] if isinstance(value, str) else value

    @field_validator("methods")
    @classmethod
    def _distinct_methods(cls, methods: tuple[Method, ...]) -> tuple[Method, ...]:
        names = [method.kind for method in methods]
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise ValueError(f"method {twice} is named twice; each is tried once")
        return methods

    def outputs(self) -> list[Output]:
        """Return what is written, and what is kept beside it until all is done."""
        return [
            Output(self.out, kind="whole", made="audit.json"),
            Output(beside_of(self.out, "unfinished"), kind="whole"),
        ]
