"""The conductor: run what is not done, collect the tables, analyse and report."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import polars as pl

from unequal.analysis.study_record import STUDY_RECORD, read_study_record
from unequal.checksums import (
    CHECKSUM_FILE,
    is_own_json,
    verify_hashes,
    warn_remade,
    write_checked_json,
    write_file_checksums,
)
from unequal.errors import ConfigError, DataError
from unequal.evaluation.known_by import known_of, reading_of, require_known
from unequal.files import file_hash, locked, write_text
from unequal.manifest import manifest
from unequal.study.collect import TABLES, collect, write_failures, write_stopped
from unequal.study.expand import plan_steps
from unequal.study.factor_table import collect_factors
from unequal.study.launch.launcher import ExecutorSettings
from unequal.study.launch.run import run_steps
from unequal.study.launch.scheduler import StepError
from unequal.study.packaged import resolve_run_file
from unequal.study.progress import StudyProgress
from unequal.study.settings import StudySettings
from unequal.study.sources import load_study
from unequal.study.step import Step
from unequal.study.step_status import Failure, is_whole, mark_damaged, read_status
from unequal.study.steps.baseline import BaselineStep
from unequal.study.steps.unlearn import UnlearnStep
from unequal.temporary import remove_leftovers_below, remove_leftovers_in


@dataclass(frozen=True)
class Conducted:
    """What became of a study: its report, and the steps without a result."""

    report: Path
    failures: tuple[Failure, ...]

    @property
    def left_out(self) -> list[Failure]:
        """The runs that have no scores; those that diverged have some, and would do so again."""
        runs = [failure for failure in self.failures if failure.folder.startswith(f"{UnlearnStep.kind}/")]
        return [failure for failure in runs if failure.kind != "diverged"]


def study_of(out: Path) -> StudySettings:
    """Return the settings of the study in a folder, with the flags that it was run with."""
    held = read_study_record(out)
    flags, digest = held.get("flags", {}), held.get("run_file_sha256")
    if digest:
        verify_hashes(out, {"study.toml": digest}, "run the study again")
    return load_study(out / "study.toml", flags)


def run_study(
    run_file: Path,
    out: Path,
    crew: ExecutorSettings,
    progress: StudyProgress,
    flags: Mapping[str, Any] = MappingProxyType({}),
) -> Conducted:
    """Run every step that is not done, collect, analyse, draw the report, and return what became of it.

    ``flags`` stand on top of the run file. Steps that fail alone, for want of memory or since they diverge,
    are left out and named in the report. Raises `StepError` when no run has a result.
    """
    from unequal.report.build import build_report

    settings = load_study(run_file, flags)
    steps = plan_steps(settings)
    with locked(out / ".lock", f"running a study in {out}"):
        _claim(out, settings)
        remove_leftovers(out, steps)
        write_text(out / "study.toml", resolve_run_file(run_file).read_text(encoding="utf-8"))
        described = describe(settings, run_file, out, flags)
        (out / CHECKSUM_FILE).unlink(missing_ok=True)
        write_checked_json(
            out / "study.json", {**described, "run_file_sha256": file_hash(out / "study.toml")}
        )
        progress.start(steps, [step for step in steps if not step.is_done(out)])
        try:
            _run(out, steps, crew, progress)
            if damaged := _damaged_runs(out, steps, progress):
                _run(out, damaged, crew, progress)
        finally:
            progress.close()
        progress.say("collecting scores, analysing, drawing the report")
        failures = tuple(progress.failures.values())
        _collect(settings.name, steps, failures, out)
        collect_factors(steps, out)
        write_file_checksums(out, TABLES)
        return Conducted(build_report(out), failures)


def _run(out: Path, steps: Sequence[Step], crew: ExecutorSettings, progress: StudyProgress) -> None:
    waiting = {step.folder for step in steps if isinstance(step, BaselineStep) and not step.is_done(out)}
    if not waiting:
        require_something_known(out, steps)
    for step in run_steps(out, steps, crew, progress):
        progress.finish(step)
        if step.folder in waiting:
            waiting.discard(step.folder)
            if not waiting:
                require_something_known(out, steps)


def require_something_known(out: Path, steps: Sequence[Step]) -> None:
    """Raise `DataError` when no model of a study says any of the facts to forget, before it unlearns."""
    baselines = [step for step in steps if isinstance(step, BaselineStep) and step.is_done(out)]
    settings = study_of(out)
    if settings.evaluate.allow_unknown or not baselines:
        return
    tables = [pl.read_parquet(out / step.folder / "scores.parquet") for step in baselines]
    scores = pl.concat(tables, how="diagonal")
    reading = settings.evaluate.known_by or reading_of(scores)
    require_known(known_of(scores, reading, ["forget"]), "the models of the study say none")


def _damaged_runs(out: Path, steps: Sequence[Step], progress: StudyProgress) -> list[Step]:
    """Return the runs whose tables are not as they were written, marked to be done anew."""
    found: list[Step] = []
    for step in steps:
        folder = out / step.folder
        ended = step.is_done(out) or read_status(folder) == "diverged"
        if isinstance(step, UnlearnStep) and ended and not is_whole(folder):
            progress.say(f"{step.folder} is damaged; it is made again")
            mark_damaged(folder)
            found.append(step)
    return found


def _collect(name: str, steps: Sequence[Step], failures: Sequence[Failure], out: Path) -> None:
    """Write the tables of all runs that have a result, and which steps have none."""
    runs = [step for step in steps if isinstance(step, UnlearnStep)]
    without = {failure.folder: failure for failure in failures}
    done = [out / run.folder for run in runs if run.folder not in without]
    diverged = [out / run.folder for run in runs if run.folder in without and without[run.folder].is_final]
    write_failures(failures, out)
    if not done:
        first = failures[0]
        raise StepError(f"no run has a result; {first.folder}: {first.reason}")
    collect(name, done, diverged, out)
    write_stopped([out / run.folder for run in runs], out)


def describe(
    settings: StudySettings, run_file: Path, out: Path, flags: Mapping[str, Any]
) -> dict[str, object]:
    """Return what a reader needs to know and to repeat the study; the report shows it."""
    given = {key: value for key, value in flags.items() if value is not None}
    return {
        "name": settings.name,
        **({"flags": given} if given else {}),
        "settings": settings.model_dump(mode="json"),
        "versions": manifest(),
        "seeds": {**settings.other_seeds, "unlearning": settings.seeds},
        "commands": [f"unequal study run {run_file} --out {out}{_words(given)}", f"unequal report {out}"],
    }


def _words(flags: Mapping[str, Any]) -> str:
    """Return flags that were given to a study as they are typed."""
    precision = flags.get("pretrain.precision")
    return (f" --precision {precision}" if precision else "") + (
        " --compile" if flags.get("pretrain.compile") else ""
    )


def _claim(out: Path, settings: StudySettings) -> None:
    """Refuse a folder that belongs to a study of another name."""
    record = out / STUDY_RECORD
    if record.is_file():
        try:
            name = read_study_record(out).get("name")
        except DataError as error:
            if not is_own_json(record, "name", "settings", "commands", "versions", "seeds"):
                raise
            warn_remade(str(record), error)
            return
        if name != settings.name:
            raise ConfigError(f"{out} holds the study '{name}', not '{settings.name}'; choose another --out")


def remove_leftovers(out: Path, steps: Sequence[Step]) -> None:
    """Delete temporary files that a killed process left in the study folder and in its kinds of steps."""
    for kind in dict.fromkeys(step.kind for step in steps):
        remove_leftovers_below(out / kind)
    remove_leftovers_in(out)
