"""The conductor: run what is not done, collect the tables, analyse and report."""

import fcntl
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import polars as pl

from unequal.errors import ConfigError
from unequal.evaluation.score_table import SCORE_KEY, read_generations, read_scores
from unequal.files import read_json, writable_folder, write_json, write_table, write_text
from unequal.manifest import manifest
from unequal.study.factor_table import collect_factors
from unequal.study.launch import run_steps
from unequal.study.plan import plan_steps
from unequal.study.progress import StudyProgress
from unequal.study.settings import StudySettings
from unequal.study.sources import load_study
from unequal.study.step import Step
from unequal.study.steps.unlearn import UnlearnStep


def run_study(run_file: Path, out: Path, workers: int, progress: StudyProgress) -> Path:
    """Run every step that is not done, collect, analyse, and return the path of the report."""
    from unequal.report.build import build_report  # noqa: PLC0415

    settings = load_study(run_file)
    steps = plan_steps(settings)
    with locked(out):
        _claim(out, settings)
        remove_leftovers(out, steps)
        write_text(out / "study.toml", run_file.read_text(encoding="utf-8"))
        write_json(out / "study.json", describe(settings, run_file, out))
        to_do = [step for step in steps if not step.is_done(out)]
        progress.start(steps, to_do)
        try:
            for step in run_steps(out, to_do, workers, progress.report):
                progress.finish(step)
        finally:
            progress.close()
        progress.say("collecting scores, analysing, drawing the report")
        collect(settings.name, steps, out)
        collect_factors(steps, out)
        return build_report(out)


def collect(name: str, steps: Sequence[Step], out: Path) -> None:
    """Write ``scores.parquet`` and ``generations.parquet`` of all runs, always in the same order."""
    runs = [out / step.folder for step in steps if isinstance(step, UnlearnStep)]
    scores = pl.concat((read_scores(run / "scores.parquet") for run in runs), how="diagonal")
    if "precision" in scores.columns:  # else all runs keep the columns they had before there was any
        scores = scores.with_columns(pl.col("precision").fill_null("fp32"))
    write_table(scores.with_columns(study=pl.lit(name)).sort(SCORE_KEY), out / "scores.parquet")
    generations = pl.concat(read_generations(run / "generations.parquet") for run in runs)
    keys = ["run_id", "step", "fact_id", "probe", "prompt"]
    write_table(generations.sort(keys), out / "generations.parquet")


def describe(settings: StudySettings, run_file: Path, out: Path) -> dict[str, object]:
    """Return what a reader needs to know and to repeat the study; the report shows it."""
    return {
        "name": settings.name,
        "settings": settings.model_dump(mode="json"),
        "versions": manifest(),
        "seeds": {**settings.other_seeds, "unlearning": settings.seeds},
        "commands": [f"unequal study run {run_file} --out {out}", f"unequal report {out}"],
    }


def _claim(out: Path, settings: StudySettings) -> None:
    """Refuse a folder that belongs to a study of another name."""
    if (out / "study.json").is_file():
        name = read_json(out / "study.json").get("name")
        if name != settings.name:
            raise ConfigError(f"{out} holds the study '{name}', not '{settings.name}'; choose another --out")


@contextmanager
def locked(out: Path) -> Iterator[None]:
    """Hold the study folder for this process alone; the lock ends with the process, however it ends."""
    writable_folder(out)
    with (out / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ConfigError(
                f"another process is running a study in {out}; wait for it or choose another --out"
            ) from error
        yield


def remove_leftovers(out: Path, steps: Sequence[Step]) -> None:
    """Delete temporary files that a killed process left in the study folder and in its kinds of steps."""
    kinds = [out / kind for kind in dict.fromkeys(step.kind for step in steps)]
    found = [*out.glob(".*.tmp"), *(path for kind in kinds for path in kind.rglob(".*.tmp"))]
    for leftover in found:
        shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()
