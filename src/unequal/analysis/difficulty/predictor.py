"""Difficulty predictor: a fit for each method of a study, its skill, and its limits."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from unequal.analysis.claims import MIN_PEOPLE
from unequal.analysis.difficulty.regression import Fit, fit_difficulty, with_intervals
from unequal.analysis.difficulty.rows import (
    FEATURES,
    answers_of,
    difficulty_rows,
    starting_features,
    usable,
    utility_lost,
)
from unequal.analysis.difficulty.skill import (
    ALONE,
    WITH,
    WITHOUT,
    Skill,
    all_out_of_fold,
    does_the_count_help,
    feature_sets,
    skill,
)
from unequal.analysis.observations import observe
from unequal.analysis.stats.bootstrap import make_resampler
from unequal.analysis.study_record import read_study_record
from unequal.errors import DataError
from unequal.evaluation.known_by import gated, known_by_of
from unequal.evaluation.score_table import read_generations, read_scores
from unequal.files import file_hash
from unequal.manifest import manifest
from unequal.records import read_record
from unequal.strict import StrictModel


class MethodDifficulty(StrictModel):
    """What a study says of a method: a fit with and one without the count, and mean utility lost by step."""

    method: str
    plain: bool
    n_facts: int
    n_people: int
    n_runs: int
    last_step: int
    lost_by_step: tuple[tuple[int, float], ...]
    with_count: Fit | None
    without_count: Fit

    def lost_at(self, step: float) -> float | None:
        """Return the mean utility lost after so many steps, linear in log2(1 + step), if scored."""
        if not self.lost_by_step:
            return None
        steps, lost = np.array(self.lost_by_step).T
        return float(np.interp(np.log2(1 + step), np.log2(1 + steps), lost))


class Predictor(StrictModel):
    """Difficulty as learned from one study; ``count`` says in words whether knowing the count helps.

    ``n_forget`` is the median number of facts that a run was to forget, and ``run_settings`` the settings of
    unlearning where the study's folder holds them: steps mean nothing without them.
    """

    study: str
    scores_sha256: str
    n_params: tuple[int, ...]
    n_forget: int
    run_settings: dict[str, Any]
    methods: tuple[MethodDifficulty, ...]
    skill: tuple[Skill, ...]
    count: tuple[str, ...]
    remarks: tuple[str, ...]
    made_by: dict[str, Any]

    @property
    def features(self) -> set[str]:
        """The features that the fits use."""
        fits = [fit for one in self.methods for fit in (one.with_count, one.without_count) if fit]
        return {column.name for fit in fits for column in fit.columns}

    @property
    def sizes(self) -> str:
        """The sizes of the models it was fitted on, in words."""
        return ", ".join(map(in_millions, self.n_params)) or "unknown"


def in_millions(n_params: int) -> str:
    """Return a number of parameters such as ``0.4M`` or ``7B``."""
    return f"{n_params / 1e6:.2g}M" if n_params < 1e9 else f"{n_params / 1e9:.2g}B"


def fit_study(
    study: Path, alignment: pl.DataFrame | None = None, seed: int = 0, draws: int = 1000
) -> Predictor:
    """Return the predictor learned from a study folder; raises `DataError` when it holds too little.

    Answers are read from ``generations.parquet`` where there is one.
    """
    path, texts = study / "scores.parquet", study / "generations.parquet"
    scores = gated(read_scores(path), known_by_of(study))
    answers = answers_of(read_generations(texts)) if texts.exists() else None
    predictor = fit_scores(scores, answers, alignment, seed, draws)
    made_from = {"scores_sha256": file_hash(path), "run_settings": _run_settings(study)}
    return predictor.model_copy(update=made_from)


def _run_settings(study: Path) -> dict[str, Any]:
    settings = read_study_record(study).get("settings", {})
    return {name: settings[name] for name in ("unlearn", "methods", "prompts") if name in settings}


def fit_scores(
    scores: pl.DataFrame,
    answers: pl.DataFrame | None = None,
    alignment: pl.DataFrame | None = None,
    seed: int = 0,
    draws: int = 1000,
) -> Predictor:
    """Return the predictor learned from a score table; intervals of skill are cluster bootstraps."""
    observations = observe(scores)
    starting = starting_features(scores.filter(pl.col("step") == 0), answers, alignment)
    rows = difficulty_rows(observations, starting)
    features = usable(rows)
    chosen = rows.filter(pl.col("method").is_in(_learnable(rows)))
    resampler = make_resampler(chosen["person"].to_list(), chosen["seed_cluster"].to_list(), seed, draws)
    predicted = all_out_of_fold(chosen, features)
    skills = skill(predicted, resampler)
    lost = utility_lost(observations)
    by_method = chosen.group_by("method", maintain_order=True)
    methods = [_method(part, features, lost, predicted[str(name)]) for (name,), part in by_method]
    return Predictor(
        study=str(scores["study"][0]),
        scores_sha256="",
        n_params=tuple(sorted(chosen["n_params"].drop_nulls().unique())),
        n_forget=_n_forget(observations.mixed()),
        run_settings={},
        methods=tuple(sorted(methods, key=lambda one: one.method)),
        skill=tuple(skills),
        count=tuple(does_the_count_help(skills)),
        remarks=tuple(_remarks(rows, chosen, features)),
        made_by=manifest(),
    )


def _n_forget(forget: pl.DataFrame) -> int:
    return int(forget.group_by("run_id").agg(pl.col("fact_id").n_unique())["fact_id"].median())  # type: ignore[arg-type]


def _learnable(rows: pl.DataFrame) -> list[str]:
    """Return the methods that forgot something of enough people; raises `DataError` when there is none."""
    people = pl.col("person").n_unique() >= MIN_PEOPLE
    methods = rows.group_by("method").agg((people & pl.col("forgotten").any()).alias("enough"))
    found: list[str] = methods.filter("enough")["method"].to_list()
    if not found:
        raise DataError(
            f"difficulty cannot be learned from this study: a method needs {MIN_PEOPLE} people with facts"
            f" known before, some of them forgotten; here {rows['person'].n_unique()} people have known"
            f" facts, and in {rows['forgotten'].sum()} of {rows.height} cases one was forgotten"
        )
    return found


def _method(
    rows: pl.DataFrame, features: Sequence[str], lost: pl.DataFrame, predicted: Mapping[str, pl.DataFrame]
) -> MethodDifficulty:
    name = rows["method"][0]
    curve = lost.filter(pl.col("method") == name).group_by("step").agg(pl.col("utility_lost").mean())
    fits = {
        name: with_intervals(fit_difficulty(rows, chosen), predicted[name])
        for name, chosen in feature_sets(features).items()
        if name != ALONE
    }
    return MethodDifficulty(
        method=name,
        plain=rows["plain"][0],
        n_facts=rows["fact_id"].n_unique(),
        n_people=rows["person"].n_unique(),
        n_runs=rows["run_id"].n_unique(),
        last_step=int(rows["last_step"].max()),  # type: ignore[arg-type]
        lost_by_step=tuple(curve.sort("step").rows()),
        with_count=fits.get(WITH),
        without_count=fits[WITHOUT],
    )


def _remarks(rows: pl.DataFrame, chosen: pl.DataFrame, features: Sequence[str]) -> list[str]:
    remarks = []
    if chosen["held_out"].n_unique() < 2:
        remarks.append("One seed only: skill and intervals are for new people, not for new seeds.")
    if left_out := sorted({*rows["method"]} - {*chosen["method"]}):
        remarks.append(f"Excluded, since they forgot nothing or too few people: {', '.join(left_out)}.")
    if lacking := [name for name in FEATURES if name not in features]:
        remarks.append(f"Not used, since facts lack them or do not differ: {', '.join(lacking)}.")
    return remarks


def read_predictor(path: Path) -> Predictor:
    """Return a predictor; raises `DataError` when the file holds none."""
    return read_record(
        Predictor, path, f"make one with: unequal plan fit --study … --out {path}", "no predictor"
    )
