"""Take from real text what is to be trained on: the parts that name facts, and some others."""

from pathlib import Path
from typing import Any, ClassVar, Self

from pydantic import Field, field_serializer

from unequal.corpus.extract_text import TextSettings
from unequal.counting.scan.shards import content_id, find_shards
from unequal.facts.packaged import resolve_corpus
from unequal.facts.table import read_facts
from unequal.files import write_json
from unequal.progress import Progress
from unequal.study.step import Step
from unequal.study.steps.facts import FactsStep

SETTING = "text.corpus"
TOKENS_A_BYTE = 0.3
SHARE_NAMING_FACTS = 0.02  # of sentences, with a few hundred facts of the world's countries


class TextStep(Step):
    """From shards of text to training documents; ``content`` says what the shards hold."""

    kind: ClassVar[str] = "text"

    facts: FactsStep
    text: TextSettings
    content: str
    n_bytes: int = Field(default=0, exclude=True)

    @classmethod
    def of(cls, facts: FactsStep, text: TextSettings) -> Self:
        """Return the step; raises `DataError` when no shard matches."""
        corpus = resolve_corpus(text.corpus)
        n_bytes = sum(shard.size for shard in find_shards(corpus, SETTING))
        return cls(facts=facts, text=text, content=content_id(corpus), n_bytes=n_bytes)

    @field_serializer("text")
    def _without_place(self, text: TextSettings) -> dict[str, Any]:
        return text.model_dump(mode="json", exclude={"corpus"})

    @property
    def name(self) -> str:
        """Return what is kept."""
        return self.text.keep

    @property
    def inputs(self) -> tuple[str, ...]:
        """The facts that text must name."""
        return (self.facts.folder,)

    @property
    def file(self) -> str:
        """The documents, relative to the study."""
        return f"{self.folder}/text.jsonl.zst"

    @property
    def n_tokens(self) -> float:
        """Estimated tokens of the documents; text is taken to be packed to a third."""
        share = 1.0 if self.text.keep == "documents" else SHARE_NAMING_FACTS + self.text.others
        return 3 * self.n_bytes * TOKENS_A_BYTE * min(1.0, share)

    @property
    def cost(self) -> float:
        """About four megabytes of text a second."""
        return 2 + 3 * self.n_bytes / 4e6

    @property
    def memory(self) -> float:
        """On top of the libraries, the blocks of text that are searched."""
        return super().memory + 0.04

    @property
    def disk(self) -> float:
        """About two bytes a token in packed text."""
        return 2 * self.n_tokens / 1e9

    def execute(self, study: Path, folder: Path, progress: Progress) -> None:
        """Write ``text.jsonl.zst``, and what became of all pieces of text into ``text.json``."""
        from unequal.corpus.extract_text import extract_text

        facts = read_facts(study / self.facts.folder / "facts.parquet")
        card = extract_text(self.text, facts, study / self.file, progress)
        write_json(folder / "text.json", card.model_dump())
