"""Settings of the streaming scan."""

from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from unequal.counting.characters import Spelling
from unequal.counting.protocol import Counter, CountSettings
from unequal.counting.scan.definition import Case, Definition, Distance, Nested, WindowUnit
from unequal.facts.packaged import resolve_corpus


class ScanSettings(CountSettings):
    """Settings of the scan over the shards that match a glob."""

    running: ClassVar[frozenset[str]] = CountSettings.running | {
        "corpus", "matcher", "launcher", "workers", "shard_counts",
    }  # fmt: skip

    engine: Literal["scan"] = Field(default="scan", description="counting engine; see: unequal list engines")
    corpus: str = Field(
        min_length=1,
        description="glob of shards (.jsonl, .jsonl.zst, .jsonl.gz, .json.gz, .parquet, .txt), here or in a"
        " store (s3://, gs://, hf://), or factbook, the packaged text",
    )
    text_key: str = Field(default="text", min_length=1, description="key or column that holds the text")
    window_unit: WindowUnit = Field(default="words", description="unit of the window")
    distance: Distance = Field(
        default="start",
        description="distance of two names: from start to start (start), or from the end of one to the"
        " start of the other (gap)",
    )
    nested: Nested = Field(
        default="all", description="whether names inside longer names count (all) or not (longest)"
    )
    case: Case = Field(
        default="fold",
        description="whether case is ignored except in a fact's case_sensitive names (fold), also minded in"
        " names in capitals (acronyms), or always minded (exact)",
    )
    spelling: Spelling = Field(
        default="loose",
        description="whether all dashes are alike, and all apostrophes (loose), or count as written (exact)",
    )
    repeated: Literal["count", "once"] = Field(
        default="count",
        description="whether documents with the same text each count (count) or only the first (once)",
    )
    on_bad_shard: Literal["stop", "skip"] = Field(
        default="stop", description="what to do at a shard that cannot be read"
    )
    matcher: Literal["auto", "words", "ahocorasick", "hyperscan"] = Field(
        default="auto",
        description="how names are found, which changes speed only; see: unequal list matchers",
    )
    launcher: Literal["local", "ray"] = Field(
        default="local",
        description="where shards are counted: on this machine (local) or on a Ray cluster (ray)",
    )
    workers: Annotated[int, Field(ge=1)] | None = Field(
        default=None,
        description="processes on this machine, or actors on Ray; by default one per core for a large corpus",
    )
    shard_counts: Path | None = Field(
        default=None,
        description="folder of the counts of single shards, from which a run continues; by default beside"
        " the count table",
    )

    def build(self) -> Counter:
        """Return the scan."""
        from unequal.counting.matching import choose_matcher
        from unequal.counting.scan.counter import ScanCounter, ScanOptions
        from unequal.ray_cluster import load_ray

        choose_matcher(self.matcher, 1)  # what is missing is said before any work
        if self.launcher == "ray":
            load_ray("counting on Ray")
        choices = ("window", "window_unit", "distance", "nested", "case", "spelling", "repeated", "text_key")
        running = ScanOptions(
            matcher=self.matcher,
            launcher=self.launcher,
            workers=self.workers,
            store=self.shard_counts or self.out.with_name(f"{self.out.name}.shards"),
            on_bad_shard=self.on_bad_shard,
        )
        definition = Definition(**{choice: getattr(self, choice) for choice in choices})
        return ScanCounter(resolve_corpus(self.corpus), definition, running)
