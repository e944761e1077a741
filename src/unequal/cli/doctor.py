"""``unequal doctor``."""

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from unequal.cli.options import extras, missing_libraries
from unequal.console import say, show_table
from unequal.errors import ConfigError
from unequal.workers import n_cores

NOT_READY = 2
"""The exit code when a study lacks something."""


def doctor(
    *,
    study: Path | None = None,
    out: Annotated[Path, Parameter(show_default=False)] = Path(),
    workers: int | None = None,
) -> None:
    """Show versions, what optional parts are installed, and what this machine has; or what a study lacks.

    With a study the exit code is 2 when something is missing.

    Parameters
    ----------
    study
        run file of a study, or the name of one that comes with unequal: its models, facts, text and counts
        are looked for, and its disk and memory
    out
        folder of the study; by default here
    workers
        processes side by side; by default one per core
    """
    if study is not None:
        n_workers = n_cores() if workers is None else max(1, workers)
        if not _is_ready(study, out, n_workers):
            sys.exit(NOT_READY)
        return
    from unequal.manifest import manifest

    found = manifest()
    libraries = found.pop("libraries")
    rows = [*found.items(), *libraries.items(), ("cores", n_cores())]
    show_table(
        "This installation", ["what", "found"], [(key, value or "not installed") for key, value in rows]
    )
    for extra in extras():
        if missing := missing_libraries(extra):
            say(f"missing for {extra}: {', '.join(missing)}; run: pip install 'unequal[{extra}]'")
    if "torch" not in missing_libraries("train"):
        import torch

        device = torch.cuda.get_device_name() if torch.cuda.is_available() else "none; models run on the CPU"
        say(f"GPU: {device}")


def _is_ready(run_file: Path, out: Path, workers: int) -> bool:
    """Print what a study needs and return whether all of it is there or can be fetched."""
    from unequal.study.preflight import find_needs, find_room, plan_if_possible
    from unequal.study.sources import load_study

    settings = load_study(run_file)
    if not out.is_dir() and any(place.is_file() for place in (out, *out.parents)):
        raise ConfigError(f"--out {out} is no place for a folder, since a file is in the way; name a folder")
    needs = find_needs(settings, extras())
    show_table(f"What {run_file} needs", ["what", "state"], [(need.what, need.state) for need in needs])
    for need in needs:
        size = f", {need.to_fetch / 1e9:.2f} GB" if need.to_fetch else ""
        say(f"{need.what}: {need.state}: {need.detail}{size}")
    problems = [need.what for need in needs if need.state == "missing"]
    steps = plan_if_possible(settings, needs)
    if steps is None:
        say("disk and memory: told once nothing is missing")
    else:
        room = find_room(steps, needs, out, workers)
        say(f"memory: {room.memory:.1f} GB for {workers} workers, {room.memory_there:.1f} GB free")
        say(f"disk: {room.disk:.2f} GB in {out.absolute()}, {room.disk_there:.1f} GB free")
        say(f"disk: {room.cache:.2f} GB to fetch, {room.cache_there:.1f} GB free where it is kept")
        for problem in room.problems():
            say(problem)
        problems += room.problems()
    say("not ready" if problems else "ready")
    return not problems
