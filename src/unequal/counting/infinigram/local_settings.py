"""Settings of the local infini-gram index."""

from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field

from unequal.counting.protocol import Counter, CountSettings
from unequal.errors import MissingExtraError
from unequal.facts.packaged import resolve_corpus


class LocalSettings(CountSettings):
    """Settings of a suffix-array index of the shards that match a glob, built once for all queries."""

    running: ClassVar[frozenset[str]] = CountSettings.running | {"corpus", "index_dir"}

    engine: Literal["infinigram-local"] = Field(
        default="infinigram-local", description="counting engine; see: unequal list engines"
    )
    corpus: str = Field(min_length=1, description="glob of shards, or factbook, the packaged text")
    text_key: str = Field(default="text", min_length=1, description="key or column that holds the text")
    index_dir: Path = Field(
        description="folder that keeps the indexes, each 1.5 to 2 times the size of its text"
    )

    def build(self) -> Counter:
        """Return the engine; raises `MissingExtraError` when the package infini-gram cannot be imported."""
        try:
            from unequal.counting.infinigram.local import LocalCounter
        except ImportError as error:
            raise MissingExtraError(f"--engine {self.engine}", "infinigram") from error
        return LocalCounter(
            corpus=resolve_corpus(self.corpus),
            window=self.window,
            index_dir=self.index_dir,
            text_key=self.text_key,
        )
