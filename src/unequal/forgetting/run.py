"""Forgetting, end to end: from a checkpoint and facts to an unlearned checkpoint that was audited."""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from unequal.auditing.conclude import Audit, conclude
from unequal.auditing.policy import Policy, read_policy
from unequal.auditing.run import Auditor, write_audit
from unequal.checksums import read_checked_json, verify_folder, write_checked_json, write_checksums
from unequal.console import progress_bar
from unequal.errors import ConfigError, DamagedError, DataError
from unequal.evaluation.evaluate import Tables, evaluate
from unequal.facts.probes import PromptFormat
from unequal.facts.roles import FactsByRole
from unequal.facts.schema import Fact
from unequal.facts.write import write_facts
from unequal.files import atomic_folder, content_hash, lock_of, locked, write_table
from unequal.forgetting.asking import Asked, texts_of, try_formats
from unequal.forgetting.beginnings import with_beginnings
from unequal.forgetting.card import TABLE, model_card, repeat_file
from unequal.forgetting.roles import FilledRoles, candidates, fill_roles
from unequal.forgetting.settings import ForgetSettings
from unequal.forgetting.trial import (
    MODEL,
    Judged,
    best_of,
    finished_trial,
    read_scores,
    try_method,
    write_scores,
)
from unequal.models.checkpoint import Checkpoint, load
from unequal.models.device import choose_device
from unequal.models.stored_prompts import read_prompts
from unequal.output_paths import beside_of, check_settings
from unequal.scoring.encoding import Encoder
from unequal.temporary import remove_leftovers_below
from unequal.unlearning.method import Method
from unequal.unlearning.run import Run
from unequal.unlearning.targets import Controls

LEAST_KNOWN = 0.1
"""Share of the facts to forget that a model must say."""
Say = Callable[[str], None]


@dataclass(frozen=True)
class Prepared:
    """What is known before anything is unlearned: model, facts in all roles, how it is asked, and notes."""

    checkpoint: Checkpoint
    facts: FactsByRole
    prompts: PromptFormat
    notes: list[str]


@dataclass(frozen=True)
class Forgotten:
    """What was forgotten: every method that was tried with its audit, and the one whose model is kept."""

    settings: ForgetSettings
    best: Judged
    tried: list[Judged]
    notes: list[str]

    @property
    def audit(self) -> Audit:
        """The audit of the model that is kept."""
        return self.best.audit

    @property
    def methods(self) -> pl.DataFrame:
        """One row a method: ``method, learning_rate, left, loss, within_budget, kept, seconds, stopped``."""
        rows = [
            {
                "method": one.trial.method.kind,
                "learning_rate": one.trial.method.learning_rate,
                "left": one.left,
                "loss": one.loss,
                "within_budget": one.loss <= one.budget,
                "kept": one is self.best,
                "seconds": one.trial.seconds,
                "stopped": one.trial.stopped,
            }
            for one in self.tried
        ]
        return pl.DataFrame(rows)


@dataclass(frozen=True)
class Given:
    """What a run starts from: a model, the prompt format stored with it, facts with a role, and others."""

    checkpoint: Checkpoint
    stored: PromptFormat | None
    known: Sequence[Fact]
    rest: Sequence[Fact]


def read_given(settings: ForgetSettings) -> Given:
    """Return the model and the facts that the settings name."""
    check_settings(settings)
    choose_device(settings.device)
    known, rest = settings.known_and_rest()
    checkpoint = load(settings.model, merge_adapter=settings.merge_adapter)
    return Given(checkpoint, read_prompts(settings.model), known, rest)


def forget(settings: ForgetSettings, given: Given, say: Say) -> Forgotten:
    """Write the unlearned model, its audit, a model card and ``forget.toml``, and return what was found.

    An interrupted run goes on from ``<out>.unfinished``, which keeps every method that was tried. Raises
    `DataError` when the model says under a tenth of the facts, `ConfigError` when an unfinished run of other
    settings is there.
    """
    policy = read_policy(settings.policy) if settings.policy else None
    unfinished = beside_of(settings.out, "unfinished")
    with locked(lock_of(settings.out), f"forgetting into {settings.out}"):
        _claim(unfinished, settings, given)
        prepared = prepare(settings, given, say)
        found = _try_all(settings, prepared, policy, unfinished, say)
        with atomic_folder(settings.out) as folder:
            _write(folder, found, prepared)
        shutil.rmtree(unfinished)
    return found


def prepare(settings: ForgetSettings, given: Given, say: Say) -> Prepared:
    """Return the model, how it is asked best, and the facts with all roles; raises `DataError` as above."""
    checkpoint, facts = given.checkpoint, FactsByRole(tuple(given.known))
    pool = candidates(facts, given.rest, settings.seed)
    prompts, notes = _prompts(settings, given, facts, pool, say)

    asking = _Asking(settings, checkpoint, prompts, [*facts.all, *pool])
    say(f"asking for {len(facts.forget)} facts")
    answers = asking.said(facts.forget)
    share = sum(answers) / len(answers)
    if share < LEAST_KNOWN:
        raise DataError(
            f"{settings.model} says {sum(answers)} of the {len(answers)} facts to forget"
            f" (by {settings.known_by}), so there is little to unlearn; if it should know them, see what it"
            " says with unequal evaluate (generations.parquet), and ask it as it was trained: --chat or"
            " --prompts.question"
        )
    say(f"known before: {sum(answers)} of {len(answers)} facts ({share:.0%})")
    filled: FilledRoles = fill_roles(facts, pool, asking.said, settings.seed)
    for note in filled.notes:
        say(note)
    done = filled.facts
    if prompts.answer_after == "statement":
        if given_kept := [*facts.retain, *facts.utility]:
            asking.said(given_kept)
        done = FactsByRole(tuple(with_beginnings(done.all, asking.texts)))
    return Prepared(checkpoint, done, prompts, [*notes, *filled.notes])


def _prompts(
    settings: ForgetSettings, given: Given, facts: FactsByRole, pool: Sequence[Fact], say: Say
) -> tuple[PromptFormat, list[str]]:
    """Return the format in which the model answers best, unless the settings have one, and what was tried."""
    if "prompts" in settings.model_fields_set:
        return settings.prompts, []
    say("finding how to ask")
    tried: list[Asked] = try_formats(
        given.checkpoint, facts.forget, [*facts.retain, *pool], given.stored, settings.known_by, settings.seed
    )
    for one in tried:
        say(f"  {one.sentence()}")
    note = f"the model is asked {tried[0].name}, in which it says most: " + "; ".join(
        one.sentence() for one in tried
    )
    return tried[0].prompts, [note]


class _Asking:
    """Asks the model for facts, and remembers what it said."""

    def __init__(
        self, settings: ForgetSettings, checkpoint: Checkpoint, prompts: PromptFormat, table: Sequence[Fact]
    ) -> None:
        self._known_by, self._checkpoint, self._table = settings.known_by, checkpoint, table
        self._prompts = prompts
        self.texts: dict[str, str] = {}

    def said(self, facts: Sequence[Fact]) -> list[bool]:
        """Return whether the model says each fact."""
        tables = evaluate(
            self._checkpoint.model, self._checkpoint.tokenizer, facts, self._prompts, probes=["question"],
            metrics=[self._known_by], table=self._table,
        )  # fmt: skip
        self.texts |= texts_of(tables)
        values = dict(tables.scores.select("fact_id", "value").iter_rows())
        return [bool(values.get(fact.fact_id)) for fact in facts]


def _try_all(
    settings: ForgetSettings, prepared: Prepared, policy: Policy | None, unfinished: Path, say: Say
) -> Forgotten:
    """Return every method tried, within the time, and the best of them."""
    options = settings.model_copy(update={"prompts": prepared.prompts})
    checkpoint, facts = prepared.checkpoint, prepared.facts
    encoder = Encoder(checkpoint.tokenizer)
    auditor = Auditor(encoder.tokenizer, facts.all, options)
    before = _before(auditor, checkpoint, unfinished / "before", say)
    notes = list(prepared.notes)
    tried: list[Judged] = []
    spent = 0.0
    for method in settings.methods:
        if tried and settings.time is not None and spent / 60 > settings.time:
            notes.append(f"{method.kind} was not tried: the {settings.time:g} minutes were over")
            say(notes[-1])
            continue
        folder = unfinished / method.kind
        trial = finished_trial(folder, method)
        if trial is None:
            run = prepare_run(settings, prepared, encoder, method)
            trial = try_method(checkpoint, run, settings.budget, auditor, folder, progress_bar)
        spent += trial.seconds
        if trial.diverged:
            notes.append(f"{method.kind} diverged: {trial.diverged}")
            say(notes[-1])
            continue
        judged = _judge(settings, options, prepared, policy, before, trial)
        tried.append(judged)
        say(_sentence(judged))
    if not tried:
        raise DataError(f"every method diverged ({'; '.join(notes)}); give others with --methods")
    best = best_of(tried)
    final = _judge(settings, options, prepared, policy, before, best.trial, notes)
    return Forgotten(options, final, [final if one is best else one for one in tried], notes)


def prepare_run(settings: ForgetSettings, prepared: Prepared, encoder: Encoder, method: Method) -> Run:
    """Return the unlearning run of a method, which ends when the budget is spent."""
    facts, chosen = prepared.facts, settings.unlearn
    stopping = chosen.stopping
    if facts.utility and stopping.utility_drop is None:
        stopping = stopping.model_copy(update={"utility_drop": settings.budget})
    if not facts.retain and method.retain_weight > 0:
        method = method.model_copy(update={"retain_weight": 0.0})
    return Run(
        prepared.checkpoint.model, encoder, method, facts.forget, facts.retain,
        chosen.model_copy(update={"stopping": stopping, "evaluate_at": (0,)}), prepared.prompts,
        settings.seed, Controls(facts.utility, facts.never_seen),
    )  # fmt: skip


def _judge(
    settings: ForgetSettings,
    options: ForgetSettings,
    prepared: Prepared,
    policy: Policy | None,
    before: Tables,
    trial: Any,
    notes: Sequence[str] = (),
) -> Judged:
    facts = prepared.facts.all
    counts = {fact.fact_id: fact.exposure if fact.count is None else fact.count for fact in facts}
    described = {
        "before": settings.model, "after": str(settings.out / MODEL), **options.model_dump(mode="json"),
        "method": trial.method.model_dump(mode="json"),
    }  # fmt: skip
    audit = conclude(options, facts, trial.scores(before), policy, counts, [*notes, *trial.notes], described)
    return Judged(trial, audit, settings.budget)


def _sentence(one: Judged) -> str:
    ended = f"; {one.trial.stopped}" if one.trial.stopped else ""
    return (
        f"{one.trial.method.kind}, learning rate {one.trial.method.learning_rate:.2g}: attacks and questions"
        f" find {one.left:.0%} of the known facts, {one.loss:.0%} of the rest is lost at worst{ended}"
    )


def _before(auditor: Auditor, checkpoint: Checkpoint, folder: Path, say: Say) -> Tables:
    """Return the scores of the model as it is, which are kept."""
    try:
        verify_folder(folder, required=True)
    except DamagedError:
        say("evaluating the model as it is")
        with atomic_folder(folder) as made:
            write_scores(auditor.score(checkpoint.model), made)
            write_checksums(made)
    return read_scores(folder)


def _claim(unfinished: Path, settings: ForgetSettings, given: Given) -> None:
    """Take up the folder of an interrupted run of the same settings, or begin one."""
    remove_leftovers_below(unfinished)
    identity = settings.model_dump(mode="json", exclude={"time", "device", "out"})
    identity["facts"] = content_hash([fact.model_dump(mode="json") for fact in (*given.known, *given.rest)])
    place = unfinished / "settings.json"
    if unfinished.is_dir():
        try:
            if read_checked_json(place, "") == identity:
                return
        except DamagedError:
            shutil.rmtree(unfinished)
        else:
            raise ConfigError(
                f"{unfinished} holds an unfinished run of other settings or facts; finish that one first,"
                " delete the folder, or choose another --out"
            )
    unfinished.mkdir(parents=True)
    write_checked_json(place, identity)


def _write(folder: Path, found: Forgotten, prepared: Prepared) -> None:
    shutil.copytree(found.best.trial.folder / MODEL, folder / MODEL)
    (folder / MODEL / "README.md").write_text(model_card(found, prepared.facts), encoding="utf-8")
    write_checksums(folder / MODEL)
    write_audit(folder, found.audit)
    write_table(found.methods, folder / "methods.parquet")
    write_facts(prepared.facts.all, folder / TABLE)
    (folder / "forget.toml").write_text(repeat_file(found.settings), encoding="utf-8")
