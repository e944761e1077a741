"""The facts of a study, from own, packaged or public tables, completed and checked."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import Field, field_validator, model_validator

from unequal.errors import did_you_mean
from unequal.facts.complete import with_distractors
from unequal.facts.fictitious import fictitious_facts
from unequal.facts.importers import IMPORTERS
from unequal.facts.importers.run import import_facts
from unequal.facts.importers.source import file_source, hub_source
from unequal.facts.names import name_key
from unequal.facts.packaged import FACTS_NAME, packaged_facts
from unequal.facts.reverse import reverse_facts
from unequal.facts.schema import Fact
from unequal.facts.table import read_facts
from unequal.facts.wordings import read_wordings, with_held_out_wordings
from unequal.files import file_hash
from unequal.seeds import random_stream
from unequal.strict import MOST, PathOrName, PositiveInt, Seed, StrictModel

ONE_NAME = "one name is both subject and object"
ONE_QUESTION = "its question has another answer too"
NOT_DRAWN = "not drawn"


class FactTable(StrictModel):
    """Settings of one fact table: a file, or a public set from its files or the hub."""

    file: Path | None = Field(default=None, description="fact table, or the packaged 'country-capital'")
    set: str | None = Field(default=None, description="a public set, as in: unequal facts import")
    files: tuple[Path, ...] = Field(default=(), description="files of the set")
    hub: PathOrName | None = Field(default=None, description="data set of the set: name[:config[:split]]")
    revision: str | None = Field(default=None, description="commit, tag or branch of the data set")
    patterns: Path | None = Field(default=None, description="statement patterns, for pararel")
    relations: tuple[str, ...] = Field(default=(), description="only these, as the set names them")
    skip_bad: bool = Field(default=False, description="leave out rows that cannot be read")
    name: str | None = Field(default=None, description="what targets call it; by default its set or file")
    most: Annotated[int, Field(ge=1)] | None = Field(default=None, description="facts to draw of it")
    reverse: bool = Field(
        default=False,
        description="ask for the subjects, given the objects",
    )

    @field_validator("set")
    @classmethod
    def _known(cls, name: str | None) -> str | None:
        if name is not None and name not in IMPORTERS:
            hint = did_you_mean(name, IMPORTERS)
            raise ValueError(f"unknown fact set '{name}'{hint} (known: {', '.join(IMPORTERS)})")
        return name

    @model_validator(mode="after")
    def _one_source(self) -> "FactTable":
        if (self.file is None) == (self.set is None):
            raise ValueError("give either file (a fact table) or set (a public set) with files or hub")
        if self.set is not None and bool(self.files) == (self.hub is not None):
            raise ValueError(f"set '{self.set}' comes from files or from hub; give one of them")
        if self.file is not None and (self.files or self.hub or self.patterns):
            raise ValueError("files, hub and patterns belong to a set; a fact table has its file alone")
        return self

    @property
    def label(self) -> str:
        """The name of the table in targets."""
        return self.name or self.set or (self.file.stem if self.file else "")

    def places(self) -> list[Path]:
        """Return the local files of the table."""
        if self.file is not None:
            return [packaged_facts() if str(self.file) == FACTS_NAME else self.file]
        return [*self.files, *([self.patterns] if self.patterns else [])]

    def content(self) -> str:
        """Return an identity of the table's content: hashes of its files, or its hub name.

        Raises `OSError` when a file cannot be read.
        """
        return " ".join(file_hash(path) for path in self.places()) or f"{self.hub}@{self.revision or ''}"

    def read(self) -> tuple[list[Fact], Counter[str], list[str]]:
        """Return the facts, the excluded rows by reason, and notes; raises `DataError`."""
        if self.set is None:
            return read_facts(self.places()[0]), Counter(), []
        sources = (
            [hub_source(self.hub, self.revision)] if self.hub else [file_source(path) for path in self.files]
        )
        patterns = file_source(self.patterns) if self.patterns else None
        found = import_facts(self.set, sources, patterns, self.relations, self.skip_bad)
        return found.facts, found.dropped, found.notes


class FactsSettings(StrictModel):
    """Settings of the facts of a study: its tables, and how to complete them."""

    tables: tuple[FactTable, ...] = Field(
        min_length=1, description="fact tables: a path, or a table with path, name and more"
    )
    wordings: tuple[Path, ...] = Field(
        default=(), description="files of wordings of relations, beside those that come with the package"
    )
    n_distractors: PositiveInt = Field(
        default=7, description="wrong answers of the same relation for facts whose table has none"
    )
    made_up: Annotated[int, Field(ge=0, le=MOST)] = Field(
        default=0, description="never-seen facts about invented subjects, for each table"
    )
    seed: Seed = Field(default=0, description="seed of made-up facts and wrong answers")

    @field_validator("tables")
    @classmethod
    def _distinct(cls, tables: tuple[FactTable, ...]) -> tuple[FactTable, ...]:
        labels = [table.label for table in tables]
        twice = sorted({label for label in labels if labels.count(label) > 1})
        if twice:
            raise ValueError(f"two tables are called '{twice[0]}'; give one of them another name")
        return tables


@dataclass(frozen=True)
class Gathered:
    """Facts with their table as ``fact_table``, and the excluded rows and notes by table."""

    facts: list[Fact]
    dropped: dict[str, Counter[str]]
    notes: dict[str, list[str]]


def gather_facts(settings: FactsSettings) -> Gathered:
    """Return the facts of all tables, completed and checked.

    Excluded are facts whose subject and object have the same name, since any mention would count as a pair,
    and facts whose question has several answers. Missing columns are filled in: distractors from the objects
    of the same relation, held-out wordings where the relation has any. Fictitious facts are added. Raises
    `DataError` or `ConfigError` for a table that cannot be read.
    """
    wordings = read_wordings(settings.wordings)
    facts: list[Fact] = []
    dropped: dict[str, Counter[str]] = {}
    notes: dict[str, list[str]] = {}
    taken: set[str] = set()
    for table in settings.tables:
        read, left_out, notes[table.label] = table.read()
        kept = _sound(reverse_facts(read, left_out) if table.reverse else read, left_out)
        if table.most is not None and table.most < len(kept):
            left_out[NOT_DRAWN] += len(kept) - table.most
            drawn = random_stream(settings.seed, "draw", table.label).sample(range(len(kept)), table.most)
            kept = [kept[place] for place in sorted(drawn)]
        kept = [with_held_out_wordings(fact, wordings) for fact in kept]
        kept = with_distractors(kept, settings.n_distractors, settings.seed)
        kept += fictitious_facts(kept, settings.made_up, settings.seed)
        facts += _named(kept, table.label, taken)
        dropped[table.label] = left_out
    return Gathered(facts, dropped, notes)


def _sound(facts: Sequence[Fact], dropped: Counter[str]) -> list[Fact]:
    """Return the facts that can be counted and evaluated; ``dropped`` counts the others."""
    answers: Mapping[str, set[str]] = defaultdict(set)
    for fact in facts:
        answers[fact.question].add(name_key(fact.answer))
    kept = []
    for fact in facts:
        if name_key(fact.subject) == name_key(fact.object):
            dropped[ONE_NAME] += 1
        elif len(answers[fact.question]) > 1:
            dropped[ONE_QUESTION] += 1
        else:
            kept.append(fact)
    return kept


def _named(facts: Sequence[Fact], label: str, taken: set[str]) -> list[Fact]:
    """Return the facts with the name of their table and ids that are unique over all tables."""
    named = []
    for fact in facts:
        fact_id = fact.fact_id if fact.fact_id not in taken else f"{label}:{fact.fact_id}"
        taken.add(fact_id)
        named.append(fact.model_copy(update={"fact_id": fact_id, "fact_table": label}))
    return named
