"""A run file: what every study says, whatever its base models come from."""

from collections.abc import Iterator
from itertools import product
from typing import Any

from pydantic import Field, field_validator, model_validator

from unequal.attacks.attack import AttackSettings, distinct
from unequal.errors import did_you_mean
from unequal.evaluation.known_by import KnownBy
from unequal.evaluation.metrics import METRICS, STUDY_METRICS
from unequal.evaluation.passes import Passes
from unequal.facts.probes import PROBE_KINDS, ProbeKind, PromptFormat
from unequal.models.compute_settings import Precision
from unequal.strict import MOST, Seed, StrictModel
from unequal.study.base_model import Base
from unequal.unlearning.method import MethodSettings, distinct_kinds
from unequal.unlearning.method_kinds import WithoutLoss
from unequal.unlearning.settings import TargetSettings, UnlearnSettings
from unequal.unlearning.weighting import Weighting, schedule_problem

Seeds = tuple[Seed, ...]


def all_distinct(values: tuple[object, ...]) -> tuple[object, ...]:
    """Return the values of a list in which none may stand twice; raises `ValueError`."""
    if len(set(values)) < len(values):
        raise ValueError("an entry stands twice")
    return values


class EvaluateSettings(StrictModel):
    """What is asked: every probe before and after, some in between, of samples of the roles not to forget."""

    probes: tuple[ProbeKind, ...] = Field(default=PROBE_KINDS, min_length=1)
    probes_between: tuple[ProbeKind, ...] = ("question", "cloze")
    n_wordings: int = Field(
        default=2, ge=1, le=MOST, description="wordings of a probe kind, averaged for each fact"
    )
    facts_per_role: int = Field(default=48, ge=1, description="of neighbour, retain and utility each")
    metrics: tuple[str, ...] = Field(
        default=STUDY_METRICS,
        min_length=1,
        description="kept of every judged step; the analysis leaves out what it needs others for",
    )

    known_by: KnownBy | None = Field(
        default=None,
        description="the reading of generated texts that says what is known; by default answer_said",
    )
    allow_unknown: bool = Field(
        default=False,
        description="go on though no model says any of the facts to forget",
    )

    @model_validator(mode="after")
    def _measures_what_it_gates_by(self) -> "EvaluateSettings":
        if self.known_by is not None and self.known_by not in self.metrics:
            raise ValueError(f"known_by = '{self.known_by}' must be one of metrics too; add it there")
        return self

    @field_validator("metrics")
    @classmethod
    def _known(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        gives = Passes().give(reference=False)
        for name in names:
            if name not in METRICS:
                hint = did_you_mean(name, METRICS)
                raise ValueError(f"unknown metric '{name}'{hint} (known: {', '.join(METRICS)})")
            if lacking := set(METRICS.get(name).needs) - gives:
                raise ValueError(
                    f"metric '{name}' needs {', '.join(sorted(lacking))}, which a study does not run"
                )
        return tuple(dict.fromkeys(names))


class TargetChoice(TargetSettings):
    """A target, for all methods of the study or for some."""

    methods: tuple[str, ...] | None = Field(default=None, description="kinds; by default all of the study")


class StudySettings(StrictModel):
    """The grid of every study: methods, targets, weightings and seeds on each of its base models.

    A subclass for each source of base models says what else its run files hold.
    """

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$", description="name of the study")
    seeds: Seeds = Field(
        default=(0, 1, 2), min_length=1, description="seeds of unlearning; each makes runs of its own"
    )
    prompts: PromptFormat = PromptFormat()
    methods: tuple[MethodSettings, ...] = Field(
        min_length=1, description="unlearning methods, names or tables; see: unequal list methods"
    )
    targets: tuple[TargetChoice, ...] = Field(
        min_length=1, description="which facts are forgotten: relations, all levels at once or one"
    )
    weightings: tuple[Weighting, ...] = Field(
        default=(Weighting(),),
        min_length=1,
        description="weightings of the facts to forget; each makes runs of its own",
    )
    precisions: tuple[Precision, ...] = Field(
        default=("fp32",),
        min_length=1,
        description="precisions of unlearning; each makes runs of its own",
    )
    unlearn: UnlearnSettings = UnlearnSettings()
    evaluate: EvaluateSettings = EvaluateSettings()
    attacks: tuple[AttackSettings, ...] = Field(
        default=(),
        description="attacks on the model before unlearning and after the last step; see: unequal list"
        " attacks",
    )

    def bases(self) -> Iterator[Base]:
        """Yield the base models; raises `ConfigError` or `DataError` when a file of them cannot be read."""
        raise NotImplementedError

    @property
    def other_seeds(self) -> dict[str, Any]:
        """The seeds of the base models, by what they decide."""
        raise NotImplementedError

    _distinct = field_validator("seeds", "weightings", "precisions")(all_distinct)
    _attacks_distinct = field_validator("attacks")(distinct)

    _distinct_kinds = field_validator("methods")(distinct_kinds)

    @field_validator("unlearn")
    @classmethod
    def _listed_by_the_study(cls, unlearn: UnlearnSettings) -> UnlearnSettings:
        if unlearn.weighting != Weighting():
            raise ValueError("weighting of a study stands in its own list: weightings = [{by = …}]")
        if unlearn.precision != "fp32":
            raise ValueError(
                f'precision of a study stands in its own list: precisions = ["{unlearn.precision}"]'
            )
        return unlearn

    @model_validator(mode="after")
    def _weights_can_act(self) -> "StudySettings":
        for weighting, method in product(self.weightings, self.methods):
            if problem := schedule_problem(method, weighting):
                raise ValueError(f"weightings: {problem}")
        return self

    @model_validator(mode="after")
    def _weights_can_be_rounded(self) -> "StudySettings":
        without = [method.kind for method in self.methods if isinstance(method, WithoutLoss)]
        if without and self.precisions != ("fp32",):
            raise ValueError(
                f"precisions: method {', '.join(without)} minimises no loss, so there are no steps to round;"
                " leave it out"
            )
        return self

    @model_validator(mode="after")
    def _methods_of_targets_exist(self) -> "StudySettings":
        kinds = [method.kind for method in self.methods]
        for index, target in enumerate(self.targets):
            for kind in target.methods or ():
                if kind not in kinds:
                    hint = did_you_mean(kind, kinds)
                    raise ValueError(
                        f"targets.{index}.methods: '{kind}'{hint} is not among methods ({', '.join(kinds)})"
                    )
        return self

    def target_settings(self) -> tuple[TargetSettings, ...]:
        """Return the targets without the methods that they are for."""
        return tuple(
            TargetSettings.model_validate(target.model_dump(exclude={"methods"})) for target in self.targets
        )


def refuse_levels(targets: tuple[TargetChoice, ...]) -> None:
    """Raise `ValueError` for a target of one level, which only assigned exposures have."""
    for index, target in enumerate(targets):
        if target.level != "mixed":
            raise ValueError(
                f"targets.{index}.level: levels are of assigned exposures; facts with natural counts have"
                " bucket = 0, 1, …"
            )
