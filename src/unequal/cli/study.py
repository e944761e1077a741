"""``unequal study run``, ``unequal study status`` and ``unequal study verify``."""

import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from unequal.cli.flags import shown
from unequal.cli.options import missing_libraries, require_training
from unequal.config import build
from unequal.console import console, say, show_table, show_text
from unequal.errors import ConfigError, DataError
from unequal.models.compute_settings import DeviceSettings, choose_for_workers
from unequal.output_paths import Output, check_outputs
from unequal.training.settings import PretrainSettings
from unequal.workers import n_cores

if TYPE_CHECKING:
    from unequal.study.runner import Conducted
    from unequal.study.settings import StudySettings
    from unequal.study.verify import Verification

NOT_REPRODUCED = 3
"""The exit code when a study was done again and came out otherwise."""

AS_THE_FILE_SAYS = Parameter(show_default="what the file says")

study = App(name="study", help="Run a whole study from a run file, or show its state.")


@study.command
def run(
    run_file: Path,
    *,
    out: Path | None = None,
    workers: int | None = None,
    workers_per_gpu: int | None = None,
    launcher: str = "local",
    address: str | None = None,
    device: Annotated[str | None, shown(DeviceSettings, "device")] = None,
    precision: Annotated[str | None, shown(PretrainSettings, "precision"), AS_THE_FILE_SAYS] = None,
    compile: Annotated[bool | None, shown(PretrainSettings, "compile"), AS_THE_FILE_SAYS] = None,
    dry_run: bool = False,
) -> None:
    """Run every step of a study that is not done yet, and draw the report.

    The same command continues after an interruption, with the same result.

    Parameters
    ----------
    run_file
        TOML file that determines the study, or the name of one that comes with unequal, such as quick; see:
        unequal list studies
    out
        folder of the study; by default runs/NAME, by the name that the file gives the study
    workers
        steps side by side, in processes of one thread each; by default one per core, or one per GPU
    workers_per_gpu
        processes that share each GPU of this machine, in place of workers; by default 1
    launcher
        where steps run: local, in processes of this machine, or ray, on a cluster
    address
        address of the Ray cluster, such as FIRST_NODE:6379; by default RAY_ADDRESS, or one that runs here
    dry_run
        only show the steps, what is done, and an estimate of time and memory
    """
    from unequal.analysis.excluded_runs import stopped_early
    from unequal.study.launch.launcher import ExecutorSettings
    from unequal.study.packaged import resolve_run_file
    from unequal.study.progress import StudyProgress
    from unequal.study.runner import run_study
    from unequal.study.sources import load_study

    _check_place(launcher, address, device, workers_per_gpu)
    number = _n_workers(workers, workers_per_gpu, launcher, device or "auto")
    flags = {
        "pretrain.precision": precision, "precisions": [precision] if precision else None,
        "pretrain.compile": compile, "unlearn.compile": compile,
    }  # fmt: skip
    out = out or Path("runs") / load_study(run_file, flags).name
    if dry_run:
        _show_plan(load_study(run_file, flags), out, number or n_cores())
        return
    require_training("running a study")
    names = ("study.json", "scores.parquet", "generations.parquet", "report.html")
    outputs = [Output(out, kind="folder"), *(Output(out / name) for name in names)]
    check_outputs(outputs, {"RUN_FILE": resolve_run_file(run_file)})
    conducted = run_study(
        run_file, out, ExecutorSettings(number, launcher, address), StudyProgress(console), flags
    )
    for sentence in stopped_early(out):
        say(f"note: {sentence}")
    say(f"the report is {conducted.report}")
    _show_failures(conducted)


def _check_place(launcher: str, address: str | None, device: str | None, workers_per_gpu: int | None) -> None:
    """Raise `ConfigError` for flags of another place than the one where steps run, or an unknown one."""
    from unequal.study.launch import LAUNCHERS

    if launcher != "local" and (device or workers_per_gpu):
        raise ConfigError("--device and --workers-per-gpu are of this machine; leave them out, or --launcher")
    LAUNCHERS.get(launcher)
    if address and launcher == "local":
        raise ConfigError("--address is of a Ray cluster; add --launcher ray, or leave it out")
    _check_device(device or "auto", launcher)
    choose_for_workers(device or "auto")


def _check_device(device: str, launcher: str) -> None:
    """Raise `ConfigError` for a device that this machine lacks, where steps are to run here."""
    device = build(DeviceSettings, {"device": device}, "command line").device
    if launcher != "local" or device == "auto" or "torch" in missing_libraries("train"):
        return
    from unequal.models.device import check_device

    check_device(device)


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


def _n_workers(workers: int | None, workers_per_gpu: int | None, launcher: str, device: str) -> int | None:
    """Return how many processes a study gets: as said, or so many a GPU; None for one a core."""
    if workers is not None and workers_per_gpu is not None:
        raise ConfigError("give either --workers or --workers-per-gpu, not both")
    for flag, number in (("--workers", workers), ("--workers-per-gpu", workers_per_gpu)):
        if number is not None and number < 1:
            raise ConfigError(f"{flag} must be at least 1, not {number}")
    if workers is not None or launcher != "local":
        return workers
    cards = _n_cards(device)
    if workers_per_gpu is not None and not cards:
        raise ConfigError(f"--workers-per-gpu: device {device} has no GPU here; use --workers")
    return cards * (workers_per_gpu or 1) or None


def _n_cards(device: str) -> int:
    """Return how many cards workers may take."""
    if device in ("cpu", "mps") or "torch" in missing_libraries("train"):
        return 0
    import torch

    count: int = torch.accelerator.device_count()
    return min(count, 1) if ":" in device else count


@study.command
def show(run_file: Path) -> None:
    """Print a run file, such as one that comes with unequal, to begin an own one from.

    Parameters
    ----------
    run_file
        TOML file, or the name of one that comes with unequal; see: unequal list studies
    """
    from unequal.config import read_toml
    from unequal.study.packaged import resolve_run_file

    found = resolve_run_file(run_file)
    read_toml(found)
    show_text(found.read_text(encoding="utf-8").rstrip("\n"))


@study.command
def status(out: Path) -> None:
    """Show what of a study is done.

    Parameters
    ----------
    out
        folder of the study, or its name where that is runs/NAME
    """
    from unequal.study.expand import plan_steps
    from unequal.study.packaged import resolve_study_folder
    from unequal.study.runner import study_of
    from unequal.study.step_status import read_status

    out = resolve_study_folder(out)
    if not (out / "study.toml").is_file():
        raise DataError(f"{out} holds no study (no study.toml); make one with: unequal study run")
    steps = plan_steps(study_of(out))
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
        folder of a study or its name, or any folder with a score table scores.parquet
    against
        folder of the other study
    tolerance
        largest difference of two numbers that count as equal, relative to the larger where that is above 1
    """
    from unequal.study.packaged import resolve_study_folder
    from unequal.study.verify import verify as compare_folders

    out, against = resolve_study_folder(out), resolve_study_folder(against)
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


def _show_plan(settings: "StudySettings", out: Path, workers: int) -> None:
    """Print the steps by kind, then what is left to do in minutes and gigabytes."""
    from unequal.study.expand import plan_steps

    steps = plan_steps(settings)
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
