"""Split the counted facts of a study into buckets and roles."""

from pathlib import Path
from typing import ClassVar

import polars as pl
from pydantic import Field

from unequal.counting.count_source import rank_column
from unequal.facts.split import SplitSettings, split_facts
from unequal.facts.table import read_facts
from unequal.facts.write import write_facts
from unequal.files import write_json
from unequal.progress import Progress
from unequal.study.step import Step
from unequal.study.steps.counts import CountStep
from unequal.unlearning.settings import TargetSettings
from unequal.unlearning.targets import check_target


class SplitStep(Step):
    """From counted facts to facts with a bucket and a role; the seed decides who has which."""

    kind: ClassVar[str] = "split"

    counts: CountStep
    split: SplitSettings
    seed: int
    targets: tuple[TargetSettings, ...] = Field(default=(), exclude=True)  # so that a mistake is told early

    @property
    def steps(self) -> tuple[Step, ...]:
        """Those of the facts, the text and the counts, and this one."""
        text = [self.counts.text] if self.counts.text else []
        return (self.counts.facts, *text, self.counts, self)

    @property
    def name(self) -> str:
        """Return the seed."""
        return f"seed{self.seed}"

    @property
    def inputs(self) -> tuple[str, ...]:
        """The facts and their counts."""
        return (self.counts.facts.folder, self.counts.folder)

    @property
    def cost(self) -> float:
        """A second or two."""
        return 2.0

    def execute(self, study: Path, folder: Path, progress: Progress) -> None:  # noqa: ARG002  is quick
        """Write ``facts.parquet``, and the buckets and what was left out into ``split.json``."""
        facts = read_facts(study / self.counts.facts.folder / "facts.parquet")
        counts = pl.read_parquet(study / self.counts.folder / "counts.parquet")
        buckets = self.split.buckets
        by = buckets.by if "by" in buckets.model_fields_set else rank_column(counts)
        split = split_facts(facts, counts, self.split, by, self.seed)
        for target in self.targets:
            check_target(split.facts, target)
        write_facts(split.facts, folder / "facts.parquet")
        labels = {table: [bucket.label for bucket in found] for table, found in split.buckets.items()}
        record = {"by": by, "buckets": labels, "left_out": split.dropped, "notes": split.notes}
        write_json(folder / "split.json", record)
