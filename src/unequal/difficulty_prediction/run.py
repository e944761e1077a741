"""Make a plan: ask the model what it knows, predict what forgetting takes, and write both down."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from unequal.analysis.difficulty.forecast import budgets, predict
from unequal.analysis.difficulty.predictor import Predictor, fit_study, in_millions, read_predictor
from unequal.analysis.difficulty.rows import ALIGNMENT, COUNT, STARTING_METRICS, starting_features
from unequal.counting.protocol import ranked_by
from unequal.counting.run import read_counts
from unequal.difficulty_prediction.alignment import alignments
from unequal.difficulty_prediction.settings import PlanSettings
from unequal.errors import ConfigError
from unequal.evaluation.evaluate import evaluate
from unequal.evaluation.known_by import KNOWN_BY, SAID
from unequal.facts.schema import Fact
from unequal.files import atomic_folder, write_json, write_table
from unequal.manifest import manifest
from unequal.models.checkpoint import load
from unequal.output_paths import check_settings, files_in
from unequal.progress import Progress, no_progress

FAR = 2.0  # times more or fewer than in the study, and what it says is doubtful
RUN = "plan"


@dataclass(frozen=True)
class Plan:
    """One row per fact and method, one per method for all facts together, and what a reader must be told."""

    facts: pl.DataFrame
    budgets: pl.DataFrame
    notes: list[str]

    @property
    def chosen(self) -> pl.DataFrame:
        """One row per fact: that of the recommended method, or any where there is none."""
        order = self.facts.sort("recommended", descending=True, maintain_order=True)
        first = order.unique("fact_id", keep="first", maintain_order=True)
        ids = self.facts.select("fact_id").unique(maintain_order=True)
        return ids.join(first, on="fact_id", how="left", maintain_order="left")


def make_plan(settings: PlanSettings, progress: Progress = no_progress) -> Plan:
    """Write ``plan.parquet`` and ``plan.json`` into ``out`` and return the plan.

    Nothing is unlearned. Raises `ConfigError` and `DataError` before the model is loaded where it can.
    """
    check_settings(settings, _of_the_study(settings))
    predictor = _predictor(settings)
    by_role = settings.read()
    facts, counted = _counted(settings, by_role.forget)
    retain = by_role.retain
    if ALIGNMENT in predictor.features and not retain:
        raise ConfigError(
            "the predictor uses gradient alignment with the retain set; give it with --retain, or as rows of"
            " the role retain"
        )
    with atomic_folder(settings.out) as folder:
        features, n_params = model_features(settings, predictor, facts, retain, progress)
        table = predict(predictor, features, settings.extrapolate)
        plan = Plan(table, budgets(predictor, table, settings.share), [])
        plan.notes.extend(
            [*_reach(predictor, n_params, len(facts)), *counted, *_gaps(plan), *predictor.count]
        )
        write_table(plan.facts, folder / "plan.parquet")
        write_json(folder / "plan.json", _record(settings, predictor, plan, n_params))
    return plan


def _of_the_study(settings: PlanSettings) -> dict[str, list[Path]]:
    return {"--study": files_in(settings.study, "analysis")} if settings.study else {}


def _predictor(settings: PlanSettings) -> Predictor:
    if settings.predictor is not None:
        return read_predictor(settings.predictor)
    assert settings.study is not None  # noqa: S101  one of the two is given
    return fit_study(settings.study)


def _counted(settings: PlanSettings, facts: list[Fact]) -> tuple[list[Fact], list[str]]:
    """Return the facts, with the counts of the count table if there is one, and notes."""
    if settings.counts is not None:
        table = read_counts(settings.counts)[0]
        found = dict(table.select("fact_id", ranked_by(table)).iter_rows())
        facts = [one.model_copy(update={"count": found.get(one.fact_id), "exposure": None}) for one in facts]
    lost = sum(one.count is None and one.exposure is None for one in facts)
    return facts, [
        f"{lost} of {len(facts)} facts have no count, and are predicted without it"
    ] if lost else []


def model_features(
    settings: PlanSettings,
    predictor: Predictor,
    facts: Sequence[Fact],
    retain: Sequence[Fact],
    progress: Progress = no_progress,
) -> tuple[pl.DataFrame, int]:
    """Return the features of the facts under the model, one row each, and the number of its parameters."""
    model, tokenizer = load(settings.model, merge_adapter=settings.merge_adapter)
    needed = [name for name in STARTING_METRICS if name in {SAID, "answer_prob", *predictor.features}]
    needed = [KNOWN_BY if name == SAID else name for name in needed]
    scores = evaluate(
        model, tokenizer, facts, settings.prompts, probes=["question"], metrics=needed, progress=progress
    ).scores
    n_params = model.num_parameters()
    ids = pl.DataFrame({"run_id": RUN, "fact_id": [one.fact_id for one in facts]})
    aligned = None
    if ALIGNMENT in predictor.features:
        values = alignments(model, tokenizer, settings.prompts, facts, retain)
        aligned = ids.with_columns(pl.Series(ALIGNMENT, values))
    described = scores.with_columns(run_id=pl.lit(RUN), n_params=pl.lit(n_params))
    answers = ids.with_columns(pl.Series("answer", [one.answer for one in facts]))
    return starting_features(described, answers, aligned).drop("run_id"), n_params


def _reach(predictor: Predictor, n_params: int, n_facts: int) -> list[str]:
    """Return what of the model and the set lies beyond what the predictor has seen."""
    notes = []
    sizes = predictor.n_params
    if not sizes or not min(sizes) / FAR <= n_params <= max(sizes) * FAR:
        notes.append(
            f"this predictor was fitted on models of {predictor.sizes} parameters and the model has"
            f" {in_millions(n_params)}: it says nothing reliable about this model; fit one on a study of such"
            " models"
        )
    if not predictor.n_forget / FAR <= n_facts <= predictor.n_forget * FAR:
        notes.append(
            f"runs of the study forgot {predictor.n_forget} facts at once and these are {n_facts}: numbers of"
            " steps do not carry over, since a step sees a batch"
        )
    batch = predictor.run_settings.get("unlearn", {}).get("batch_size")
    at = f", batches of {batch}" if batch else ""
    notes.append(f"steps are those of the study '{predictor.study}', with its learning rates{at}")
    return notes


def _gaps(plan: Plan) -> list[str]:
    none = plan.facts.group_by("fact_id").agg(pl.col("log2_steps").is_null().all())["log2_steps"].sum()
    return (
        [f"{none} of {plan.facts['fact_id'].n_unique()} facts have no prediction; reason says why"]
        if none
        else []
    )


def _record(settings: PlanSettings, predictor: Predictor, plan: Plan, n_params: int) -> dict[str, Any]:
    learned = predictor.model_dump(mode="json", exclude={"methods", "skill", "made_by"})
    return {
        "budgets": plan.budgets.to_dicts(),
        "facts": plan.facts.filter("recommended")
        .select("fact_id", "method", "steps", "steps_high")
        .to_dicts(),
        "notes": plan.notes,
        "n_params": n_params,
        "n_with_count": int(plan.chosen[COUNT].is_not_null().sum()),
        "predictor": learned,
        "settings": settings.model_dump(mode="json"),
        "made_by": manifest(),
    }
