"""From a study folder to its analysis: every table, every verdict, and the files that hold them."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from functools import partial
from pathlib import Path

import polars as pl

from unequal.analysis.agreement.contingency import agreement, both_views
from unequal.analysis.agreement.forgetting_order import signature
from unequal.analysis.agreement.formats import format_gaps
from unequal.analysis.agreement.hidden_knowledge import hidden_knowledge
from unequal.analysis.agreement.knowledge_tests import judgements
from unequal.analysis.agreement.leaks import hidden_leak, sampling_gap
from unequal.analysis.agreement.nulls import null_scores
from unequal.analysis.agreement.robustness import robustness
from unequal.analysis.agreement.spearman import spearman
from unequal.analysis.agreement.true_false import true_false_d_prime
from unequal.analysis.effects.area_between_levels import areas_between_levels
from unequal.analysis.effects.arm_levels import arm_levels
from unequal.analysis.effects.count_levels import count_groups, count_known, count_levels
from unequal.analysis.effects.curves import forgetting_curves
from unequal.analysis.effects.dose_response import COUNT, PLUS_ONE, dose_levels, dose_slopes
from unequal.analysis.effects.hazards import hazard_ratios
from unequal.analysis.effects.interactions import interactions
from unequal.analysis.effects.logistic import logistic_dose
from unequal.analysis.effects.pooled import with_all_models
from unequal.analysis.effects.steps_to_forget import steps_to_forget, survival_curves, survival_medians
from unequal.analysis.effects.weightings import weightings
from unequal.analysis.factors.levels import factor_levels
from unequal.analysis.factors.ranking import factor_effects
from unequal.analysis.factors.rows import CROSSED, read_factors
from unequal.analysis.known import comparable, counts_label, known_before, level_inclusion
from unequal.analysis.left_out import FAILURES, STOPPED, left_out, stopped_early
from unequal.analysis.observations import MIXED, Observations, observe
from unequal.analysis.outcomes import UTILITY_BUDGETS, at_budget
from unequal.analysis.sizes.slopes import size_effects
from unequal.analysis.sizes.trend import sizes
from unequal.analysis.stats.bootstrap import Resampler, make_resampler
from unequal.analysis.utility.cost import utility_cost
from unequal.analysis.utility.frontier import frontier
from unequal.analysis.utility.matched import at_equal_steps, at_equal_utility, matched_comparisons
from unequal.analysis.utility.retained import utility_curves, utility_rows, with_readings
from unequal.analysis.utility.two_views import utility_views
from unequal.analysis.verdicts import Verdict, judge
from unequal.checksums import verify_folder, write_checksums
from unequal.csv_injection import escape_formulas
from unequal.evaluation.known_by import KnownBy, known_by_of, reading_of
from unequal.evaluation.score_table import read_generations, read_scores
from unequal.files import atomic_folder, file_hash
from unequal.records import read_record, read_table

FEW_SEEDS = 5


FORMAT = 4
"""Raised when a table's columns or a rule change, so that what an older version analysed is made anew."""


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
    effects: pl.DataFrame
    count_known: pl.DataFrame
    count_levels: pl.DataFrame
    interactions: pl.DataFrame
    arm_levels: pl.DataFrame
    matched: pl.DataFrame
    areas: pl.DataFrame
    logistic: pl.DataFrame
    survival: pl.DataFrame
    survival_curves: pl.DataFrame
    hazards: pl.DataFrame
    frontier: pl.DataFrame
    agreement: pl.DataFrame
    hidden: pl.DataFrame
    spearman: pl.DataFrame
    signature: pl.DataFrame
    hidden_leak: pl.DataFrame
    sampling_gap: pl.DataFrame
    sizes: pl.DataFrame
    size_trends: pl.DataFrame
    size_effects: pl.DataFrame
    utility_views: pl.DataFrame
    robustness: pl.DataFrame
    formats: pl.DataFrame
    true_false: pl.DataFrame
    cost: pl.DataFrame
    weightings: pl.DataFrame
    factors: pl.DataFrame
    factor_levels: pl.DataFrame
    nulls: pl.DataFrame
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
    settings = {"seed": seed, "draws": draws, "format": FORMAT, **made_from(study_folder)}
    texts = study_folder / "generations.parquet"
    generations = read_generations(texts) if texts.exists() else None
    factors, left = (
        read_factors(study_folder / CROSSED),
        [*left_out(study_folder), *stopped_early(study_folder)],
    )
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
    observations = observe(scores, generations, reading)
    table = observations.scores
    resampler = make_resampler(
        table["person"].unique().to_list(), table["seed_cluster"].unique().to_list(), seed, draws
    )
    levels = level_inclusion(observations)
    forget = comparable(observations.forget, levels)
    rows = utility_rows(observations)
    budgets = {at_budget(budget): budget for budget in UTILITY_BUDGETS}
    resampler = with_readings(resampler, rows, budgets)
    outcomes = _outcomes(forget, rows)
    natural = observations.forget.filter(pl.col("known") & pl.col("count").is_not_null())
    counted = _outcomes(natural, rows)
    views, said = both_views(observations), judgements(observations)
    by_size, size_trends = sizes(views, observations, resampler)
    curves = with_all_models(partial(forgetting_curves, resampler=resampler), observations)
    utility = with_all_models(partial(utility_curves, resampler), rows)
    times = steps_to_forget(forget)
    by_count = partial(count_levels, groups=count_groups(observations.forget), resampler=resampler)
    remarks = (*left, *_remarks(observations, levels, resampler))
    tables = {
        "runs": observations.runs,
        "known": with_all_models(partial(known_before, resampler=resampler), observations),
        "levels": levels,
        "curves": curves,
        "utility": utility,
        "dose": dose_levels(outcomes, resampler),
        "slopes": dose_slopes(outcomes, resampler),
        "effects": pl.concat(
            [dose_slopes(outcomes, resampler, PLUS_ONE), dose_slopes(counted, resampler, COUNT)]
        ),
        "count_known": with_all_models(partial(count_known, resampler=resampler), observations),
        "count_levels": with_all_models(by_count, counted),
        "interactions": interactions(outcomes, observations.runs, resampler),
        "arm_levels": arm_levels(outcomes, observations.runs, resampler),
        "matched": matched_comparisons(outcomes, forget, rows, resampler),
        "areas": areas_between_levels(forget, resampler),
        "logistic": logistic_dose(outcomes),
        "survival": with_all_models(partial(survival_medians, resampler=resampler), times),
        "survival_curves": with_all_models(partial(survival_curves, resampler=resampler), times),
        "hazards": hazard_ratios(times, forget),
        "frontier": frontier(curves, utility),
        "agreement": with_all_models(partial(agreement, resampler=resampler), views),
        "hidden": hidden_knowledge(views, resampler),
        "spearman": with_all_models(partial(spearman, resampler=resampler), observations),
        "signature": with_all_models(partial(signature, resampler=resampler), said),
        "hidden_leak": with_all_models(partial(hidden_leak, resampler=resampler), observations),
        "sampling_gap": with_all_models(partial(sampling_gap, resampler=resampler), observations, said),
        "sizes": by_size,
        "size_trends": size_trends,
        "size_effects": size_effects(observations, rows, resampler),
        "utility_views": utility_views(observations, resampler),
        "robustness": with_all_models(partial(robustness, resampler=resampler), observations, said),
        "formats": format_gaps(observations, resampler),
        "true_false": with_all_models(partial(true_false_d_prime, resampler=resampler), observations),
        "cost": utility_cost(forget, rows, resampler),
        "weightings": weightings(outcomes if outcomes.height else counted, observations.runs, resampler),
        "factors": factor_effects(outcomes, observations, factors, resampler),
        "factor_levels": factor_levels(outcomes, observations, factors, resampler),
        "nulls": null_scores(observations, views, resampler),
        "missing": observations.missing,
    }
    return Analysis(
        **tables,
        verdicts=judge(tables, remarks),
        remarks=remarks,
        settings={**(settings or {"seed": seed, "draws": draws}), "known_by": reading},
    )


def _outcomes(forget: pl.DataFrame, utility: pl.DataFrame) -> pl.DataFrame:
    readings = [at_equal_utility(forget, utility, budget) for budget in UTILITY_BUDGETS]
    return pl.concat([at_equal_steps(forget), *readings])


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
        remarks.append(f"{level} ({row['model']}) is left out of comparisons: {row['reason']}.")
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
            escape_formulas(table).write_csv(beside / f"{name}.csv")
        write_checksums(beside)
    return target


def read_analysis(folder: Path) -> Analysis:
    """Return the analysis written in a study folder; raises `DataError` when it is missing or of another
    version."""
    source = folder / "analysis"
    advice = f"run: unequal analyze {folder}"
    verify_folder(source, advice)
    verify_folder(source, advice)
    record = read_record(_Kept, source / "verdicts.json", advice)
    others = ("verdicts", "remarks", "settings")
    names = [field.name for field in fields(Analysis) if field.name not in others]
    tables = {name: read_table(source / f"{name}.parquet", advice) for name in names}
    return Analysis(**tables, verdicts=record.verdicts, remarks=record.remarks, settings=record.settings)


@dataclass(frozen=True)
class _Kept:
    """What stands in ``verdicts.json``."""

    verdicts: tuple[Verdict, ...]
    remarks: tuple[str, ...]
    settings: dict[str, object]
