"""Count the facts of a study, or take counts that were made before."""

from pathlib import Path
from typing import Any, ClassVar, Self

from pydantic import field_serializer

from unequal.counting.count_source import CountChoice, CountColumn, CountTable
from unequal.counting.protocol import CountSettings
from unequal.counting.run import count_facts, read_counts
from unequal.counting.scan.settings import ScanSettings
from unequal.counting.scan.shards import content_id
from unequal.errors import ConfigError, DataError, listed
from unequal.facts.fictitious import is_fictitious
from unequal.facts.packaged import resolve_corpus
from unequal.facts.schema import Fact
from unequal.facts.table import read_facts
from unequal.files import file_hash, write_table
from unequal.progress import Progress
from unequal.study.step import Step
from unequal.study.steps.facts import FactsStep
from unequal.study.steps.text import TextStep


class CountStep(Step):
    """From facts to their count table, in the text of a study or by the study's choice of counts."""

    kind: ClassVar[str] = "count"

    facts: FactsStep
    text: TextStep | None = None
    counts: CountChoice | None = None
    content: str = ""

    @classmethod
    def of(cls, facts: FactsStep, counts: CountChoice) -> Self:
        """Return the step; raises `ConfigError` or `DataError` when its table or text cannot be read."""
        corpus = getattr(counts, "corpus", None)
        if corpus is not None:
            content = content_id(resolve_corpus(corpus), "counts.corpus")
        elif isinstance(counts, CountTable):
            try:
                content = file_hash(counts.table)
            except OSError as error:
                raise ConfigError(
                    f"counts.table: cannot read {counts.table}: {error.strerror or error}"
                ) from error
        else:
            content = ""
        return cls(facts=facts, counts=counts, content=content)

    @field_serializer("counts")
    def _what_determines(self, counts: CountChoice | None) -> dict[str, Any] | None:
        if isinstance(counts, CountSettings):
            return counts.determines()
        return None if counts is None else counts.model_dump(mode="json", exclude={"table"})

    @property
    def name(self) -> str:
        """Return where the counts come from."""
        if self.text is not None:
            return self.text.name
        return str(getattr(self.counts, "engine", "table" if self.content else "column"))

    @property
    def inputs(self) -> tuple[str, ...]:
        """The facts, and the text in which they are counted."""
        return (self.facts.folder, *([self.text.folder] if self.text else []))

    @property
    def cost(self) -> float:
        """A few seconds, or minutes when a web service is asked."""
        return 300.0 if getattr(self.counts, "index", None) else 5.0

    def execute(self, study: Path, folder: Path, progress: Progress) -> None:
        """Write ``counts.parquet``."""
        path = study / self.facts.folder / "facts.parquet"
        out = folder / "counts.parquet"
        match self._choice(study):
            case CountSettings() as settings:
                settings = settings.model_copy(update={"facts": path, "out": out})
                count_facts(settings, settings.build(), progress)
            case CountTable() as given:
                counts, _ = read_counts(given.table)
                _check_all_counted(read_facts(path), set(counts["fact_id"]), given.table)
                write_table(counts, out)
            case CountColumn() as given:
                write_table(given.counts(read_facts(path)), out)

    def _choice(self, study: Path) -> CountChoice:
        if self.text is None:
            if self.counts is None:
                raise TypeError("a step that counts needs a text or a choice of counts")
            return self.counts
        text = self.text.text
        window = text.definition.window
        shared = {"case": text.case, "nested": text.nested, "window": window, "workers": 1}
        places = {"facts": Path("facts"), "out": Path("out"), "corpus": str(study / self.text.file)}
        return ScanSettings.model_validate({**shared, **places})


def _check_all_counted(facts: list[Fact], counted: set[str], table: Path) -> None:
    missing = [fact.fact_id for fact in facts if fact.fact_id not in counted and not is_fictitious(fact)]
    if missing:
        raise DataError(
            f"{table} lacks {len(missing)} of {len(facts)} facts ({listed(missing)}); count them with:"
            " unequal count"
        )
