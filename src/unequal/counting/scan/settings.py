"""What the streaming scan counts, where, and how."""

from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from unequal.counting.characters import Spelling
from unequal.counting.protocol import Counter, CountSettings
from unequal.counting.scan.definition import Case, Definition, Distance, Nested, WindowUnit
from unequal.facts.packaged import resolve_corpus


class ScanSettings(CountSettings):
    """The streaming scan over the shards that match a glob."""

    running: ClassVar[frozenset[str]] = CountSettings.running | {
        "corpus", "matcher", "launcher", "workers", "shard_counts",
    }  # fmt: skip

    engine: Literal["scan"] = "scan"
    corpus: str = Field(min_length=1, description="glob of shards, or the packaged 'factbook'")
    text_key: str = Field(default="text", min_length=1, description="key or column that holds the text")
    window_unit: WindowUnit = "words"
    distance: Distance = Field(default="start", description="from start to start, or the gap between")
    nested: Nested = Field(default="all", description="count names inside longer names, or only the longest")
    case: Case = Field(default="fold", description="which names count only as written")
    spelling: Spelling = Field(
        default="loose", description="dashes alike and apostrophes alike, or as written"
    )
    repeated: Literal["count", "once"] = Field(default="count", description="documents with the same text")
    on_bad_shard: Literal["stop", "skip"] = "stop"
    matcher: Literal["auto", "words", "ahocorasick", "hyperscan"] = "auto"
    launcher: Literal["local", "ray"] = "local"
    workers: Annotated[int, Field(ge=1)] | None = Field(default=None, description="by default one a core")
    shard_counts: Path | None = Field(
        default=None, description="folder for the counts of single shards; by default beside the table"
    )

    def build(self) -> Counter:
        """Return the scan."""
        from unequal.counting.matching import choose_matcher
        from unequal.counting.scan.counter import Running, ScanCounter
        from unequal.ray_cluster import load_ray

        choose_matcher(self.matcher, 1)  # what is missing is said before any work
        if self.launcher == "ray":
            load_ray("counting on Ray")
        choices = ("window", "window_unit", "distance", "nested", "case", "spelling", "repeated", "text_key")
        running = Running(
            matcher=self.matcher,
            launcher=self.launcher,
            workers=self.workers,
            store=self.shard_counts or self.out.with_name(f"{self.out.name}.shards"),
            on_bad_shard=self.on_bad_shard,
        )
        definition = Definition(**{choice: getattr(self, choice) for choice in choices})
        return ScanCounter(resolve_corpus(self.corpus), definition, running)
