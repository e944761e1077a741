"""The command line under test: in this process where that is quick, in one of its own where it matters."""

import contextlib
import io
import os
import subprocess
import sys
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

from waiting import HANGS

UNEQUAL = str(Path(sys.executable).parent / "unequal")
ONE_THREAD = {"OMP_NUM_THREADS": "1", "POLARS_MAX_THREADS": "1", "HF_HUB_OFFLINE": "1", "COLUMNS": "80"}


@dataclass(frozen=True)
class Result:
    """What a command answered."""

    code: int
    out: str
    err: str


def call(*words: object) -> Result:
    """Return what ``unequal`` answers to these words, run in this process."""
    from unequal.cli.app import main

    out, err = io.StringIO(), io.StringIO()
    code = 0
    argv = ["unequal", *map(str, words)]
    with (
        mock.patch.object(sys, "argv", argv),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        warnings.catch_warnings(),
    ):
        try:
            warnings.filterwarnings("ignore", "Cyclopts application invoked without tokens")
            main()
        except SystemExit as end:
            code = int(end.code or 0)
    return Result(code, out.getvalue(), err.getvalue())


def start(*words: object) -> "subprocess.Popen[str]":
    """Return the running process of a command, the leader of a process group of its own."""
    return subprocess.Popen(
        [UNEQUAL, *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | ONE_THREAD,
        start_new_session=True,
    )


def finish(process: "subprocess.Popen[str]") -> Result:
    """Return what a started command answered, when it ends."""
    out, err = process.communicate(timeout=HANGS)
    return Result(process.returncode, out, err)


def group_members(group: int) -> list[int]:
    """Return the living processes of a process group."""
    members = []
    for folder in Path("/proc").iterdir():
        with contextlib.suppress(OSError, IndexError, ValueError):
            state, _parent, its_group, *_ = (folder / "stat").read_text().rpartition(")")[2].split()
            if int(its_group) == group and state not in "ZX":
                members.append(int(folder.name))
    return members


def tree(folder: Path) -> dict[str, int]:
    """Return every path below a folder with its time of change."""
    return {str(path.relative_to(folder)): path.stat().st_mtime_ns for path in sorted(folder.rglob("*"))}


def toml(values: Mapping[str, Any]) -> str:
    """Return settings as TOML text."""
    return "".join(f"{key} = {_toml(value)}\n" for key, value in values.items())


def _toml(value: Any) -> str:
    match value:
        case bool():
            return str(value).lower()
        case str():
            return f'"{value}"'
        case Mapping():
            return "{ " + ", ".join(f"{key} = {_toml(item)}" for key, item in value.items()) + " }"
        case Sequence():
            return "[" + ", ".join(map(_toml, value)) + "]"
    return str(value)
