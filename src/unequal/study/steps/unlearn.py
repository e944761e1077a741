"""Unlearn one target with one method and seed, and evaluate the model along the way."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import polars as pl

from unequal.analysis.excluded_runs import STOPPED
from unequal.attacks.attack import run_attacks
from unequal.evaluation.score_table import GENERATION_SCHEMA, OPTIONAL_SCORES, SCORE_SCHEMA, with_buckets
from unequal.facts.probes import ProbeKind
from unequal.files import write_json, write_table
from unequal.general_utility.settings import GeneralSettings
from unequal.models.compute_settings import master_weights
from unequal.progress import Progress
from unequal.study.memory_estimate import of_unlearning
from unequal.study.step import Step
from unequal.study.steps.baseline import BaselineStep
from unequal.unlearning.method import MethodSettings
from unequal.unlearning.settings import UnlearnSettings


class UnlearnStep(Step):
    """From a model to the trajectory of its scores while it forgets."""

    kind: ClassVar[str] = "unlearn"
    result_format: ClassVar[int] = 7
    runs_model: ClassVar[bool] = True

    baseline: BaselineStep
    method: MethodSettings
    unlearn: UnlearnSettings
    probes_between: tuple[ProbeKind, ...]
    seed: int

    @property
    def name(self) -> str:
        """Return the model, method, target and seed."""
        target = self.baseline.target
        model = self.baseline.base.name
        weighting = "" if self.weighting == "uniform" else f"-{self.weighting}"
        precision = "" if self.unlearn.precision == "fp32" else f"-{self.unlearn.precision}"
        what = f"{self.method.kind}{weighting}{precision}"
        return f"{model}-{what}-{target.relation}-{target.name}-seed{self.seed}"

    @property
    def weighting(self) -> str:
        """The name of the rule by which facts are weighted."""
        return self.unlearn.weighting.name

    @property
    def inputs(self) -> tuple[str, ...]:
        """The baseline, the model and its facts."""
        return (self.baseline.folder, *self.baseline.inputs)

    @property
    def run_id(self) -> str:
        """The folder's own name."""
        return self.folder.split("/")[1]

    @property
    def cost(self) -> float:
        """About 40 ms a step and 0.3 s an evaluation, for a model of half a million weights."""
        relative = self.baseline.base.n_weights / 5e5
        seconds_a_step = 0.04 * self.unlearn.batch_size / 32
        work = seconds_a_step * self.unlearn.steps + 0.3 * len(self.unlearn.evaluated_steps())
        return 1.5 + relative * work + self.baseline.attack_cost

    @property
    def memory(self) -> float:
        """The base model, and beside it the one that is trained and evaluated."""
        size, attacked = self.baseline.base.model_size, bool(self.baseline.attacks)
        return of_unlearning(size, self.method, self.unlearn, attacked)

    def execute(self, study: Path, folder: Path, progress: Progress) -> None:
        """Write ``scores.parquet`` and ``generations.parquet`` of every evaluated step, step 0 included.

        A run that a rule ended says so in ``stopped.json``.
        """
        from unequal.evaluation.unlearning_run import Evaluations, unlearn_and_evaluate
        from unequal.general_utility.measure import held_out_text
        from unequal.models.quantised import n_weights
        from unequal.study.loaded_base import loaded_base
        from unequal.unlearning.run import Run

        settings = self.baseline
        base = loaded_base(study, settings.base, self.unlearn.quantise)
        target = base.target(settings.target, settings.facts_per_role)
        prefix = self.method.prompt_prefix(target.forget)
        last, between = (
            base.evaluator(target, kinds, settings.n_wordings, settings.metrics, prefix)
            for kinds in (settings.probes, self.probes_between)
        )
        start = settings.tables(study)
        model = base.fresh_model()
        controls = target.controls
        if self.unlearn.stopping.perplexity_rise is not None:
            text = held_out_text(GeneralSettings(), model, base.encoder, target.forget)
            controls = replace(controls, text=text)
        n_params = n_weights(model)
        n_steps, n_attacks = self.unlearn.steps, len(settings.attacks)
        run = Run(
            model, base.encoder, self.method, target.forget, target.retain_set, self.unlearn,
            settings.base.prompts, self.seed, controls,
            progress=lambda done, _total: progress(done, n_steps + n_attacks),
        )  # fmt: skip
        evaluations = Evaluations(lambda _model: start, between.run, last.run)
        found = unlearn_and_evaluate(run, evaluations, earlier={0: start})
        parts = [found.scores]
        # A stopping rule may have gone back to the start, whose attacks are the baseline's.
        if found.end > 0 and not found.diverged:
            context = base.context(model, target, settings.n_wordings, prefix)
            attacked = run_attacks(
                settings.attacks, context, lambda done, _total: progress(n_steps + done, n_steps + n_attacks)
            )
            parts.append(attacked.with_columns(step=found.end))
        labels = {**settings.base.labels(study), "n_params": n_params}
        scores = with_buckets(self._described(parts, labels), target.facts.all)
        write_table(scores, folder / "scores.parquet")
        texts = found.generations.with_columns(run_id=pl.lit(self.run_id))
        write_table(
            texts.select(pl.col(name).cast(kind) for name, kind in GENERATION_SCHEMA.items()),
            folder / "generations.parquet",
        )
        if found.stopped:
            write_json(folder / STOPPED, found.stopped._asdict())
        if found.diverged:  # after the scores before it are written
            raise found.diverged

    def _described(self, parts: Sequence[pl.DataFrame], labels: Mapping[str, object]) -> pl.DataFrame:
        """Return the rows with the run's columns; the study's name is added when they are collected."""
        described = dict(labels) | {
            "study": "",
            "run_id": self.run_id,
            "method": self.method.kind,
            "weighting": self.weighting,
            "target": self.baseline.target.name,
            "seed": self.seed,
        }
        if self.unlearn.precision != "fp32":
            described["precision"] = master_weights(self.unlearn.precision)
        rows = pl.concat(parts, how="diagonal").with_columns(
            pl.lit(value).alias(name) for name, value in described.items()
        )
        extra = [name for name in OPTIONAL_SCORES if described.get(name) is not None]
        return rows.select(*(pl.col(name).cast(kind) for name, kind in SCORE_SCHEMA.items()), *extra)
