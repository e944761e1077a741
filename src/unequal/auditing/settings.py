"""What an audit compares, which facts it asks for, and how hard it tries to get them back."""

from pathlib import Path
from typing import Any

from pydantic import Field, field_validator, model_validator

from unequal.attacks.attack import AttackSettings, distinct
from unequal.evaluation.known_by import KNOWN_BY, KnownBySetting
from unequal.facts.probes import PromptFormat
from unequal.facts.role_tables import FactTables
from unequal.general_utility.settings import GeneralSettings
from unequal.models.compute_settings import ComputeSettings
from unequal.output_paths import Output
from unequal.strict import PathOrName, PositiveInt, Seed, StrictModel

SHORTHANDS: dict[str, dict[str, str]] = {
    scheme: {"kind": "quantise", "scheme": scheme} for scheme in ("int8", "nf4")
}
DEFAULT_ATTACKS = ("relearn", "int8", "nf4", "sample", "paraphrase", "fewshot", "lens")


class AuditOptions(StrictModel):
    """How an audit asks, and how hard it tries to get facts back."""

    attacks: tuple[AttackSettings, ...] = Field(
        default=DEFAULT_ATTACKS,
        validate_default=True,
        description="attacks, or none; see: unequal list attacks",
    )
    prompts: PromptFormat = PromptFormat()
    known_by: KnownBySetting = KNOWN_BY
    allow_unknown: bool = Field(
        default=False, description="continue although the model before says none of the facts to forget"
    )
    n_wordings: PositiveInt = Field(default=3, description="wordings of each paraphrase and cloze, at most")
    general: GeneralSettings = GeneralSettings()
    seed: Seed = Field(default=0, description="seed of attacks and intervals")

    @field_validator("attacks", mode="before")
    @classmethod
    def _named(cls, value: Any) -> Any:
        """Take names parted by commas, ``none`` for no attack, and int8 and nf4 for the two roundings."""
        if isinstance(value, str):
            value = [part.strip() for part in value.split(",")]
        if not isinstance(value, list | tuple):
            return value
        if list(value) == ["none"]:
            return []
        return [SHORTHANDS.get(one, one) if isinstance(one, str) else one for one in value]

    _distinct = field_validator("attacks")(distinct)


class AuditSettings(FactTables, AuditOptions, ComputeSettings):
    """Settings of ``unequal audit``. Unknown keys are refused."""

    before: PathOrName = Field(
        description="model before unlearning: a folder of a model and its tokenizer, or a name on the"
        " Hugging Face hub"
    )
    after: PathOrName = Field(description="the same model after unlearning")
    out: Path = Field(description="folder for audit.json, facts.parquet, evidence.parquet and audit.html")
    counts: Path | None = Field(default=None, description="count table, as unequal count writes it")
    corpus: str | None = Field(default=None, description="glob of shards in which to count the facts instead")
    wordings: tuple[Path, ...] = Field(
        default=(), description="files of relation templates, for facts that lack paraphrases or cloze"
    )
    policy: Path | None = Field(
        default=None, description="TOML file of what must hold; see examples/policy.toml"
    )

    def outputs(self) -> list[Output]:
        """Return what is written."""
        return [Output(self.out, kind="whole", made="audit.json")]

    @model_validator(mode="after")
    def _one_source_of_counts(self) -> "AuditSettings":
        if self.counts is not None and self.corpus is not None:
            raise ValueError("give either counts or corpus, not both")
        return self
