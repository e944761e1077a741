"""Judge one pre-trained model before unlearning, on the facts and probes of one target."""

from pathlib import Path
from typing import ClassVar

from unequal.facts.probes import ProbeKind
from unequal.files import write_table
from unequal.study.step import Progress, Step
from unequal.study.steps.pretrain import PretrainStep
from unequal.unlearning.settings import TargetSettings


class BaselineStep(Step):
    """Scores at step 0, shared by every unlearning run of the model and target."""

    kind: ClassVar[str] = "baseline"

    pretrain: PretrainStep
    target: TargetSettings
    facts_per_role: int
    probes: tuple[ProbeKind, ...]
    n_wordings: int

    @property
    def name(self) -> str:
        """Return the model and target."""
        return f"{self.pretrain.name}-{self.target.relation}-{self.target.name}"

    @property
    def inputs(self) -> tuple[str, ...]:
        """The model, and the corpus whose facts it saw."""
        return (self.pretrain.folder, self.pretrain.corpus.folder)

    @property
    def cost(self) -> float:
        """A few seconds."""
        return 3.0

    def execute(self, study: Path, folder: Path, progress: Progress) -> None:
        """Write ``scores.parquet`` and ``generations.parquet`` with the columns that describe facts."""
        from unequal.study.bench import workbench  # noqa: PLC0415

        bench = workbench(study, self.pretrain)
        tables = bench.evaluator(self.target, self.facts_per_role, self.probes, self.n_wordings).run(
            bench.fresh_model()
        )
        progress(1, 1)
        write_table(tables.scores, folder / "scores.parquet")
        write_table(tables.generations, folder / "generations.parquet")
