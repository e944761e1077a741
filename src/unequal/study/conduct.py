"""The conductor: run what is not done, collect the tables, analyse and report."""

import fcntl
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any

import polars as pl

from unequal.config import build, overlaid, read_toml
from unequal.errors import ConfigError
from unequal.evaluation.score_table import SCORE_KEY, read_generations, read_scores
from unequal.files import read_json, writable_folder, write_json, write_table, write_text
from unequal.manifest import manifest
from unequal.study.launch import run_steps
from unequal.study.plan import plan_steps
from unequal.study.progress import StudyProgress
from unequal.study.settings import StudySettings
from unequal.study.step import Step
from unequal.study.steps.baseline import BaselineStep
from unequal.study.steps.corpus import CorpusStep
from unequal.study.steps.pretrain import PretrainStep
from unequal.study.steps.unlearn import UnlearnStep

STEP_KINDS: tuple[type[Step], ...] = (CorpusStep, PretrainStep, BaselineStep, UnlearnStep)


def load_study(path: Path, flags: Mapping[str, Any] = MappingProxyType({})) -> StudySettings:
    """Return the settings in a run file with the flags on top; a flag ``a.b`` sets key ``b`` of table ``a``.

    Raises `ConfigError` that lists all that is wrong.
    """
    return build(StudySettings, overlaid(read_toml(path), flags, str(path)), str(path))


def study_of(out: Path) -> StudySettings:
    """Return the settings of the study in a folder, with the flags that it was run with."""
    record = out / "study.json"
    flags = read_json(record).get("flags", {}) if record.is_file() else {}
    return load_study(out / "study.toml", flags)


def run_study(
    run_file: Path,
    out: Path,
    workers: int,
    progress: StudyProgress,
    flags: Mapping[str, Any] = MappingProxyType({}),
) -> Path:
    """Run every step that is not done, collect, analyse, and return the path of the report."""
    from unequal.report.build import build_report  # noqa: PLC0415

    settings = load_study(run_file, flags)
    steps = plan_steps(settings)
    with locked(out):
        _claim(out, settings)
        remove_leftovers(out)
        write_text(out / "study.toml", run_file.read_text(encoding="utf-8"))
        write_json(out / "study.json", describe(settings, run_file, out, flags))
        to_do = [step for step in steps if not step.is_done(out)]
        progress.start(steps, to_do)
        try:
            for step in run_steps(out, to_do, workers, progress.report):
                progress.finish(step)
        finally:
            progress.close()
        progress.say("collecting scores, analysing, drawing the report")
        collect(settings.name, steps, out)
        return build_report(out)


def collect(name: str, steps: Sequence[Step], out: Path) -> None:
    """Write ``scores.parquet`` and ``generations.parquet`` of all runs, always in the same order."""
    runs = [out / step.folder for step in steps if isinstance(step, UnlearnStep)]
    scores = pl.concat((read_scores(run / "scores.parquet") for run in runs), how="diagonal")
    if "precision" in scores.columns:  # which runs in float32 leave out
        scores = scores.with_columns(pl.col("precision").fill_null("fp32"))
    write_table(scores.with_columns(study=pl.lit(name)).sort(SCORE_KEY), out / "scores.parquet")
    generations = pl.concat(read_generations(run / "generations.parquet") for run in runs)
    keys = ["run_id", "step", "fact_id", "probe", "prompt"]
    write_table(generations.sort(keys), out / "generations.parquet")


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
        "seeds": {
            "world": settings.world.seed,
            "pretraining": settings.pretrain_seeds,
            "unlearning": settings.seeds,
        },
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


def remove_leftovers(out: Path) -> None:
    """Delete temporary files that a killed process left in the study folder and in its steps."""
    kinds = [out / step.kind for step in STEP_KINDS]
    found = [*out.glob(".*.tmp"), *(path for kind in kinds for path in kind.rglob(".*.tmp"))]
    for leftover in found:
        shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()
