"""A trial of a method: its learning rate, the run, and the attacked and evaluated model, kept in a folder."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import polars as pl

from unequal.auditing.conclude import Audit, AuditScores
from unequal.auditing.run import Auditor
from unequal.checksums import read_checked_json, verify_folder, write_checked_json, write_checksums
from unequal.errors import DamagedError, DivergedError
from unequal.evaluation.evaluate import Tables
from unequal.files import atomic_folder, write_table
from unequal.models.checkpoint import Checkpoint
from unequal.models.save import save_model
from unequal.models.scratch_copy import copy_of
from unequal.unlearning.method import Method
from unequal.unlearning.rate_range import find_rate
from unequal.unlearning.run import Run
from unequal.unlearning.stopping import Stopped
from unequal.unlearning.unlearn import unlearn

FOUND, MODEL = "trial.json", "model"
TABLES = ("scores", "generations", "general")


@dataclass(frozen=True)
class Trial:
    """One method tried: its rate, how the run ended, and the audited scores of the model it made.

    ``folder`` holds the model. A method that ``diverged`` has no scores.
    """

    method: Method
    folder: Path
    seconds: float
    stopped: str | None = None
    diverged: str | None = None
    after: Tables | None = None
    attacked: pl.DataFrame | None = None
    notes: tuple[str, ...] = ()

    def scores(self, before: Tables) -> AuditScores:
        """Return the scores of an audit against the model before."""
        if self.after is None or self.attacked is None:
            raise ValueError(f"{self.method.kind} diverged and has no scores")
        return AuditScores(before, self.after, self.attacked)


@dataclass(frozen=True)
class Judged:
    """A trial with its audit: what is left after the strongest attack, and the greatest loss of utility."""

    trial: Trial
    audit: Audit
    budget: float

    @property
    def left(self) -> float:
        """The share of the known facts that any evidence still finds."""
        row = next(one for one in self.audit.summary["verdicts"] if one["verdict"] == "left")
        return float(row["share"] if row["share"] is not None else 1.0)

    @property
    def loss(self) -> float:
        """The greatest share of what should survive that was lost, of any role and kind of metric."""
        losses = [row["loss"]["value"] for row in self.audit.summary["utility"]]
        return max((float(one) for one in losses if one is not None), default=0.0)

    @property
    def order(self) -> tuple[bool, float, float]:
        """The key by which trials are ranked, the best first: within the budget, least left, least lost."""
        return self.loss > self.budget, self.left, self.loss


def try_method(
    checkpoint: Checkpoint,
    run: Run,
    budget: float,
    auditor: Auditor,
    folder: Path,
    progress_of: Callable[[str], Any],
) -> Trial:
    """Return the trial of a run's method, whose model and scores are written into the folder as a whole."""
    started = time.monotonic()
    kind = run.method.kind
    stopped: list[Stopped] = []
    with atomic_folder(folder) as made, copy_of(checkpoint.model) as model:
        with progress_of(f"{kind}: finding the learning rate") as progress:
            rate = find_rate(run, run.controls.utility, budget, progress)
        method = run.method.model_copy(update={"learning_rate": rate})
        diverged = None
        with progress_of(f"{kind}: unlearning") as progress:
            try:
                unlearn(replace(run, model=model, method=method, on_stop=stopped.append, progress=progress))
            except DivergedError as error:
                diverged = str(error)
        found: dict[str, Any] = {
            "method": method.model_dump(mode="json"),
            "stopped": stopped[0].sentence() if stopped else None,
            "diverged": diverged,
            "notes": [],
        }
        if diverged is None:
            with progress_of(f"{kind}: attacking the unlearned model") as progress:
                after, attacked, notes = auditor.score_attacked(model, progress)
            write_scores(after, made)
            write_table(attacked, made / "attacked.parquet")
            save_model(model, checkpoint.tokenizer, made / MODEL, run.prompts)
            found["notes"] = notes
        found["seconds"] = time.monotonic() - started
        write_checked_json(made / FOUND, found)
        write_checksums(made)
    return read_trial(folder, run.method)


def read_trial(folder: Path, method: Method) -> Trial:
    """Return the trial of a method that a folder holds; raises `DamagedError` where there is no whole one."""
    verify_folder(folder, required=True)
    found = read_checked_json(folder / FOUND, "")
    attacked = folder / "attacked.parquet"
    scored = attacked.is_file()
    as_run = {name: found["method"][name] for name in ("learning_rate", "retain_weight")}
    return Trial(
        method.model_copy(update=as_run), folder, found["seconds"], found["stopped"],
        found["diverged"], read_scores(folder) if scored else None,
        pl.read_parquet(attacked) if scored else None, tuple(found["notes"]),
    )  # fmt: skip


def write_scores(tables: Tables, folder: Path) -> None:
    """Write the tables of an evaluated model into a folder."""
    for name in TABLES:
        if (table := getattr(tables, name)) is not None:
            write_table(table, folder / f"{name}.parquet")


def read_scores(folder: Path) -> Tables:
    """Return the tables that `write_scores` wrote."""
    paths = {name: folder / f"{name}.parquet" for name in TABLES}
    return Tables(**{name: pl.read_parquet(path) for name, path in paths.items() if path.is_file()})


def finished_trial(folder: Path, method: Method) -> Trial | None:
    """Return the trial that an interrupted command has finished, None where it has not."""
    try:
        return read_trial(folder, method) if folder.is_dir() else None
    except DamagedError:
        return None


def best_of(judged: Sequence[Judged]) -> Judged:
    """Return the trial to keep: of those within the budget the one of which attacks find least."""
    return min(judged, key=lambda one: one.order)
