"""``unequal study run`` and ``unequal study status``."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from cyclopts import App

from unequal.console import console, say, show_table

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

    n_workers = workers or len(os.sched_getaffinity(0))
    if n_workers < 1:
        from unequal.errors import ConfigError  # noqa: PLC0415

        raise ConfigError(f"--workers must be at least 1, not {n_workers}")
    if dry_run:
        from unequal.study.plan import plan_steps  # noqa: PLC0415

        _show_plan(plan_steps(load_study(run_file)), out, n_workers)
        return
    _require_training()
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

    steps = plan_steps(load_study(out / "study.toml"))
    rows = []
    for kind in dict.fromkeys(step.kind for step in steps):
        group = [step for step in steps if step.kind == kind]
        rows.append((kind, sum(step.is_done(out) for step in group), len(group)))
    show_table(f"Steps of {out}", ["kind", "done", "of"], rows)
    report = out / "report.html"
    say(f"the report is {report}" if report.is_file() else "no report yet")


def _show_plan(steps: "list[Step]", out: Path, workers: int) -> None:
    rows = [(step.folder, "done" if step.is_done(out) else f"{step.cost:.0f} s") for step in steps]
    show_table("Steps", ["step", "estimate on one core"], rows)
    rest = sum(step.cost for step in steps if not step.is_done(out))
    say(
        f"{len(steps)} steps, {sum(step.is_done(out) for step in steps)} done; about {rest / workers / 60:.0f}"
        f" minutes with {workers} workers, and {0.8 * workers:.1f} GB of memory for models this small"
    )


def _require_training() -> None:
    from importlib.util import find_spec  # noqa: PLC0415

    from unequal.errors import MissingExtraError  # noqa: PLC0415

    if any(find_spec(name) is None for name in ("torch", "transformers", "accelerate", "tokenizers")):
        raise MissingExtraError("running a study", "train")
