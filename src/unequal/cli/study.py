"""``unequal study run``, ``unequal study status`` and ``unequal study verify``."""

import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from cyclopts import App

from unequal.cli.options import require_training
from unequal.console import console, say, show_table
from unequal.errors import ConfigError, DataError

if TYPE_CHECKING:
    from unequal.study.conduct import Conducted
    from unequal.study.step import Step
    from unequal.study.verify import Verification

NOT_REPRODUCED = 3
"""The exit code when a study was done again and came out otherwise."""

study = App(name="study", help="Run a whole study from a run file, or show its state.")


@study.command
def run(
    run_file: Path,
    *,
    out: Path,
    workers: int | None = None,
    launcher: str = "local",
    address: str | None = None,
    dry_run: bool = False,
) -> None:
    """Run every step of a study that is not done yet, and draw the report.

    The same command goes on after an interruption, with the same result.

    Parameters
    ----------
    run_file
        TOML file that determines the study, such as examples/quick.toml.
    out
        Folder of the study.
    workers
        Steps side by side, in processes of one thread each. [default: one a core]
    launcher
        Where steps run: local, in processes of this machine, or ray, on a cluster. [default: local]
    address
        Of the Ray cluster, such as FIRST_NODE:6379. [default: RAY_ADDRESS, or one that runs here]
    dry_run
        Only show the steps, what is done, and an estimate of time and memory.
    """
    from unequal.study.conduct import run_study  # noqa: PLC0415
    from unequal.study.launch import LAUNCHERS  # noqa: PLC0415
    from unequal.study.launch.launcher import Crew  # noqa: PLC0415
    from unequal.study.launch.local import n_cores  # noqa: PLC0415
    from unequal.study.progress import StudyProgress  # noqa: PLC0415
    from unequal.study.sources import load_study  # noqa: PLC0415

    if workers is not None and workers < 1:
        raise ConfigError(f"--workers must be at least 1, not {workers}")
    LAUNCHERS.get(launcher)
    if address and launcher == "local":
        raise ConfigError("--address is of a Ray cluster; add --launcher ray, or leave it out")
    if dry_run:
        from unequal.study.plan import plan_steps  # noqa: PLC0415

        _show_plan(plan_steps(load_study(run_file)), out, workers or n_cores())
        return
    require_training("running a study")
    conducted = run_study(run_file, out, Crew(workers, launcher, address), StudyProgress(console))
    say(f"the report is {conducted.report}")
    _show_failures(conducted)


def _show_failures(conducted: "Conducted") -> None:
    """Name the steps without a result; raises `DataError` when runs are missing from the scores."""
    failures = [failure for failure in conducted.failures if failure.kind != "blocked"]
    if failures:
        rows = [(failure.folder, failure.kind, failure.reason) for failure in failures]
        show_table("Steps without a result", ["step", "", "reason"], rows)
    if missing := conducted.left_out:
        raise DataError(
            f"{len(missing)} runs are missing from the scores and the report; the same command tries again"
            " what ran out of memory, with fewer --workers or on a larger machine, and what diverged once its"
            " settings are changed"
        )


@study.command
def status(out: Path) -> None:
    """Show what of a study is done.

    Parameters
    ----------
    out
        Folder of the study.
    """
    from unequal.study.outcome import read_status  # noqa: PLC0415
    from unequal.study.plan import plan_steps  # noqa: PLC0415
    from unequal.study.sources import load_study  # noqa: PLC0415

    if not (out / "study.toml").is_file():
        raise DataError(f"{out} holds no study (no study.toml); make one with: unequal study run")
    steps = plan_steps(load_study(out / "study.toml"))
    rows = []
    for kind in dict.fromkeys(step.kind for step in steps):
        group = [step for step in steps if step.kind == kind]
        found = Counter(read_status(out / step.folder) for step in group)
        rows.append((kind, found["done"], len(group), found["failed"], found["diverged"]))
    show_table(f"Steps of {out}", ["kind", "done", "of", "failed", "diverged"], rows)
    report = out / "report.html"
    say(f"the report is {report}" if report.is_file() else "no report yet")


@study.command
def verify(out: Path, *, against: Path, tolerance: float = 1e-6) -> None:
    """Compare a study with the same one done elsewhere; the exit code is 3 when they are not the same.

    Compared are the settings, every score, every generated text and every verdict.

    Parameters
    ----------
    out
        Folder of a study, or any folder with a score table scores.parquet.
    against
        Folder of the other one.
    tolerance
        Largest difference of two numbers that count as equal; above 1 it is a share of the larger.
    """
    from unequal.study.verify import verify as compare_folders  # noqa: PLC0415

    found = compare_folders(out, against, tolerance)
    _show_verification(found)
    if not found.same:
        say(f"not the same: {out} and {against} differ by more than {tolerance:g}")
        sys.exit(NOT_REPRODUCED)
    say(f"the same within {tolerance:g}")


def _show_verification(found: "Verification") -> None:
    """Print how many rows are equal, then what differs first."""
    rows = []
    for part in found.parts:
        largest = "" if part.largest is None else f"{part.largest:.3g}"
        rows.append((part.name, part.n_equal, part.n_different, part.n_only_here, part.n_only_there, largest))
    columns = ["rows of", "equal", "different", "only in the first", "only in the second"]
    show_table("Compared row by row", [*columns, "largest difference"], rows)
    if found.settings:
        differ = [(name, here, there) for _, name, here, there in found.settings]
        show_table("Not the same design", ["setting", "first", "second"], differ)
    if first := found.first():
        show_table("The first rows that differ", ["rows of", "key", "column", "first", "second"], first)
    for name in found.absent:
        say(f"note: neither folder holds {name}")


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
