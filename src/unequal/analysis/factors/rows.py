"""Factor levels joined to the outcomes of facts, and coded as columns of a regression."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from unequal.analysis.known import MIN_KNOWN_FACTS, MIN_KNOWN_PEOPLE, MIN_KNOWN_SHARE
from unequal.analysis.observations import MIXED, Observations
from unequal.corpus.factors import FACTORS
from unequal.errors import DataError
from unequal.evaluation.score_table import OPTIONAL_SCORES
from unequal.records import read_table

CROSSED = "factors.parquet"
KEY = ["pretrain_seed", "wording", "fact_id"]
RUN_COLUMNS = ["pretrain_seed", "wording", "family", "size", "n_params"]
EXPOSURE, SIZE, FAMILY = "exposure", "size", "family"
TITLES = {EXPOSURE: "frequency (times shown)", SIZE: "model size", FAMILY: "model family"} | {
    name: factor.title for name, factor in FACTORS.items()
}


@dataclass(frozen=True)
class Term:
    """A factor as columns of a regression, each from 0 to 1, so that a slope is high less low level.

    Factors of several unordered levels have several columns, and no single effect. ``of_models`` marks what
    differs between models and not between people.
    """

    factor: str
    low: str
    high: str
    columns: tuple[str, ...]
    of_models: bool = False


def read_factors(path: Path) -> pl.DataFrame | None:
    """Return a study's ``factors.parquet``, or None where no factors were crossed.

    Raises `DataError` for a file that is no such table.
    """
    if not os.path.exists(path):  # noqa: PTH110  which is false, too, of a path that cannot be
        return None
    frame = read_table(path, "delete it, or run the study again")
    missing = [name for name in KEY if name not in frame.columns]
    if missing or not crossed(frame):
        raise DataError(
            f"{path} lacks the column {', '.join(missing or FACTORS)}; was it written by unequal?"
        )
    return frame


def crossed(factors: pl.DataFrame) -> list[str]:
    """Return the factors that the table has columns of, in the order of the registry."""
    return [name for name in FACTORS if name in factors.columns]


def with_levels(rows: pl.DataFrame, runs: pl.DataFrame, factors: pl.DataFrame) -> pl.DataFrame:
    """Return rows of runs and facts with their run's columns and the levels of their factors.

    Rows of facts that the table lacks are excluded.
    """
    optional = [name for name in OPTIONAL_SCORES if name in runs.columns]
    described = rows.join(
        runs.select("run_id", *RUN_COLUMNS, *optional), on="run_id", how="left", maintain_order="left"
    )
    levels = factors.select(*KEY, *crossed(factors))
    return described.join(levels, on=KEY, how="inner", nulls_equal=True, maintain_order="left")


def known_rows(observations: Observations, factors: pl.DataFrame, role: str = "forget") -> pl.DataFrame:
    """Return one row a base model and fact of a role with ``known`` in {0, 1}: right at step 0."""
    scored = (pl.col("step") == 0) & (pl.col("target_kind") == MIXED)
    rows = observations.pick("question", "said", [role]).filter(scored)
    one = rows.sort("run_id").unique(["base", "fact_id"], keep="first", maintain_order=True)
    one = one.rename({"value": "known"}).with_columns(pl.col("exposure").log(2).alias("log2_exposure"))
    return with_levels(one, observations.runs, factors).sort("base", "fact_id")


def terms_of(rows: pl.DataFrame, names: Sequence[str]) -> tuple[pl.DataFrame, list[Term]]:
    """Return the rows with coded columns and the terms: exposure, the factors, size and family.

    A factor that the rows have one level of is no term.
    """
    terms = [_numeric(rows, EXPOSURE, pl.col("exposure"))]
    for name in names:
        factor = FACTORS[name]  # type: ignore[index]
        present = set(rows[name].drop_nulls())
        if present == {factor.low, factor.high}:
            column = (pl.col(name) == factor.high).cast(pl.Float64).alias(f"x:{name}")
            terms.append(([column], Term(name, factor.low, factor.high, (f"x:{name}",))))
    terms.append(_numeric(rows, SIZE, pl.col("n_params").mean().over("size"), of_models=True))
    terms.append(_families(rows))
    found = [one for one in terms if one is not None]
    return rows.with_columns(column for columns, _ in found for column in columns), [
        term for _, term in found
    ]


def _numeric(
    rows: pl.DataFrame, name: str, number: pl.Expr, of_models: bool = False
) -> tuple[list[pl.Expr], Term] | None:
    """Return a factor that counts in doublings, from its lowest to its highest level."""
    ends = rows.select(number.min().alias("low"), number.max().alias("high")).row(0)
    if ends[0] is None or ends[0] <= 0 or ends[0] == ends[1]:
        return None
    place = (number / ends[0]).log(2) / pl.lit(ends[1] / ends[0]).log(2)
    labels = _labels(rows, name, number)
    return [place.alias(f"x:{name}")], Term(name, *labels, (f"x:{name}",), of_models)


def _labels(rows: pl.DataFrame, name: str, number: pl.Expr) -> tuple[str, str]:
    label = pl.format("{}×", "exposure") if name == EXPOSURE else pl.col(name)
    ordered = rows.select(label.alias("label"), number.alias("number")).sort("number")["label"]
    return str(ordered[0]), str(ordered[-1])


def _families(rows: pl.DataFrame) -> tuple[list[pl.Expr], Term] | None:
    families = rows[FAMILY].drop_nulls().unique().sort().to_list()
    if len(families) < 2:
        return None
    first, *others = families
    columns = [(pl.col(FAMILY) == other).cast(pl.Float64).alias(f"x:{FAMILY}:{other}") for other in others]
    names = tuple(f"x:{FAMILY}:{other}" for other in others)
    return columns, Term(FAMILY, first, others[0] if len(others) == 1 else "others", names, True)


def too_little_known(known: pl.DataFrame, term: Term) -> str | None:
    """Return why a factor's effect cannot be estimated, as a level of it was hardly known before, or None."""
    if term.factor not in FACTORS:
        return None
    for (level,), part in known.group_by(term.factor, maintain_order=True):
        right = part.filter(pl.col("known") == 1)
        share = part["known"].mean()
        n_facts, n_people = right.select(pl.struct(KEY).n_unique()).item(), right["person"].n_unique()
        if n_facts < MIN_KNOWN_FACTS or n_people < MIN_KNOWN_PEOPLE:
            return f"level {level}: only {n_facts} facts of {n_people} people were known before"
        if float(str(share)) < MIN_KNOWN_SHARE:
            return f"level {level}: only {float(str(share)):.0%} of the facts were known before"
    return None
