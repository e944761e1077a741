"""``unequal study run`` and ``unequal study status``."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from cyclopts import App

from unequal.cli.options import require_training
from unequal.console import console, say, show_table
from unequal.errors import ConfigError, DataError

if TYPE_CHECKING:
    from unequal.study.step import Step

study = App(name="study", help="Run a whole study from a run file, or show its state.")


@study.command
def run(run_file: Path, *, out: Path, workers: int | None = None, dry_run: bool = False) -> None:
    """Run every step of a study that is not done yet, and draw the report.

    The same command goes on after an interruption, with the same result.

    Parameters
    ----------
    run_file
        TOML file that determines the study, such as examples/quick.toml.
    out
        Folder of the study.
    workers
        Processes side by side, one thread each. [default: one a core]
    dry_run
        Only show the steps, what is done, and an estimate of time and memory.
    """
    from unequal.study.conduct import load_study, run_study  # noqa: PLC0415
    from unequal.study.progress import StudyProgress  # noqa: PLC0415

    n_workers = len(os.sched_getaffinity(0)) if workers is None else workers
    if n_workers < 1:
        raise ConfigError(f"--workers must be at least 1, not {n_workers}")
    if dry_run:
        from unequal.study.plan import plan_steps  # noqa: PLC0415

        _show_plan(plan_steps(load_study(run_file)), out, n_workers)
        return
    require_training("running a study")
    report = run_study(run_file, out, n_workers, StudyProgress(console, n_workers))
    say(f"the report is {report}")


@study.command
def status(out: Path) -> None:
    """Show what of a study is done.

    Parameters
    ----------
    out
        Folder of the study.
    """
    from unequal.study.conduct import load_study  # noqa: PLC0415
    from unequal.study.plan import plan_steps  # noqa: PLC0415

    if not (out / "study.toml").is_file():
        raise DataError(f"{out} holds no study (no study.toml); make one with: unequal study run")
    steps = plan_steps(load_study(out / "study.toml"))
    rows = []
    for kind in dict.fromkeys(step.kind for step in steps):
        group = [step for step in steps if step.kind == kind]
        rows.append((kind, sum(step.is_done(out) for step in group), len(group)))
    show_table(f"Steps of {out}", ["kind", "done", "of"], rows)
    report = out / "report.html"
    say(f"the report is {report}" if report.is_file() else "no report yet")


def _show_plan(steps: "list[Step]", out: Path, workers: int) -> None:
    """Print the steps by kind, then what is left to do in minutes and gigabytes."""
    to_do = [step for step in steps if not step.is_done(out)]
    rows = []
    for kind in dict.fromkeys(step.kind for step in steps):
        rest = [step for step in to_do if step.kind == kind]
        n_steps = sum(step.kind == kind for step in steps)
        rows.append((kind, n_steps, n_steps - len(rest), f"{sum(step.cost for step in rest) / 60:.1f}"))
    show_table("Steps", ["kind", "steps", "done", "estimated minutes left, one core"], rows)
    minutes = sum(step.cost for step in to_do) / workers / 60
    memory = workers * max((step.memory for step in to_do), default=0.0)
    say(
        f"{len(steps)} steps, {len(steps) - len(to_do)} done;"
        f" about {minutes:.1f} minutes with {workers} workers, and up to {memory:.1f} GB of memory"
    )
