"""A study done twice, compared: its settings, every score, every text and every verdict."""

import math
import re
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import polars as pl

from unequal.checksums import verify_folder
from unequal.errors import ConfigError, DataError
from unequal.evaluation.score_table import SCORE_KEY, read_generations, read_scores
from unequal.files import read_json
from unequal.records import read_record
from unequal.report.compare.settings import differing, flat
from unequal.study.sources import study_settings

N_SHOWN = 10
HASH = r"-[0-9a-f]{8}$"
PLACES = ("name", "out", "device", "model", "facts", "forget", "retain", "utility", "never_seen", "reference")
"""Settings that say where things lie and what they are called, which may differ between two machines."""

GENERATION_KEY = ("run_id", "step", "fact_id", "probe", "prompt")
DESCRIBED = (
    "family", "size", "n_params", "wording", "pretrain_seed", "method", "weighting", "target", "seed",
    "subject", "relation", "exposure", "count", "kind",
)  # fmt: skip
VERDICT_NUMBERS = ("effect", "low", "high", "p")
VERDICT_TEXTS = ("verdict", "n_facts", "n_people", "n_seeds")

Row = tuple[str, str, Any, Any]


@dataclass(frozen=True)
class Part:
    """One table of two, compared row by row.

    ``largest`` is the largest absolute difference of two numbers, None where none were compared; ``first``
    holds the first differing rows as key, column, value here, value there.
    """

    name: str
    n_equal: int
    n_different: int
    n_only_here: int
    n_only_there: int
    largest: float | None
    first: tuple[Row, ...]

    @property
    def same(self) -> bool:
        """Whether every row is in both and equal."""
        return not (self.n_different or self.n_only_here or self.n_only_there)


@dataclass(frozen=True)
class Verification:
    """What two folders hold in common: settings that differ, tables compared, and tables neither has."""

    settings: tuple[Row, ...]
    parts: tuple[Part, ...]
    absent: tuple[str, ...]
    tolerance: float

    @property
    def same(self) -> bool:
        """Whether the design is the same and every value equal within the tolerance."""
        return not self.settings and all(part.same for part in self.parts)

    def first(self) -> list[tuple[str, *Row]]:
        """Return the first differing rows of all parts, each with its part's name."""
        return [(part.name, *row) for part in self.parts for row in part.first]


def verify(here: Path, there: Path, tolerance: float = 1e-6) -> Verification:
    """Return how the results in two folders differ.

    Two numbers are equal when they differ by at most ``tolerance``, or by that share of the larger above 1;
    two missing values are equal, a missing one and a number are not. Runs are matched by their names without
    the hash where hashes differ. Raises `DataError` for a folder without scores, or with a row twice.
    """
    if not (math.isfinite(tolerance) and tolerance >= 0):
        raise ConfigError(f"--tolerance must be a number of at least 0, not {tolerance}")
    both = [_tables(folder) for folder in (here, there)]
    _name_runs_alike(both)
    comparisons = {
        "scores": (SCORE_KEY, ("value",), DESCRIBED),
        "generations": (GENERATION_KEY, (), ("answer", "generation")),
        "verdicts": (("claim",), VERDICT_NUMBERS, VERDICT_TEXTS),
    }
    parts, absent = [], []
    for name, (key, numbers, texts) in comparisons.items():
        left, right = (tables.get(name) for tables in both)
        if left is None and right is None:
            absent.append(name)
            continue
        known = left if left is not None else right
        empty = pl.DataFrame(schema=known.schema if known is not None else {})
        pair = [empty if table is None else table for table in (left, right)]
        for table, folder in zip(pair, (here, there), strict=True):
            _refuse_twice(table, key, f"the {name} of {folder}")
        parts.append(compare(name, pair[0], pair[1], key, numbers, texts, tolerance))
    settings = _differing(_settings(here), _settings(there))
    return Verification(settings, tuple(parts), tuple(absent), tolerance)


def compare(
    name: str,
    here: pl.DataFrame,
    there: pl.DataFrame,
    key: tuple[str, ...],
    numbers: tuple[str, ...],
    texts: tuple[str, ...],
    tolerance: float,
) -> Part:
    """Return how two tables differ in numbers and texts, row by row of the same key, in whatever order."""
    left = here.select(*key, *numbers, *texts, _here=pl.lit(True))
    right = there.select(*key, *numbers, *texts, _there=pl.lit(True))
    rows = left.join(right, on=key, how="full", coalesce=True, nulls_equal=True, suffix="_there").sort(key)
    in_both = pl.col("_here").is_not_null() & pl.col("_there").is_not_null()
    differs = {column: ~_close(column, tolerance) for column in numbers}
    differs |= {column: pl.col(column).ne_missing(pl.col(f"{column}_there")) for column in texts}
    rows = rows.with_columns(pl.any_horizontal(*differs.values()).alias("_differs"), in_both.alias("_both"))
    shared = rows.filter("_both")
    n_different = int(shared["_differs"].sum())
    wrong = rows.filter(~pl.col("_both") | pl.col("_differs")).head(N_SHOWN)
    marks = wrong.select(differs[column].alias(column) for column in differs)
    shown = zip(wrong.to_dicts(), marks.to_dicts(), strict=True)
    return Part(
        name=name,
        n_equal=shared.height - n_different,
        n_different=n_different,
        n_only_here=rows["_there"].null_count(),
        n_only_there=rows["_here"].null_count(),
        largest=_largest(shared, numbers),
        first=tuple(_first_difference(row, key, found) for row, found in shown),
    )


def _close(column: str, tolerance: float) -> pl.Expr:
    """Say whether two numbers are equal within the tolerance; missing is equal to missing, NaN to NaN."""
    here, there = pl.col(column), pl.col(f"{column}_there")
    scale = pl.max_horizontal(pl.lit(1.0), here.abs(), there.abs())
    near = here.is_finite() & there.is_finite() & ((here - there).abs() <= tolerance * scale)
    return here.eq_missing(there) | near.fill_null(False)


def _largest(rows: pl.DataFrame, numbers: tuple[str, ...]) -> float | None:
    """Return the largest absolute difference of finite numbers in rows that both tables have."""
    found = [(rows[column] - rows[f"{column}_there"]).abs().fill_nan(None).drop_nulls() for column in numbers]
    return max((cast(float, series.max()) for series in found if len(series)), default=None)


def _first_difference(row: dict[str, Any], key: tuple[str, ...], differs: dict[str, bool]) -> Row:
    name = " ".join(str(row[column]) for column in key)
    if row["_here"] is None:
        return name, "row", "missing", "there"
    if row["_there"] is None:
        return name, "row", "there", "missing"
    column = next(column for column, wrong in differs.items() if wrong)
    return name, column, row[column], row[f"{column}_there"]


def _tables(folder: Path) -> dict[str, pl.DataFrame]:
    """Return the tables that a folder holds, at least its scores."""
    tables = {"scores": read_scores(folder / "scores.parquet")}
    if (folder / "generations.parquet").exists():
        tables["generations"] = read_generations(folder / "generations.parquet")
    path = folder / "analysis" / "verdicts.json"
    if path.exists():
        verify_folder(path.parent, f"run: unequal analyze {folder}")
        schema = {"claim": pl.String, **dict.fromkeys(VERDICT_NUMBERS, pl.Float64)}
        schema |= {"verdict": pl.String} | dict.fromkeys(VERDICT_TEXTS[1:], pl.Int64)
        try:
            rows = [{name: one[name] for name in schema} for one in read_json(path)["verdicts"]]
            tables["verdicts"] = pl.DataFrame(rows, schema=schema)
        except (KeyError, TypeError, pl.exceptions.PolarsError) as error:
            raise DataError(f"{path} holds no verdicts ({error}); run: unequal analyze {folder}") from error
    return tables


def _name_runs_alike(both: list[dict[str, pl.DataFrame]]) -> None:
    """Take from the runs' names what may differ between two machines: the hash, or all of an only one."""
    runs = [set(tables["scores"]["run_id"].unique()) for tables in both]
    if runs[0] == runs[1]:
        return
    if max(map(len, runs)) == 1:
        renamed: pl.Expr = pl.lit("the run")
    elif all(len({re.sub(HASH, "", str(run)) for run in names}) == len(names) for names in runs):
        renamed = pl.col("run_id").str.replace(HASH, "")
    else:
        return
    for tables in both:
        for name in ("scores", "generations"):
            if name in tables:
                tables[name] = tables[name].with_columns(renamed.alias("run_id"))


def _refuse_twice(table: pl.DataFrame, key: tuple[str, ...], where: str) -> None:
    twice = table.filter(table.select(key).is_duplicated())
    if twice.height:
        row = " ".join(str(value) for value in twice.select(key).row(0))
        raise DataError(f"{where} hold a row more than once, which no study writes: {row}")


@dataclass(frozen=True)
class _Described:
    """What is looked at of a study's record, or of a single stage's."""

    settings: dict[str, Any] = field(default_factory=dict)


def _settings(folder: Path) -> dict[str, Any]:
    """Return the settings of a study or of a single stage by their paths, empty where none are kept.

    Those of a study are filled up with defaults, so that a file of an older version compares.
    """
    path = next((folder / name for name in ("study.json", "manifest.json") if (folder / name).exists()), None)
    settings = read_record(_Described, path, "name the folder of a study").settings if path else {}
    with suppress(ConfigError):  # of a single stage, or of another version
        settings = study_settings(settings, str(path)).model_dump(mode="json")
    return {name: value for name, value in flat(settings).items() if name not in PLACES}


def _differing(here: dict[str, Any], there: dict[str, Any]) -> tuple[Row, ...]:
    return tuple(
        ("settings", name, values[0], values[1]) for name, values in differing([here, there]).items()
    )
