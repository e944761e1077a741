"""The stage ``unequal tune``: a method's learning rate, searched on one model by trials kept in a file."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field

from unequal.checksums import is_own_json, warn_remade, write_checked_json
from unequal.errors import DamagedError, DataError
from unequal.evaluation.known_by import KNOWN_BY, KnownBySetting, known_of, require_known
from unequal.facts.probes import PromptFormat
from unequal.facts.role_tables import FactTables
from unequal.files import check_file_name
from unequal.models.compute_settings import DeviceSettings, LoadSettings, ModelName
from unequal.output_paths import Output, check_settings
from unequal.progress import Progress
from unequal.records import read_checked_record
from unequal.strict import Seed
from unequal.unlearning.method import MethodSettings
from unequal.unlearning.search import SearchSettings, Trial, search
from unequal.unlearning.settings import UnlearnSettings

if TYPE_CHECKING:
    pass


class TuneCommand(FactTables, DeviceSettings, LoadSettings):
    """Settings of ``unequal tune``."""

    model: ModelName
    out: Path = Field(description="file of the trials to write (JSON); the same command continues from it")
    method: MethodSettings
    search: SearchSettings = SearchSettings()
    unlearn: UnlearnSettings = UnlearnSettings()
    prompts: PromptFormat = PromptFormat()
    known_by: KnownBySetting = KNOWN_BY
    allow_unknown: bool = Field(
        default=False, description="continue although the model knows none of the facts to forget"
    )
    seed: Seed = Field(default=0, description="seed of the order of facts")

    def outputs(self) -> list[Output]:
        """Return what is written."""
        return [Output(self.out)]


def run_tune(settings: TuneCommand, progress: Progress) -> list[tuple[int, Trial]]:
    """Return all trials with their rungs, the last one with the rate to use; each is written when it is done.

    Trials that ``out`` holds are not made again. Raises `DataError` when it holds those of other settings, or
    when the model says none of the facts to forget.
    """
    from unequal.models.device import choose_device
    from unequal.models.distributed import is_main_process, wait_for_everyone

    check_settings(settings)
    choose_device(settings.device)
    known = _known_trials(settings)
    trials = _Trials(settings)
    if not known:
        trials.require_known()
    wait_for_everyone()  # before the first of several processes writes there
    n_trials = sum(count for count, _ in settings.search.rungs(settings.unlearn.steps))
    found: list[tuple[int, Trial]] = []

    def trial(rate: float, steps: int) -> Trial:
        done = next((t for t in known if (t.rate, t.steps) == (rate, steps)), None)
        return done or trials.run(rate, steps)

    for rung, made in search(settings.search, settings.unlearn.steps, trial):
        found.append((rung, made))
        if made not in known:
            known.append(made)
            held = {"settings": _identity(settings), "trials": [asdict(one) for one in known]}
            if is_main_process():
                write_checked_json(settings.out, held)
        progress(len(found), n_trials)
    return found


class _Trials:
    """A model that is loaded once, and the facts of every trial."""

    def __init__(self, settings: TuneCommand) -> None:
        from unequal.models.checkpoint import load
        from unequal.scoring.encoding import Encoder
        from unequal.unlearning.run import Run

        self._settings = settings
        self._facts = settings.read()
        model, tokenizer = load(
            settings.model, quantise=settings.unlearn.quantise, merge_adapter=settings.merge_adapter
        )
        self._run = Run(
            model, Encoder(tokenizer), settings.method, self._facts.forget, self._facts.retain,
            settings.unlearn, settings.prompts, settings.seed,
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

    def run(self, rate: float, steps: int) -> Trial:
        """Return one trial, on a copy of the model."""
        from unequal.unlearning.trials import try_rate

        return try_rate(self._run, self._facts.utility, rate, steps)


@dataclass(frozen=True)
class _TrialsFile:
    """The contents of the file of trials."""

    settings: dict[str, Any]
    trials: list[Trial]


def _known_trials(settings: TuneCommand) -> list[Trial]:
    check_file_name(settings.out, "tune.json")
    if not settings.out.exists():
        return []
    try:
        held = read_checked_record(_TrialsFile, settings.out, "")
    except DamagedError as error:
        if not is_own_json(settings.out, "settings", "trials"):
            raise DataError(f"{settings.out} holds no trials ({error.what}); name another --out") from error
        warn_remade(str(settings.out), error.what)
        return []
    if held.settings != _identity(settings):
        raise DataError(
            f"{settings.out} holds trials of other settings; name another --out, or delete it to begin anew"
        )
    return held.trials


def _identity(settings: TuneCommand) -> dict[str, Any]:
    return settings.model_dump(mode="json", exclude={"out", "device"})
