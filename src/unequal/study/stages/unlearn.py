"""The stage ``unequal unlearn``: an unlearned model, and its scores along the way."""

import shutil
from collections.abc import Mapping
from functools import partial as bound
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field, model_validator

from unequal.errors import DivergedError
from unequal.evaluation.known_by import KNOWN_BY, KnownBySetting, known_of, require_known
from unequal.facts.packaged import resolve_facts
from unequal.facts.probes import PROBE_KINDS, ProbeKind, PromptFormat
from unequal.facts.role_tables import FactTables
from unequal.facts.roles import FactsByRole
from unequal.files import atomic_folder, file_hash, lock_of, locked, write_json
from unequal.general_utility.settings import GeneralSettings
from unequal.manifest import manifest
from unequal.models.compute_settings import DeviceSettings, LoadSettings, ModelName
from unequal.oom import retry_with_smaller_batches
from unequal.output_paths import Output, beside_of, check_settings
from unequal.progress import Progress
from unequal.strict import PositiveInt, Seed
from unequal.study.stages.tables import of_model, of_precision, write_tables
from unequal.unlearning.method import MethodSettings
from unequal.unlearning.settings import UnlearnSettings
from unequal.unlearning.targets import Controls

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from unequal.evaluation.evaluate import Tables
    from unequal.evaluation.unlearning_run import RunScores
    from unequal.study.stages.partial_run import PartialRun


class UnlearnCommand(FactTables, DeviceSettings, LoadSettings):
    """Settings of ``unequal unlearn``."""

    model: ModelName
    out: Path = Field(
        description="folder for the unlearned model, its scores and its texts; an existing result is"
        " replaced as a whole"
    )
    method: MethodSettings
    tuned: Path | None = Field(
        default=None,
        description="file of trials of unequal tune: the best method with its learning rate, steps and"
        " stopping rule, and the model and facts, where they are not given beside it",
    )
    unlearn: UnlearnSettings = UnlearnSettings()
    prompts: PromptFormat = PromptFormat()
    probes: tuple[ProbeKind, ...] = Field(default=PROBE_KINDS, description="kinds of probes")
    known_by: KnownBySetting = KNOWN_BY
    allow_unknown: bool = Field(
        default=False, description="continue although the model knows none of the facts to forget"
    )
    n_wordings: PositiveInt = Field(default=2, description="wordings of each paraphrase and cloze, at most")
    general: GeneralSettings = GeneralSettings()
    seed: Seed = Field(default=0, description="seed of the order of facts")
    checkpoint_every: int = Field(
        default=0,
        ge=0,
        description="steps between checkpoints, from which an interrupted run continues; 0 keeps none",
    )

    @model_validator(mode="before")
    @classmethod
    def _as_tuned(cls, values: Any) -> Any:
        if not isinstance(values, Mapping) or not isinstance(values.get("tuned"), str | Path):
            return values
        from unequal.study.stages.tuned import with_tuned

        return with_tuned(values, Path(values["tuned"]))

    def outputs(self) -> list[Output]:
        """Return what is written, and what may be kept beside it."""
        beside = (Output(beside_of(self.out, end), kind="whole") for end in ("unfinished", "diverged"))
        return [Output(self.out, kind="whole", made="scores.parquet"), *beside]


@retry_with_smaller_batches
def run_unlearn(settings: UnlearnCommand, progress: Progress) -> "RunScores":
    """Write the unlearned model, its scores and its texts into ``out`` and return the scores of all steps.

    Raises `DataError` when the model says none of the facts to forget, unless that is allowed.

    An interrupted run goes on from what ``<out>.unfinished`` keeps: the model at the end, before it is
    evaluated, and with ``checkpoint_every`` that on the way. Of a run that diverges ``<out>.diverged`` keeps
    the last good model and the scores so far; raises `DivergedError` that says so.
    """
    from unequal.models.device import choose_device
    from unequal.models.distributed import on_main_process
    from unequal.study.stages.partial_run import PartialRun

    check_settings(settings)
    choose_device(settings.device)
    facts = settings.read()
    resolved = settings.model_dump(mode="json", exclude={"checkpoint_every", "device"})
    hashes = {role: file_hash(resolve_facts(path)) for role, path in settings.tables().items()}
    with on_main_process(locked(lock_of(settings.out), f"unlearning into {settings.out}")):
        partial = PartialRun(settings.out, {**resolved, "facts": hashes})
        try:
            found, described = _unlearn(settings, facts, partial, progress)
        except BaseException:
            if not partial.can_go_on:
                partial.remove()
            raise
        with on_main_process(atomic_folder(settings.out)) as folder:
            if folder:
                shutil.copytree(partial.model, folder / "model")
                write_tables(found.tables, folder, _columns(settings) | described)
                ended = {"stopped": found.stopped._asdict()} if found.stopped else {}
                write_json(folder / "manifest.json", {"settings": resolved, **ended, **manifest()})
        partial.remove()
    return found


def _unlearn(
    settings: UnlearnCommand, facts: FactsByRole, partial: "PartialRun", progress: Progress
) -> tuple["RunScores", dict[str, Any]]:
    """Return the scores of every evaluated step, and the columns of the model, which is kept at the end."""
    from unequal.evaluation.unlearning_run import Evaluations, RunScores, unlearn_and_evaluate
    from unequal.general_utility.measure import GeneralUtility
    from unequal.models.checkpoint import load
    from unequal.models.distributed import wait_for_everyone
    from unequal.models.load import load_model
    from unequal.scoring.encoding import Encoder
    from unequal.unlearning.run import Checkpoints, Run

    chosen, every = settings.unlearn, settings.checkpoint_every
    model, tokenizer = load(
        settings.model,
        precision=chosen.precision,
        quantise=chosen.quantise,
        merge_adapter=settings.merge_adapter,
    )
    described = of_model(model)
    encoder = Encoder(tokenizer)
    general = GeneralUtility(settings.general, model, encoder, facts.all, settings.prompts)
    text = general.text if chosen.stopping.perplexity_rise is not None else None
    run = Run(
        model, encoder, settings.method, facts.forget, facts.retain, chosen, settings.prompts,
        settings.seed, Controls(facts.utility, facts.never_seen, text),
        Checkpoints(partial.checkpoints, every) if every else None, progress=progress,
    )  # fmt: skip
    evaluations = general.around(
        Evaluations.of(run, facts, settings.probes, settings.n_wordings),
        settings.method.prompt_prefix(facts.forget),
    )
    earlier, ended = partial.evaluated(), partial.last_step()
    wait_for_everyone()  # before the first of several processes writes anything there
    if ended is not None:
        last = evaluations.last if ended else evaluations.start
        tables = {**earlier, ended: last(load_model(partial.model, precision=chosen.precision))}
        return RunScores(dict(sorted(tables.items())), ended, partial.stopped()), described

    def after_evaluation(step: int, tables: "Tables") -> None:
        if step == 0 and not settings.allow_unknown:
            known = known_of(tables.scores, settings.known_by, ["forget"])
            require_known(known, f"{settings.model} says none")
        if every:
            partial.keep(step, tables)

    at_end = bound(partial.end, model, tokenizer, prompts=settings.prompts)
    found = unlearn_and_evaluate(
        run, evaluations, at_end=at_end, after_evaluation=after_evaluation, earlier=earlier
    )
    if found.diverged:
        partial.remove()  # what would go on from there would diverge again
        raise _keep_diverged(settings, found, found.diverged, model, tokenizer) from found.diverged
    return found, described


def _keep_diverged(
    settings: UnlearnCommand,
    found: "RunScores",
    error: DivergedError,
    model: "PreTrainedModel",
    tokenizer: "PreTrainedTokenizerBase",
) -> DivergedError:
    """Write ``<out>.diverged``, unless the first step diverged, and return an error that names it."""
    from unequal.models.distributed import on_main_process
    from unequal.models.save import save_model

    if error.step == 1 or not found.tables:
        return error
    beside = settings.out.with_name(f"{settings.out.name}.diverged")
    with on_main_process(atomic_folder(beside)) as folder:
        save_model(model, tokenizer, folder / "model" if folder else None, settings.prompts)
        if folder:
            write_tables(found.tables, folder, _columns(settings) | of_model(model))
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
