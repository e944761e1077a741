"""Evaluate one base model before unlearning, on the facts and probes of one target."""

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

import polars as pl

from unequal.attacks.attack import AttackSettings, run_attacks
from unequal.evaluation.metrics import STUDY_METRICS
from unequal.facts.probes import ProbeKind
from unequal.files import write_table
from unequal.progress import Progress
from unequal.study.memory_estimate import of_judging
from unequal.study.step import Step
from unequal.study.steps.checkpoint import CheckpointBase
from unequal.study.steps.pretrain import PretrainStep
from unequal.unlearning.settings import TargetSettings

if TYPE_CHECKING:
    from unequal.evaluation.evaluate import Tables

AnyBase = PretrainStep | CheckpointBase
"""The base models that a study can start from."""


class BaselineStep(Step):
    """Scores at step 0, shared by every unlearning run of the model and target.

    Where runs quantise the model's parameters it is evaluated so too, else what rounding does to its answers
    would count as forgetting.
    """

    kind: ClassVar[str] = "baseline"
    result_format: ClassVar[int] = 7
    runs_model: ClassVar[bool] = True

    base: AnyBase
    target: TargetSettings
    facts_per_role: int
    probes: tuple[ProbeKind, ...]
    n_wordings: int
    metrics: tuple[str, ...] = STUDY_METRICS
    attacks: tuple[AttackSettings, ...] = ()
    quantise: Literal["int8", "nf4"] | None = None

    @property
    def name(self) -> str:
        """Return the model and target."""
        return f"{self.base.name}-{self.target.relation}-{self.target.name}"

    @property
    def inputs(self) -> tuple[str, ...]:
        """The model, and its facts."""
        return self.base.needs

    @property
    def cost(self) -> float:
        """A few seconds, and the attacks."""
        return 3.0 + self.attack_cost

    @property
    def memory(self) -> float:
        """The base model, and the copy of it that is evaluated."""
        return of_judging(self.base.model_size, self.quantise, bool(self.attacks))

    @property
    def attack_cost(self) -> float:
        """Estimated seconds of the attacks on one model, at 0.3 s an evaluation of half a million weights."""
        return 0.3 * self.base.n_weights / 5e5 * sum(attack.cost for attack in self.attacks)

    def execute(self, study: Path, folder: Path, progress: Progress) -> None:
        """Write ``scores.parquet`` and ``generations.parquet`` with the columns that describe facts."""
        from unequal.models.quantised import dequantise
        from unequal.study.loaded_base import loaded_base

        base = loaded_base(study, self.base, self.quantise)
        model = base.fresh_model()
        target = base.target(self.target, self.facts_per_role)
        tables = base.evaluator(target, self.probes, self.n_wordings, self.metrics).run(model)
        if self.attacks:
            dequantise(model)  # since some change its parameters
        context = base.context(model, target, self.n_wordings)
        attacked = run_attacks(self.attacks, context, lambda done, total: progress(1 + done, 1 + total))
        write_table(pl.concat([tables.scores, attacked]), folder / "scores.parquet")
        write_table(tables.generations, folder / "generations.parquet")

    def tables(self, study: Path) -> "Tables":
        """Return the tables of the model before unlearning, once the step is done."""
        from unequal.evaluation.evaluate import Tables

        folder = study / self.folder
        return Tables(*(pl.read_parquet(folder / f"{name}.parquet") for name in ("scores", "generations")))
