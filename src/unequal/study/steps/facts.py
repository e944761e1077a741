"""Gather the facts of a study from its tables."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar, Self

from pydantic import Field, field_serializer

from unequal.errors import ConfigError
from unequal.facts.study_facts import FactsSettings, gather_facts
from unequal.facts.write import write_facts
from unequal.files import file_hash, write_json
from unequal.progress import Progress
from unequal.study.step import Step
from unequal.unlearning.targets import check_relation

PLACES = {"file", "files", "patterns"}


class FactsStep(Step):
    """From fact tables, on this machine or the hub, to one; ``content`` says what the files hold."""

    kind: ClassVar[str] = "facts"

    facts: FactsSettings
    content: tuple[str, ...]
    wanted: tuple[str, ...] = Field(default=(), exclude=True)  # relations of targets: a typo is told early

    @classmethod
    def of(cls, facts: FactsSettings, wanted: tuple[str, ...]) -> Self:
        """Return the step; raises `ConfigError` when a file cannot be read."""
        try:
            content = [table.content() for table in facts.tables]
            content += [file_hash(path) for path in facts.wordings]
        except OSError as error:
            raise ConfigError(f"facts: cannot read {error.filename}: {error.strerror or error}") from error
        return cls(facts=facts, content=tuple(content), wanted=wanted)

    @field_serializer("facts")
    def _without_places(self, facts: FactsSettings) -> dict[str, Any]:
        """Return the settings without the places of files, on which nothing depends but their content."""
        settings = facts.model_dump(mode="json", exclude={"wordings", "tables"})
        tables = [
            {**table.model_dump(mode="json", exclude=PLACES), "name": table.label} for table in facts.tables
        ]
        return {**settings, "tables": tables}

    @property
    def name(self) -> str:
        """Return the names of the tables."""
        return "-".join(table.label for table in self.facts.tables)[:60]

    @property
    def cost(self) -> float:
        """A few seconds."""
        return 3.0

    def execute(self, study: Path, folder: Path, progress: Progress) -> None:  # noqa: ARG002  has no inputs
        """Write ``facts.parquet``, and what was left out of each table into ``facts.json``."""
        if any(table.hub for table in self.facts.tables) and find_spec("datasets"):
            from datasets import disable_progress_bars

            disable_progress_bars()
        found = gather_facts(self.facts)
        for relation in self.wanted:
            check_relation(found.facts, relation)
        write_facts(found.facts, folder / "facts.parquet")
        write_json(folder / "facts.json", {"left_out": found.dropped, "notes": found.notes})
