"""The stage ``unequal unlearn``: an unlearned model, and its scores along the way."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
from pydantic import Field

from unequal.errors import DivergedError
from unequal.evaluation.known_by import KNOWN_BY, KnownBy, known_of, require_known
from unequal.facts.probes import PROBE_KINDS, ProbeKind, PromptFormat
from unequal.facts.roles import FactsByRole
from unequal.files import atomic_folder, file_hash, lock_of, locked, write_json
from unequal.manifest import manifest
from unequal.models.compute_settings import DeviceSettings, LoadSettings
from unequal.oom import retry_with_smaller_batches
from unequal.output_paths import Output, beside_of, check_settings
from unequal.progress import Progress
from unequal.strict import PathOrName, PositiveInt, Seed
from unequal.study.stages.tables import of_model, of_precision, write_tables
from unequal.unlearning.method import MethodSettings
from unequal.unlearning.settings import UnlearnSettings
from unequal.unlearning.targets import Controls

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from unequal.evaluation.evaluate import Tables
    from unequal.study.partial_run import PartialRun
    from unequal.unlearning.stopping import Stopped

ROLES = ("forget", "retain", "utility", "never_seen")  # each with a file of its own


class UnlearnCommand(DeviceSettings, LoadSettings):
    """Settings of ``unequal unlearn``."""

    model: PathOrName
    forget: Path
    out: Path
    method: MethodSettings
    retain: Path | None = None
    utility: Path | None = Field(default=None, description="facts never trained on, to measure damage by")
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


@dataclass(frozen=True)
class Unlearned:
    """The scores of all evaluated steps of a run, and the rule that ended it, if one did."""

    scores: pl.DataFrame
    stopped: "Stopped | None"


@retry_with_smaller_batches
def run_unlearn(settings: UnlearnCommand, progress: Progress) -> Unlearned:
    """Write the unlearned model, its scores and its texts into ``out`` and return the scores of all steps.

    Raises `DataError` when the model says none of the facts to forget, unless that is allowed.

    An interrupted run goes on from what ``<out>.unfinished`` keeps: the model at the end, before it is
    evaluated, and with ``checkpoint_every`` that on the way. Of a run that diverges ``<out>.diverged`` keeps
    the last good model and the scores so far; raises `DivergedError` that says so.
    """
    from unequal.models.device import choose_device
    from unequal.models.distributed import on_main_process
    from unequal.study.partial_run import PartialRun

    check_settings(settings)
    choose_device(settings.device)
    files = {role: path for role in ROLES if (path := getattr(settings, role))}
    facts = FactsByRole.read(**files)
    resolved = settings.model_dump(mode="json", exclude={"checkpoint_every", "device"})
    hashes = {role: file_hash(path) for role, path in files.items()}
    with on_main_process(locked(lock_of(settings.out), f"unlearning into {settings.out}")):
        partial = PartialRun(settings.out, {**resolved, "facts": hashes})
        try:
            found, described = _unlearn_and_evaluate(settings, facts, partial, progress)
            stopped = partial.stopped()
        except BaseException:
            if not partial.can_go_on:
                partial.remove()
            raise
        with on_main_process(atomic_folder(settings.out)) as folder:
            if folder:
                shutil.copytree(partial.model, folder / "model")
                write_tables(found, folder, _columns(settings) | described)
                ended = {} if stopped is None else {"stopped": stopped._asdict()}
                write_json(folder / "manifest.json", {"settings": resolved, **ended, **manifest()})
        partial.remove()
    scores = pl.concat([tables.scores.with_columns(step=step) for step, tables in found.items()])
    return Unlearned(scores, stopped)


def _unlearn_and_evaluate(
    settings: UnlearnCommand, facts: FactsByRole, partial: "PartialRun", progress: Progress
) -> tuple[dict[int, "Tables"], dict[str, Any]]:
    """Return the tables of every evaluated step, and the columns of the model; the one at the end is kept."""
    from unequal.evaluation.evaluate import Evaluator
    from unequal.facts.probes import ProbeMaker
    from unequal.models.distributed import wait_for_everyone
    from unequal.models.load import load_model, load_tokenizer
    from unequal.scoring.encoding import Encoder
    from unequal.unlearning.run import Checkpoints, Run
    from unequal.unlearning.stopping import Stopped
    from unequal.unlearning.unlearn import unlearn

    precision = settings.unlearn.precision
    model = load_model(settings.model, settings.unlearn.quantise, precision, settings.merge_adapter)
    tokenizer = load_tokenizer(settings.model)
    described = of_model(model)
    maker, encoder = ProbeMaker(facts.all, settings.prompts, settings.n_wordings), Encoder(tokenizer)
    evaluator = Evaluator(encoder, facts.all, maker, settings.probes)
    before = settings.method.prompt_prefix(facts.forget)
    prefixed = Evaluator(encoder, facts.all, maker, settings.probes, before) if before else evaluator
    found: dict[int, Tables] = partial.evaluated()
    stopped: list[Stopped] = []

    def evaluate(model: "PreTrainedModel", step: int, last: bool) -> None:
        if last:
            partial.end(step, model, tokenizer, found, stopped[0] if stopped else None)
        found[step] = (prefixed if step > 0 else evaluator).run(model)
        if step == 0 and not settings.allow_unknown:
            require_known(
                known_of(found[0].scores, settings.known_by, ["forget"]), f"{settings.model} says none"
            )
        if settings.checkpoint_every:
            partial.keep(step, found[step])

    ended, every = partial.last_step(), settings.checkpoint_every
    wait_for_everyone()  # before the first of several processes writes anything there
    if ended is not None:
        evaluate(load_model(partial.model, precision=precision), ended, last=False)
        return dict(sorted(found.items())), described
    run = Run(
        model, encoder, settings.method, facts.forget, facts.retain, settings.unlearn, settings.prompts,
        settings.seed, Controls(facts.utility, facts.never_seen),
        Checkpoints(partial.checkpoints, every) if every else None, evaluate, progress, stopped.append,
    )  # fmt: skip
    try:
        unlearn(run)
    except DivergedError as error:
        partial.remove()  # what would go on from there would diverge again
        if error.step == 1:
            raise
        kept = {step: tables for step, tables in sorted(found.items()) if step < error.step}
        raise _keep_diverged(settings, error, kept, model, tokenizer) from error
    return dict(sorted(found.items())), described


def _keep_diverged(
    settings: UnlearnCommand,
    error: DivergedError,
    found: dict[int, "Tables"],
    model: "PreTrainedModel",
    tokenizer: "PreTrainedTokenizerBase",
) -> DivergedError:
    """Write ``<out>.diverged`` and return an error that names it."""
    from unequal.models.distributed import on_main_process
    from unequal.models.save import save_model

    beside = settings.out.with_name(f"{settings.out.name}.diverged")
    with on_main_process(atomic_folder(beside)) as folder:
        save_model(model, tokenizer, folder / "model" if folder else None)
        if folder:
            write_tables(found, folder, _columns(settings) | of_model(model))
            failure = {"what": error.what, "step": error.step, "batch": error.batch}
            made = {"settings": settings.model_dump(mode="json"), "diverged": failure, **manifest()}
            write_json(folder / "manifest.json", made)
    kept = f"the model before that step and all scores so far are in {beside}"
    return DivergedError(f"{error.what}, {kept}", error.step, error.batch)


def _columns(settings: UnlearnCommand) -> dict[str, Any]:
    """Return the columns that describe the run."""
    return {
        "study": "unlearn",
        "run_id": settings.out.name,
        "method": settings.method.kind,
        "weighting": settings.unlearn.weighting.name,
        "seed": settings.seed,
        **of_precision(settings.unlearn.precision),
    }
