"""From a study folder to its analysis: every table, every verdict, and the files that hold them."""

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import polars as pl

from unequal.analysis.agreement import agreement, both_views
from unequal.analysis.bootstrap import Resampler, make_resampler
from unequal.analysis.curves import forgetting_curves
from unequal.analysis.dose_response import dose_levels, dose_slopes
from unequal.analysis.formats import format_gaps
from unequal.analysis.frontier import frontier
from unequal.analysis.hidden import hidden_knowledge
from unequal.analysis.known import comparable, known_before, level_inclusion
from unequal.analysis.logistic import logistic_dose
from unequal.analysis.observations import MIXED, Observations, observe
from unequal.analysis.outcomes import UTILITY_BUDGETS, forgotten_at_utility, forgotten_over_steps
from unequal.analysis.steps_to_forget import steps_to_forget, survival_medians
from unequal.analysis.true_false import true_false_d_prime
from unequal.analysis.utility import budget_steps, utility_by_run, utility_curves, utility_rows
from unequal.analysis.utility_cost import utility_cost
from unequal.analysis.verdicts import Verdict, judge
from unequal.errors import DataError
from unequal.evaluation.score_table import read_scores
from unequal.files import atomic_folder, file_hash, read_json

FEW_SEEDS = 5


@dataclass(frozen=True)
class Analysis:
    """Every table of a study's analysis, its verdicts, and the settings that reproduce it."""

    runs: pl.DataFrame
    known: pl.DataFrame
    levels: pl.DataFrame
    curves: pl.DataFrame
    utility: pl.DataFrame
    dose: pl.DataFrame
    slopes: pl.DataFrame
    logistic: pl.DataFrame
    survival: pl.DataFrame
    frontier: pl.DataFrame
    agreement: pl.DataFrame
    hidden: pl.DataFrame
    formats: pl.DataFrame
    true_false: pl.DataFrame
    cost: pl.DataFrame
    missing: pl.DataFrame
    verdicts: tuple[Verdict, ...]
    remarks: tuple[str, ...]
    settings: dict[str, object]

    def tables(self) -> dict[str, pl.DataFrame]:
        """Return the tables by name."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in values.items() if isinstance(value, pl.DataFrame)}


def analyze(study_folder: Path, seed: int = 0, draws: int = 1000) -> Analysis:
    """Return the analysis of a study folder's ``scores.parquet``; raises `DataError` when it cannot be
    read."""
    path = study_folder / "scores.parquet"
    settings = {"seed": seed, "draws": draws, "scores_sha256": file_hash(path) if path.exists() else ""}
    return analyze_scores(read_scores(path), seed, draws, settings)


def analyze_scores(
    scores: pl.DataFrame, seed: int = 0, draws: int = 1000, settings: dict[str, object] | None = None
) -> Analysis:
    """Return the analysis of a score table; every interval is a 95% cluster bootstrap of ``draws`` draws."""
    observations = observe(scores)
    table = observations.scores
    resampler = make_resampler(
        table["person"].unique().to_list(), table["seed_cluster"].unique().to_list(), seed, draws
    )
    levels = level_inclusion(observations)
    forget = comparable(observations.forget, levels)
    rows = utility_rows(observations)
    outcomes = _outcomes(forget, rows)
    slopes = dose_slopes(outcomes, resampler)
    curves, utility = forgetting_curves(observations, resampler), utility_curves(resampler, rows)
    views = both_views(observations)
    hidden, formats = hidden_knowledge(views, resampler), format_gaps(observations, resampler)
    cost = utility_cost(forget, rows, resampler)
    remarks = _remarks(observations, levels, resampler)
    return Analysis(
        runs=observations.runs,
        known=known_before(observations, resampler),
        levels=levels,
        curves=curves,
        utility=utility,
        dose=dose_levels(outcomes, resampler),
        slopes=slopes,
        logistic=logistic_dose(outcomes),
        survival=survival_medians(steps_to_forget(forget), resampler),
        frontier=frontier(curves, utility),
        agreement=agreement(views, resampler),
        hidden=hidden,
        formats=formats,
        true_false=true_false_d_prime(observations, resampler),
        cost=cost,
        missing=observations.missing,
        verdicts=judge(slopes, hidden, formats, cost, remarks),
        remarks=remarks,
        settings=settings or {"seed": seed, "draws": draws},
    )


def _outcomes(forget: pl.DataFrame, utility: pl.DataFrame) -> pl.DataFrame:
    by_run = utility_by_run(utility)
    readings = [
        forgotten_at_utility(forget, budget_steps(by_run, budget), budget) for budget in UTILITY_BUDGETS
    ]
    return pl.concat([forgotten_over_steps(forget), *readings])


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
        remarks.append(
            f"Exposure {row['exposure']} ({row['model']}) is left out of comparisons: {row['reason']}."
        )
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
        for name, table in analysis.tables().items():
            table.write_parquet(beside / f"{name}.parquet")
            table.write_csv(beside / f"{name}.csv")
    return target


def read_analysis(folder: Path) -> Analysis:
    """Return the analysis written in a study folder; raises `DataError` when it is missing or of another
    version."""
    source = folder / "analysis"
    record = read_json(source / "verdicts.json")
    names = [
        field.name for field in fields(Analysis) if field.name not in ("verdicts", "remarks", "settings")
    ]
    try:
        tables = {name: pl.read_parquet(source / f"{name}.parquet") for name in names}
        verdicts = tuple(Verdict(**{**one, "details": tuple(one["details"])}) for one in record["verdicts"])
        return Analysis(
            **tables, verdicts=verdicts, remarks=tuple(record["remarks"]), settings=record["settings"]
        )
    except (OSError, KeyError, TypeError, pl.exceptions.PolarsError) as error:
        raise DataError(
            f"{source} is not a whole analysis ({error}); run: unequal analyze {folder}"
        ) from error
