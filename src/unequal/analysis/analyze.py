"""The analysis of a study folder: its tables, verdicts and remarks, written, checked and read again."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import polars as pl

from unequal.analysis.excluded_runs import FAILURES, STOPPED, excluded_runs, stopped_early
from unequal.analysis.factors.rows import CROSSED, read_factors
from unequal.analysis.known import counts_label
from unequal.analysis.observations import MIXED, Observations, observe
from unequal.analysis.stats.bootstrap import Resampler
from unequal.analysis.tables import TABLES, Inputs
from unequal.analysis.verdicts import Verdict, decide_claims
from unequal.checksums import verify_folder, write_checksums
from unequal.csv_injection import escape_formulas
from unequal.evaluation.known_by import KnownBy, known_by_of, reading_of
from unequal.evaluation.score_table import read_generations, read_scores
from unequal.files import atomic_folder, file_hash
from unequal.records import read_record, read_table

FEW_SEEDS = 5


FORMAT = 5
"""Raised when a table's columns or a rule change, so that what an older version analysed is made anew."""


@dataclass(frozen=True)
class Analysis:
    """Every table of a study's analysis, its verdicts, and the settings that reproduce it.

    Tables are attributes, such as ``analysis.slopes``; `unequal.analysis.tables.TABLES` lists their names.
    """

    tables: dict[str, pl.DataFrame]
    verdicts: tuple[Verdict, ...]
    remarks: tuple[str, ...]
    settings: dict[str, object]

    def __getattr__(self, name: str) -> pl.DataFrame:
        if name not in TABLES:
            raise AttributeError(f"an analysis has no table {name!r}")
        return self.tables[name]


def analyze(study_folder: Path, seed: int = 0, draws: int = 1000) -> Analysis:
    """Return the analysis of a study folder's ``scores.parquet``; raises `DataError` when it cannot be
    read."""
    path = study_folder / "scores.parquet"
    settings = {"seed": seed, "draws": draws, "format": FORMAT, **made_from(study_folder)}
    texts = study_folder / "generations.parquet"
    generations = read_generations(texts) if texts.exists() else None
    factors = read_factors(study_folder / CROSSED)
    left = [*excluded_runs(study_folder), *stopped_early(study_folder)]
    known_by = known_by_of(study_folder)
    return analyze_scores(read_scores(path), seed, draws, settings, generations, factors, left, known_by)


def made_from(study_folder: Path) -> dict[str, str]:
    """Return the hashes of what an analysis of the folder is made from, by name."""
    parts = {
        "failures_sha256": study_folder / FAILURES,
        "stopped_sha256": study_folder / STOPPED,
        "factors_sha256": study_folder / CROSSED,
    }
    found = {name: file_hash(path) for name, path in parts.items() if path.is_file()}
    path = study_folder / "scores.parquet"
    return {"scores_sha256": file_hash(path) if path.exists() else "", **found}


def belongs_to(analysis: Analysis, study_folder: Path) -> bool:
    """Return whether an analysis was made from what the folder holds now, by these tables and rules."""
    kept = {name: value for name, value in analysis.settings.items() if name.endswith("_sha256")}
    return analysis.settings.get("format") == FORMAT and kept == made_from(study_folder)


def analyze_scores(
    scores: pl.DataFrame,
    seed: int = 0,
    draws: int = 1000,
    settings: dict[str, object] | None = None,
    generations: pl.DataFrame | None = None,
    factors: pl.DataFrame | None = None,
    left: Sequence[str] = (),
    known_by: KnownBy | None = None,
) -> Analysis:
    """Return the analysis of a score table; every interval is a 95% cluster bootstrap of ``draws`` draws.

    ``generations`` holds the answers, for the rarity of objects; ``factors`` the levels of crossed factors;
    ``left`` says which runs the table lacks; ``known_by`` names the reading of texts that says what is known.
    """
    reading = reading_of(scores, known_by)
    inputs = Inputs(observe(scores, generations, reading), factors, seed, draws)
    tables = {name: table_of(inputs) for name, table_of in TABLES.items()}
    remarks = (*left, *_remarks(inputs.observations, inputs.levels, inputs.resampler))
    settings = {**(settings or {"seed": seed, "draws": draws}), "known_by": reading}
    return Analysis(tables, decide_claims(tables, remarks), remarks, settings)


def _remarks(observations: Observations, levels: pl.DataFrame, resampler: Resampler) -> tuple[str, ...]:
    remarks = []
    runs = observations.runs.filter(pl.col("target_kind") == MIXED)
    if runs["pretrain_seed"].n_unique() < 2:
        remarks.append(
            "One pre-training seed only: intervals cover people and unlearning seeds, not pre-training."
        )
    if len(resampler.seeds) < 2:
        remarks.append("One seed only: intervals cover people alone.")
    elif len(resampler.seeds) < FEW_SEEDS:
        remarks.append(
            f"Only {len(resampler.seeds)} seeds: where seeds differ much, intervals are too narrow."
        )
    for row in levels.filter(~pl.col("included")).to_dicts():
        counted = row["count_low"] is not None
        level = f"Count {counts_label(row)}" if counted else f"Exposure {row['exposure']}"
        remarks.append(f"{level} ({row['model']}) is excluded from comparisons: {row['reason']}.")
    shares = levels.filter("included")["known_share"]
    if len(shares) and float(shares.min()) < 0.8:  # type: ignore[arg-type]
        remarks.append(
            "Levels differ in how much was known before; among rarely seen facts only the stronger ones "
            "were known, which "
            "works against finding C1."
        )
    return tuple(remarks)


def write_analysis(analysis: Analysis, folder: Path) -> Path:
    """Write ``analysis/`` into the folder, verdicts as JSON and each table as CSV and Parquet; return its
    path."""
    target = folder / "analysis"
    record = {
        "verdicts": [asdict(verdict) for verdict in analysis.verdicts],
        "remarks": list(analysis.remarks),
        "settings": analysis.settings,
    }
    with atomic_folder(target) as beside:
        text = json.dumps(record, indent=2, ensure_ascii=False, allow_nan=False)
        (beside / "verdicts.json").write_text(text + "\n", encoding="utf-8")
        for name, table in analysis.tables.items():
            table.write_parquet(beside / f"{name}.parquet")
            escape_formulas(table).write_csv(beside / f"{name}.csv")
        write_checksums(beside)
    return target


def read_analysis(folder: Path) -> Analysis:
    """Return the analysis written in a study folder; raises `DataError` when it is missing or of another
    version."""
    source = folder / "analysis"
    advice = f"run: unequal analyze {folder}"
    verify_folder(source, advice)
    record = read_record(_Kept, source / "verdicts.json", advice)
    tables = {name: read_table(source / f"{name}.parquet", advice) for name in TABLES}
    return Analysis(tables, record.verdicts, record.remarks, record.settings)


@dataclass(frozen=True)
class _Kept:
    """The contents of ``verdicts.json``."""

    verdicts: tuple[Verdict, ...]
    remarks: tuple[str, ...]
    settings: dict[str, object]
