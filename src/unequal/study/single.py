"""One stage on its own, as the command line runs it: corpus, pre-training, unlearning or evaluation."""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from unequal.attacks.attack import ANSWER_METRICS, AttackContext, check_kept, run_attacks
from unequal.checksums import SEAL, seal_files, write_sealed_json
from unequal.errors import ConfigError, DataError, DivergedError
from unequal.evaluation.aggregates.table import aggregate_table
from unequal.evaluation.known_by import known_of, require_known
from unequal.evaluation.score_table import GENERATION_SCHEMA, OPTIONAL_SCORES, SCORE_SCHEMA
from unequal.facts.schema import Fact, Role
from unequal.facts.table import read_facts
from unequal.files import (
    atomic_folder,
    file_hash,
    lock_of,
    locked,
    output_folder,
    write_json,
    write_table,
)
from unequal.manifest import manifest
from unequal.models.compute_settings import Precision, master_weights
from unequal.oom import with_second_try
from unequal.places import check_settings
from unequal.records import read_object
from unequal.study.commands import AttackCommand, CorpusCommand, JudgeCommand, PretrainCommand, UnlearnCommand
from unequal.unlearning.targets import Controls

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from unequal.evaluation.evaluate import Tables
    from unequal.study.partial_run import Unfinished
    from unequal.unlearning.stopping import Stopped

Progress = Callable[[int, int], None]

_ROLES: tuple[Role, ...] = ("forget", "retain", "utility", "never_seen")  # each with a file of its own
UNDESCRIBED = {"weighting": "uniform", "target": "mixed", "wording": "unknown", "pretrain_seed": 0, "seed": 0}


def run_corpus(settings: CorpusCommand, progress: Progress) -> None:
    """Build the corpus folder ``settings.out``; an existing one is replaced as a whole."""
    from unequal.corpus.build import build_corpus

    check_settings(settings)
    with locked(lock_of(settings.out), f"building {settings.out}"):
        build_corpus(settings.world, settings.corpus, settings.prompts, settings.out, progress)
        made_from = settings.model_dump(mode="json", exclude={"out"})
        write_sealed_json(settings.out / "manifest.json", {"settings": made_from, **manifest()})


def _made_from(corpus_manifest: Path) -> object:
    """Return the settings that a corpus was made from, None where it does not say."""
    if not corpus_manifest.is_file():
        return None
    advice = "build the corpus anew"
    return read_object(corpus_manifest, advice).get("settings")


@with_second_try
def run_pretrain(settings: PretrainCommand, progress: Progress) -> Path:
    """Train and return the model folder ``out/model``.

    Goes on from a checkpoint of the same settings and corpus, and does nothing where that was finished.
    """
    from unequal.corpus.shards import TokenWindows
    from unequal.models.device import choose_device
    from unequal.models.processes import in_first, is_first
    from unequal.study.claim import claimed
    from unequal.training.pretrain import pretrain

    check_settings(settings)
    choose_device(settings.device)
    card = TokenWindows(settings.corpus).card  # refuse what is no whole corpus before anything is written
    settings.model.require_memory(card.vocabulary_size)
    resolved = settings.model_dump(mode="json", exclude={"checkpoint_every", "device"})
    resolved["corpus_made_from"] = _made_from(settings.corpus / "manifest.json")
    lock = in_first(locked(lock_of(settings.out), f"training in {settings.out}"))
    with lock, claimed(settings.out, resolved) as finished:
        if not finished:
            pretrain(
                settings.model, settings.corpus, settings.pretrain, settings.seed, settings.out,
                settings.checkpoint_every, progress,
            )  # fmt: skip
            if is_first():
                write_json(settings.out / "manifest.json", manifest())
    return settings.out / "model"


@with_second_try
def run_evaluate(settings: JudgeCommand) -> pl.DataFrame:
    """Write scores, aggregates and generations as Parquet files below ``out`` and return the scores."""
    from unequal.evaluation.evaluate import Evaluator
    from unequal.facts.probes import ProbeMaker
    from unequal.models.device import choose_device
    from unequal.models.load import load_ready, load_tokenizer
    from unequal.models.precision import computing_in
    from unequal.models.processes import in_first

    check_settings(settings)
    choose_device(settings.device)
    facts = read_facts(settings.facts)
    model, tokenizer = load_ready(settings.model, settings), load_tokenizer(settings.model)
    maker = ProbeMaker(facts, settings.prompts, settings.n_wordings)
    with in_first(output_folder(settings.out)) as out:
        with computing_in(settings.precision, model.device):
            evaluator = Evaluator(
                tokenizer, facts, maker, settings.probes, metrics=settings.metrics, passes=settings.passes,
                reference=_reference_model(settings, tokenizer),
            )  # fmt: skip
            tables = evaluator.run(model)
        if out:
            columns = {"study": "evaluate", "run_id": str(settings.model), **UNDESCRIBED, "method": "none"}
            columns |= _precision_column(settings.precision)
            _write_tables([(0, tables)], out, columns, model.config.model_type, model.num_parameters())
            write_table(aggregate_table(tables.scores), out / "aggregates.parquet")
            write_json(out / "manifest.json", {"settings": settings.model_dump(mode="json"), **manifest()})
    return tables.scores


def _reference_model(
    settings: JudgeCommand, tokenizer: "PreTrainedTokenizerBase"
) -> "PreTrainedModel | None":
    from unequal.models.load import load_ready, load_tokenizer

    if settings.reference is None:
        return None
    if load_tokenizer(settings.reference).get_vocab() != tokenizer.get_vocab():
        raise ConfigError(
            f"reference: {settings.reference} has another vocabulary than {settings.model};"
            " tokens can be compared only between models that share a tokenizer"
        )
    return load_ready(settings.reference, settings)


@with_second_try
def run_attack(settings: AttackCommand, progress: Progress) -> pl.DataFrame:
    """Write ``scores.parquet`` below ``out`` and return its rows: of the model as it is, and of each attack.

    Raises `DataError` when there is nothing to forget, or no facts of other roles where an attack needs some.
    """
    from unequal.evaluation.evaluate import Evaluator, Tables
    from unequal.facts.probes import ProbeMaker
    from unequal.models.device import choose_device
    from unequal.models.load import load_ready, load_tokenizer
    from unequal.models.precision import computing_in
    from unequal.models.processes import in_first

    check_settings(settings)
    choose_device(settings.device)
    facts = [
        fact if fact.role else fact.model_copy(update={"role": "forget"})
        for fact in read_facts(settings.facts)
    ]
    facts += _in_role(settings.retain, "retain") if settings.retain else []
    facts += _in_role(settings.never_seen, "never_seen") if settings.never_seen else []
    _check_unique(facts)
    if not any(fact.role == "forget" for fact in facts):
        raise DataError(f"{settings.facts} holds no facts to forget, of the role forget or without a role")
    check_kept(settings.attacks, facts)
    model, tokenizer = load_ready(settings.model, settings), load_tokenizer(settings.model)
    maker = ProbeMaker(facts, settings.prompts, settings.n_wordings)
    context = AttackContext(model, tokenizer, facts, maker, settings.prompts, settings.seed)
    with in_first(output_folder(settings.out)) as out:
        with computing_in(settings.precision, model.device):
            evaluator = Evaluator(tokenizer, context.attacked, maker, ["question"], metrics=ANSWER_METRICS)
            plain = evaluator.run(model)
            scores = pl.concat([plain.scores, run_attacks(settings.attacks, context, progress)])
        if out:
            columns = {"study": "attack", "run_id": str(settings.model), **UNDESCRIBED, "method": "none"}
            columns |= {"seed": settings.seed} | _precision_column(settings.precision)
            tables = Tables(scores, plain.generations)
            _write_tables([(0, tables)], out, columns, model.config.model_type, model.num_parameters())
            write_json(out / "manifest.json", {"settings": settings.model_dump(mode="json"), **manifest()})
    return scores


@dataclass(frozen=True)
class Unlearned:
    """The scores of all evaluated steps of a run, and the rule that ended it, if one did."""

    scores: pl.DataFrame
    stopped: "Stopped | None"


@with_second_try
def run_unlearn(settings: UnlearnCommand, progress: Progress) -> Unlearned:
    """Write the unlearned model, its scores and its texts into ``out`` and return the scores of all steps.

    Raises `DataError` when the model says none of the facts to forget, unless that is allowed.

    An interrupted run goes on from what ``<out>.unfinished`` keeps: the model at the end, before it is
    judged, and with ``checkpoint_every`` that on the way. Of a run that diverges ``<out>.diverged`` keeps the
    last good model and what was judged before; raises `DivergedError` that says so.
    """
    from unequal.models.device import choose_device
    from unequal.models.processes import in_first
    from unequal.study.partial_run import Unfinished

    check_settings(settings)
    choose_device(settings.device)
    roles = {role: _in_role(path, role) for role in _ROLES if (path := getattr(settings, role))}
    _check_unique([fact for facts in roles.values() for fact in facts])
    resolved = settings.model_dump(mode="json", exclude={"checkpoint_every", "device"})
    hashes = {role: file_hash(getattr(settings, role)) for role in roles}
    with in_first(locked(lock_of(settings.out), f"unlearning into {settings.out}")):
        unfinished = Unfinished(settings.out, {**resolved, "facts": hashes})
        try:
            found, described = _unlearn_and_judge(settings, roles, unfinished, progress)
            stopped = unfinished.stopped()
        except BaseException:
            if not unfinished.can_go_on:
                unfinished.remove()
            raise
        with in_first(atomic_folder(settings.out)) as folder:
            if folder:
                shutil.copytree(unfinished.model, folder / "model")
                _write_run(settings, found, folder, *described)
                ended = {} if stopped is None else {"stopped": stopped._asdict()}
                write_json(folder / "manifest.json", {"settings": resolved, **ended, **manifest()})
        unfinished.remove()
    scores = pl.concat([tables.scores.with_columns(step=step) for step, tables in found.items()])
    return Unlearned(scores, stopped)


def _unlearn_and_judge(
    settings: UnlearnCommand, roles: dict[Role, list[Fact]], unfinished: "Unfinished", progress: Progress
) -> tuple[dict[int, "Tables"], tuple[str, int]]:
    """Return the tables of every judged step, and the model's family and size; the one at the end is kept."""
    from unequal.evaluation.evaluate import Evaluator
    from unequal.facts.probes import ProbeMaker
    from unequal.models.load import load_model, load_tokenizer
    from unequal.models.processes import wait_for_all
    from unequal.models.quantised import n_weights
    from unequal.unlearning.run import Checkpoints, unlearn
    from unequal.unlearning.stopping import Stopped

    forget, retain, utility, never_seen = (roles.get(role, []) for role in _ROLES)
    judged = [*forget, *retain, *utility, *never_seen]
    precision = settings.unlearn.precision
    model = load_model(settings.model, settings.unlearn.quantise, precision, settings.merge_adapter)
    tokenizer = load_tokenizer(settings.model)
    described = (model.config.model_type, n_weights(model))
    maker = ProbeMaker(judged, settings.prompts, settings.n_wordings)
    evaluator = Evaluator(tokenizer, judged, maker, settings.probes)
    before = settings.method.prompt_prefix(forget)
    prefixed = Evaluator(tokenizer, judged, maker, settings.probes, before) if before else evaluator
    found: dict[int, Tables] = unfinished.judged()
    stopped: list[Stopped] = []

    def judge(model: "PreTrainedModel", step: int, last: bool) -> None:
        if last:
            unfinished.end(step, model, tokenizer, found, stopped[0] if stopped else None)
        found[step] = (prefixed if step > 0 else evaluator).run(model)
        if step == 0 and not settings.allow_unknown:
            require_known(
                known_of(found[0].scores, settings.known_by, ["forget"]), f"{settings.model} says none"
            )
        if settings.checkpoint_every:
            unfinished.keep(step, found[step])

    ended, every = unfinished.last_step(), settings.checkpoint_every
    wait_for_all()  # before the first of several processes writes anything there
    if ended is not None:
        judge(load_model(unfinished.model, precision=precision), ended, last=False)
        return dict(sorted(found.items())), described
    try:
        unlearn(
            model, tokenizer, settings.method, forget, retain, settings.prompts, settings.unlearn,
            settings.seed, judge, progress, Controls(utility, never_seen),
            Checkpoints(unfinished.checkpoints, every) if every else None, stopped.append,
        )  # fmt: skip
    except DivergedError as error:
        unfinished.remove()  # what would go on from there would diverge again
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
    from unequal.models.processes import in_first
    from unequal.models.save import save_model

    beside = settings.out.with_name(f"{settings.out.name}.diverged")
    with in_first(atomic_folder(beside)) as folder:
        save_model(model, tokenizer, folder / "model" if folder else None)
        if folder:
            _write_run(settings, found, folder, model.config.model_type, model.num_parameters())
            failure = {"what": error.what, "step": error.step, "batch": error.batch}
            made = {"settings": settings.model_dump(mode="json"), "diverged": failure, **manifest()}
            write_json(folder / "manifest.json", made)
    kept = f"the model before that step and all scores so far are in {beside}"
    return DivergedError(f"{error.what}, {kept}", error.step, error.batch)


def _write_run(
    settings: UnlearnCommand, found: dict[int, "Tables"], folder: Path, family: str, n_params: int
) -> None:
    columns = {"study": "unlearn", "run_id": settings.out.name, **UNDESCRIBED}
    columns |= {"method": settings.method.kind, "weighting": settings.unlearn.weighting.name}
    columns |= {"seed": settings.seed} | _precision_column(settings.unlearn.precision)
    _write_tables([*found.items()], folder, columns, family, n_params)


def _write_tables(
    found: Sequence[tuple[int, "Tables"]],
    folder: Path,
    columns: dict[str, object],
    family: str,
    n_params: int,
) -> None:
    (folder / SEAL).unlink(missing_ok=True)  # until the tables are those that it is to be of
    described = {**columns, "family": family, "size": f"{n_params / 1e6:.3g}M", "n_params": n_params}
    literals = {name: pl.lit(value) for name, value in described.items()}
    scores = pl.concat([tables.scores.with_columns(step=step) for step, tables in found]).with_columns(
        **literals
    )
    absent = [pl.lit(None).alias(name) for name in SCORE_SCHEMA if name not in scores.columns]
    typed = [pl.col(name).cast(kind) for name, kind in SCORE_SCHEMA.items()]
    more = [name for name in OPTIONAL_SCORES if name in columns]
    write_table(scores.with_columns(absent).select(*typed, *more), folder / "scores.parquet")
    texts = pl.concat([tables.generations.with_columns(step=step) for step, tables in found])
    texts = texts.with_columns(run_id=literals["run_id"])
    typed = [pl.col(name).cast(kind) for name, kind in GENERATION_SCHEMA.items()]
    write_table(texts.select(typed), folder / "generations.parquet")
    seal_files(folder, ("scores.parquet", "generations.parquet"))


def _precision_column(precision: Precision) -> dict[str, object]:
    """Return the column of the score table that says the precision of the weights, unless all was float32."""
    return {} if precision == "fp32" else {"precision": master_weights(precision)}


def _in_role(path: Path, role: Role) -> list[Fact]:
    return [fact.model_copy(update={"role": role}) for fact in read_facts(path)]


def _check_unique(facts: Sequence[Fact]) -> None:
    seen: dict[str, Fact] = {}
    for fact in facts:
        if fact.fact_id in seen:
            raise ConfigError(
                f"fact '{fact.fact_id}' is in the {seen[fact.fact_id].role} and in the {fact.role} file;"
                " a fact can have one role only"
            )
        seen[fact.fact_id] = fact
