"""The stage ``unequal tune``: learning rates of methods, searched on one model by trials kept in a file."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field, field_validator, model_validator

from unequal.errors import ConfigError
from unequal.evaluation.known_by import KNOWN_BY, KnownBySetting, known_of, require_known
from unequal.facts.probes import PromptFormat
from unequal.facts.role_tables import FactTables
from unequal.files import check_file_name
from unequal.models.compute_settings import DeviceSettings, LoadSettings, ModelName
from unequal.output_paths import Output, check_settings
from unequal.progress import Progress
from unequal.strict import Seed
from unequal.study.stages.trials_file import TrialsFile, trials_to_go_on_from, write_trials
from unequal.unlearning.method import Method, MethodSettings, distinct_kinds
from unequal.unlearning.search import SearchSettings, Trial, search
from unequal.unlearning.settings import UnlearnSettings

if TYPE_CHECKING:
    from unequal.unlearning.run import Run

Trials = Mapping[str, list[tuple[int, Trial]]]
"""The trials of each method by kind, with their rungs, in the order in which they were made."""


class TuneCommand(FactTables, DeviceSettings, LoadSettings):
    """Settings of ``unequal tune``."""

    model: ModelName
    out: Path = Field(description="file of the trials to write (JSON); the same command continues from it")
    method: MethodSettings | None = Field(default=None, description="unlearning method, a name or a table")
    methods: tuple[MethodSettings, ...] = Field(
        default=(), description="methods to compare by the same number of trials each, in place of method"
    )
    search: SearchSettings = SearchSettings()
    unlearn: UnlearnSettings = UnlearnSettings()
    prompts: PromptFormat = PromptFormat()
    known_by: KnownBySetting = KNOWN_BY
    allow_unknown: bool = Field(
        default=False, description="continue although the model knows none of the facts to forget"
    )
    seed: Seed = Field(default=0, description="seed of the order of facts")

    _distinct = field_validator("methods")(distinct_kinds)

    @model_validator(mode="after")
    def _some_method(self) -> "TuneCommand":
        if (self.method is None) == (not self.methods):
            raise ValueError("give one of method and methods; see: unequal list methods")
        return self

    @property
    def compared(self) -> tuple[Method, ...]:
        """The methods whose rates are searched."""
        return self.methods if self.method is None else (self.method,)

    @property
    def n_trials(self) -> int:
        """The number of trials of all methods."""
        return len(self.compared) * sum(count for count, _ in self.search.rungs(self.unlearn.steps))

    @property
    def n_steps(self) -> int:
        """The number of steps of all trials."""
        rungs = self.search.rungs(self.unlearn.steps)
        return len(self.compared) * sum(count * steps for count, steps in rungs)

    def identity(self) -> dict[str, Any]:
        """Return the settings that trials depend on."""
        return self.model_dump(mode="json", exclude={"out", "device"})

    def outputs(self) -> list[Output]:
        """Return what is written."""
        return [Output(self.out)]


def run_tune(settings: TuneCommand, progress: Progress) -> Trials:
    """Return all trials; each is written when it is done, and those that ``out`` holds are not made again.

    Raises `DataError` when it holds trials of other settings, or when the model says none of the facts to
    forget, and `ConfigError` when there are no untouched facts.
    """
    from unequal.models.device import choose_device
    from unequal.models.distributed import is_main_process, wait_for_everyone

    check_settings(settings)
    choose_device(settings.device)
    check_file_name(settings.out, "tune.json")
    known = trials_to_go_on_from(settings.out, settings.identity())
    trials = _Trials(settings)
    if not known.trials:
        trials.require_known()
    wait_for_everyone()  # before the first of several processes writes there
    found: dict[str, list[tuple[int, Trial]]] = {}
    made_steps = 0
    for method in settings.compared:
        found[method.kind] = []
        for rung, made in _search(settings, method, known, trials):
            found[method.kind].append((rung, made))
            if made not in known.trials:
                known.trials.append(made)
                if is_main_process():
                    write_trials(settings.out, settings.identity(), known.trials)
            made_steps += made.steps
            progress(made_steps, settings.n_steps)
    return found


def _search(
    settings: TuneCommand, method: Method, known: TrialsFile, trials: "_Trials"
) -> Iterator[tuple[int, Trial]]:
    """Yield the trials of a method with their rungs, made where they are not known."""

    def trial(rate: float, steps: int) -> Trial:
        return known.find(method.kind, rate, steps) or trials.run(method, rate, steps)

    return search(settings.search, settings.unlearn.steps, trial)


class _Trials:
    """A model that is loaded once, when the first trial needs it, and the facts of every trial."""

    def __init__(self, settings: TuneCommand) -> None:
        self._settings = settings
        self._facts = settings.read()
        if not self._facts.utility:
            raise ConfigError(
                "tune needs untouched facts, whose answers must not be harmed: give --utility, or a table"
                " --facts with rows of the role utility or with more facts than are forgotten (--n-forget)"
            )

    @cached_property
    def _run(self) -> "Run":
        from unequal.models.checkpoint import load
        from unequal.scoring.encoding import Encoder
        from unequal.unlearning.run import Run

        settings, facts = self._settings, self._facts
        model, tokenizer = load(
            settings.model, quantise=settings.unlearn.quantise, merge_adapter=settings.merge_adapter
        )
        return Run(
            model, Encoder(tokenizer), settings.compared[0], facts.forget, facts.retain, settings.unlearn,
            settings.prompts, settings.seed,
        )  # fmt: skip

    def require_known(self) -> None:
        """Raise `DataError` when the model says none of the facts to forget, unless that is allowed."""
        from unequal.evaluation.evaluate import evaluate

        settings = self._settings
        if settings.allow_unknown:
            return
        tables = evaluate(
            self._run.model, self._run.tokenizer, self._facts.forget, settings.prompts,
            probes=["question"], metrics=[settings.known_by, "answer_prob"],
        )  # fmt: skip
        require_known(known_of(tables.scores, settings.known_by), f"{settings.model} says none")

    def run(self, method: Method, rate: float, steps: int) -> Trial:
        """Return one trial, on a copy of the model."""
        from unequal.unlearning.trials import try_rate

        return try_rate(replace(self._run, method=method), self._facts.utility, rate, steps)
