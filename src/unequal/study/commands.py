"""The settings of single stages, as the command line and their TOML files give them."""

from pathlib import Path

from pydantic import Field, field_validator

from unequal.attacks.attack import AttackSettings, distinct
from unequal.corpus.settings import CorpusSettings
from unequal.evaluation.known_by import KNOWN_BY, KnownBy
from unequal.evaluation.passes import Passes
from unequal.facts.probes import PROBE_KINDS, ProbeKind, PromptFormat
from unequal.facts.world.world import WorldSettings
from unequal.models.compute_settings import ComputeSettings, DeviceSettings, LoadSettings
from unequal.models.shapes import ModelSettings
from unequal.places import Output, beside_of
from unequal.strict import PathOrName, PositiveInt, Seed, StrictModel
from unequal.training.settings import PretrainSettings
from unequal.unlearning.method import MethodSettings
from unequal.unlearning.settings import UnlearnSettings


class CorpusCommand(StrictModel):
    """Settings of ``unequal corpus``."""

    out: Path
    world: WorldSettings = WorldSettings()
    corpus: CorpusSettings = CorpusSettings()
    prompts: PromptFormat = PromptFormat()

    def outputs(self) -> list[Output]:
        """Return what is written."""
        return [Output(self.out, kind="whole", made="corpus.json")]


class PretrainCommand(DeviceSettings):
    """Settings of ``unequal pretrain``."""

    corpus: Path
    out: Path
    model: ModelSettings
    pretrain: PretrainSettings = PretrainSettings()
    seed: Seed = 0
    checkpoint_every: int = Field(default=200, ge=1, description="steps")

    def outputs(self) -> list[Output]:
        """Return what is written."""
        return [Output(self.out, kind="folder"), Output(self.out / "model", kind="whole")]


class JudgeCommand(ComputeSettings):
    """Settings of ``unequal evaluate``."""

    model: PathOrName
    facts: Path
    out: Path
    prompts: PromptFormat = PromptFormat()
    probes: tuple[ProbeKind, ...] = PROBE_KINDS
    n_wordings: PositiveInt = Field(default=2)
    metrics: tuple[str, ...] | None = Field(default=None, description="all that the passes allow")
    known_by: KnownBy = Field(
        default=KNOWN_BY, description="the reading of generated texts that says what is known"
    )
    passes: Passes = Passes()
    reference: PathOrName | None = Field(default=None, description="a model that never saw the facts")

    def outputs(self) -> list[Output]:
        """Return what is written."""
        names = ("scores.parquet", "aggregates.parquet", "generations.parquet", "manifest.json")
        return [Output(self.out, kind="folder"), *(Output(self.out / name) for name in names)]


class AttackCommand(ComputeSettings):
    """Settings of ``unequal attack``."""

    model: PathOrName
    facts: Path = Field(description="facts without a role are to be forgotten")
    out: Path
    attacks: tuple[AttackSettings, ...] = Field(min_length=1)
    retain: Path | None = Field(default=None, description="more facts, which an attacker may know")
    never_seen: Path | None = Field(default=None, description="more facts, which the model never saw")
    prompts: PromptFormat = PromptFormat()
    known_by: KnownBy = Field(
        default=KNOWN_BY, description="the reading of generated texts that says what is known"
    )
    n_wordings: PositiveInt = Field(default=2, description="cloze prompts of a fact, at most")
    seed: Seed = 0

    _distinct = field_validator("attacks")(distinct)

    def outputs(self) -> list[Output]:
        """Return what is written."""
        names = ("scores.parquet", "generations.parquet", "manifest.json")
        return [Output(self.out, kind="folder"), *(Output(self.out / name) for name in names)]


class UnlearnCommand(DeviceSettings, LoadSettings):
    """Settings of ``unequal unlearn``."""

    model: PathOrName
    forget: Path
    out: Path
    method: MethodSettings
    retain: Path | None = None
    utility: Path | None = Field(default=None, description="facts never trained on, to judge damage by")
    never_seen: Path | None = Field(default=None, description="facts the model never saw, to stop at")
    unlearn: UnlearnSettings = UnlearnSettings()
    prompts: PromptFormat = PromptFormat()
    probes: tuple[ProbeKind, ...] = PROBE_KINDS
    known_by: KnownBy = Field(
        default=KNOWN_BY, description="the reading of generated texts that says what is known"
    )
    allow_unknown: bool = Field(
        default=False, description="go on though the model says none of the facts to forget"
    )
    n_wordings: PositiveInt = Field(default=2)
    seed: Seed = 0
    checkpoint_every: int = Field(
        default=0, ge=0, description="steps after which an interrupted run can go on; 0 keeps nothing"
    )

    def outputs(self) -> list[Output]:
        """Return what is written, and what may be kept beside it."""
        beside = (Output(beside_of(self.out, end), kind="whole") for end in ("unfinished", "diverged"))
        return [Output(self.out, kind="whole", made="scores.parquet"), *beside]
