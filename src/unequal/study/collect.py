"""Collect the tables of all runs into one, run after run, so that memory holds one run at a time."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq

from unequal.analysis.excluded_runs import FAILURES, STOPPED
from unequal.analysis.factors.rows import CROSSED
from unequal.checksums import verify_hashes, warn_remade, write_checked_json
from unequal.errors import DamagedError
from unequal.evaluation.score_table import BUCKET, SCORE_KEY, read_generations, read_scores
from unequal.files import atomic_path, content_hash, file_hash, write_json
from unequal.records import read_checked_record, read_object
from unequal.study.step_status import Failure, written

GENERATION_KEY = ("run_id", "step", "fact_id", "probe", "prompt")
ROWS_A_GROUP = 1_000_000
"""Rows that are read or left out together by a reader that looks for some; about 100 MB in memory."""

COLLECTED = "collected.json"

TABLES = ("scores.parquet", "generations.parquet", "diverged.parquet", FAILURES, STOPPED, CROSSED)
"""What is read of a study's folder once it is collected, and is sealed for that."""


@dataclass(frozen=True)
class Collected:
    """The hash of what the tables were made of, and those of the tables themselves."""

    made_of: str
    tables: dict[str, str]


def collect(name: str, runs: Sequence[Path], diverged: Sequence[Path], out: Path) -> None:
    """Write ``scores.parquet`` and ``generations.parquet`` of the runs, always in the same order.

    What diverged runs left is in ``diverged.parquet``, apart from the others. Nothing is done where the
    tables of these very runs stand already.
    """
    made_of = content_hash(name, *[_identity(runs), _identity(diverged)])
    if _is_made_of(out, made_of):
        return
    (out / COLLECTED).unlink(missing_ok=True)

    optional = _optional_columns([*runs, *diverged])

    def scores(run: Path) -> pl.DataFrame:
        found = read_scores(run / "scores.parquet").with_columns(study=pl.lit(name)).sort(SCORE_KEY)
        return found.with_columns(value for column, value in optional.items() if column not in found.columns)

    def generations(run: Path) -> pl.DataFrame:
        return read_generations(run / "generations.parquet").sort(GENERATION_KEY)

    tables = {
        "scores.parquet": _joined(runs, scores, out / "scores.parquet"),
        "generations.parquet": _joined(runs, generations, out / "generations.parquet"),
    }
    if diverged:
        tables["diverged.parquet"] = _joined(diverged, scores, out / "diverged.parquet")
    else:
        (out / "diverged.parquet").unlink(missing_ok=True)
    write_checked_json(out / COLLECTED, asdict(Collected(made_of, tables)))


def write_failures(failures: Sequence[Failure], out: Path) -> None:
    """Write ``failures.json``: which steps have no result, and why. There is none where all have one."""
    if failures:
        write_json(out / FAILURES, [asdict(failure) for failure in failures])
    else:
        (out / FAILURES).unlink(missing_ok=True)


def write_stopped(runs: Sequence[Path], out: Path) -> None:
    """Write ``stopped.json``: which runs a rule ended, at which step and why. There is none without any."""
    stopped = [
        {"run": run.name, **read_object(run / STOPPED, "run the study again")}
        for run in runs
        if (run / STOPPED).is_file()
    ]
    if stopped:
        write_json(out / STOPPED, stopped)
    else:
        (out / STOPPED).unlink(missing_ok=True)


def _joined(runs: Sequence[Path], read: Callable[[Path], pl.DataFrame], path: Path) -> str:
    """Write one table of all runs, in the order of their names, and return its hash."""
    with atomic_path(path) as beside:
        writer = None
        waiting: list[pl.DataFrame] = []
        for number, run in enumerate(sorted(runs, key=lambda run: run.name), 1):
            waiting.append(read(run))
            if number < len(runs) and sum(map(len, waiting)) < ROWS_A_GROUP:
                continue
            columns = waiting[0].columns
            table = pl.concat(one.select(columns) for one in waiting).to_arrow()
            waiting.clear()
            writer = writer or pq.ParquetWriter(beside, table.schema, compression="zstd")
            writer.write_table(table, row_group_size=ROWS_A_GROUP)
            del table  # before the next rows are read
        if writer:
            writer.close()
    return file_hash(path)


def _optional_columns(runs: Sequence[Path]) -> dict[str, pl.Expr]:
    """Return what stands in the columns that some runs have, for those that lack them, by name."""
    found = {name for run in runs for name in pq.read_schema(run / "scores.parquet").names}
    lacking = {
        "start": pl.lit(None, pl.String),
        "precision": pl.lit("fp32"),  # runs keep the columns that they had before there was any other
        BUCKET: pl.lit(None, pl.Int64),
    }
    return {name: value.alias(name) for name, value in lacking.items() if name in found}


def _identity(runs: Sequence[Path]) -> dict[str, object]:
    """Return the hashes of the runs' tables as their steps noted them, or as they are."""
    found: dict[str, object] = {}
    for run in runs:
        noted = written(run)
        tables = ("scores.parquet", "generations.parquet")
        found[run.name] = [noted.get(name) or file_hash(run / name) for name in tables]
    return found


def _is_made_of(out: Path, made_of: str) -> bool:
    if not (out / COLLECTED).is_file():
        return False
    try:
        kept = read_checked_record(Collected, out / COLLECTED, "")
        if kept.made_of != made_of:
            return False
        verify_hashes(out, kept.tables, "")
    except DamagedError as error:
        warn_remade(f"what was collected in {error.folder}", error.what)
        return False
    return True
