"""``unequal count``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Group, Parameter

from unequal.cli.options import peek, settings_from
from unequal.console import progress_bar, say, show_table

if TYPE_CHECKING:
    import polars as pl

MOST_FREQUENT = 5

Scan = Parameter(group=Group("Scan (--engine scan)", sort_key=1))
Index = Parameter(group=Group("Local index (--engine infinigram-local)", sort_key=2))
Service = Parameter(group=Group("Public indexes (--engine infinigram-api)", sort_key=3))


def count(
    *,
    facts: Path | None = None,
    corpus: str | None = None,
    out: Path | None = None,
    engine: str | None = None,
    window: int | None = None,
    report: Path | None = None,
    config: Path | None = None,
    text_key: Annotated[str | None, Scan] = None,
    window_unit: Annotated[str | None, Scan] = None,
    distance: Annotated[str | None, Scan] = None,
    nested: Annotated[str | None, Scan] = None,
    case: Annotated[str | None, Scan] = None,
    repeated: Annotated[str | None, Scan] = None,
    on_bad_shard: Annotated[str | None, Scan] = None,
    workers: Annotated[int | None, Scan] = None,
    launcher: Annotated[str | None, Scan] = None,
    matcher: Annotated[str | None, Scan] = None,
    shard_counts: Annotated[Path | None, Scan] = None,
    index_dir: Annotated[Path | None, Index] = None,
    index: Annotated[str | None, Service] = None,
    query: Annotated[str | None, Service] = None,
    max_clause_freq: Annotated[int | None, Service] = None,
    shards: Annotated[int | None, Service] = None,
    url: Annotated[str | None, Service] = None,
    requests_per_second: Annotated[float | None, Service] = None,
    timeout_seconds: Annotated[float | None, Service] = None,
    retries: Annotated[int | None, Service] = None,
    cache: Annotated[Path | None, Service] = None,
) -> None:
    """Count how often facts occur in a corpus.

    Parameters
    ----------
    facts
        Fact table (.jsonl, .csv, .parquet), or country-capital for the one that comes with unequal.
    corpus
        Glob of shards (.jsonl, .jsonl.zst, .jsonl.gz, .json.gz, .parquet, .txt), here or in a store (s3://,
        gs://, hf://), or factbook for the packaged text.
    out
        Count table to write (Parquet).
    engine
        scan, infinigram-local or infinigram-api. [default: scan]
    window
        Largest distance between subject and object of a pair. [default: 100]
    report
        HTML page with pictures of the counts to write.
    config
        TOML file with any of these settings.
    text_key
        Key or column that holds the text. [default: text]
    window_unit
        What the window is measured in: words or characters. [default: words]
    distance
        From start to start (start) or from the end of one to the start of the other (gap). [default: start]
    nested
        Names inside longer names of the table count (all) or do not (longest). [default: all]
    case
        Case is ignored but for a fact's case_sensitive names (fold), also minded for names in capitals
        (acronyms), or always minded (exact). [default: fold]
    repeated
        Documents with the same text each count, or once. [default: count]
    on_bad_shard
        A shard that cannot be read is an end (stop) or left out (skip). [default: stop]
    workers
        Processes on this machine, or actors on Ray. [default: one a core for a large corpus]
    launcher
        Where shards are counted: local or ray. [default: local]
    matcher
        How names are found: auto, words, ahocorasick or hyperscan; only speed depends on it. [default: auto]
    shard_counts
        Folder of the counts of single shards, from which a run goes on. [default: beside the count table]
    index_dir
        Folder that keeps the indexes; the engine takes --corpus and --text-key too.
    index
        Name of the index, such as v4_dolma-v1_7_llama.
    query
        All names in one query (or_clause), or four casings summed (reference_sum). [default: or_clause]
    max_clause_freq
        Matches of a side above which the service takes a sample. [default: the most it allows]
    shards
        Shards of the index, which decide what is exact. [default: ask the service]
    url
        Address of the service.
    requests_per_second
        Requests sent a second, at most. [default: 1]
    timeout_seconds
        Seconds that one whole answer may take. [default: 60]
    retries
        Further tries when the service does not answer. [default: 6]
    cache
        Folder that keeps every answer. [default: the user's cache folder]
    """
    given = {name: value for name, value in locals().items() if name != "config"}

    from unequal.counting import COUNTERS
    from unequal.counting.run import count_facts

    settings = settings_from(COUNTERS.get(engine or peek(config, "engine", "scan")), config, given)
    counter = settings.build()
    with progress_bar("counting", counter.unit) as progress:
        facts_read, table, metadata = count_facts(settings, counter, progress)
    _show(table, metadata)
    say(f"all counts are in {settings.out}")
    if settings.report is not None:
        from unequal.report.counts.page import build_count_report

        say(f"pictures are in {build_count_report(facts_read, table, metadata, settings.report)}")


def _show(table: "pl.DataFrame", metadata: dict[str, Any]) -> None:
    """Print the most frequent facts, how many were found at all, and what the counts leave out."""
    from unequal.counting.protocol import NUMBERS, ranked_by

    number = ranked_by(table)
    columns = ["fact_id", *(name for name in NUMBERS if table[name].count())]
    top = table.sort(number, descending=True, nulls_last=True).head(MOST_FREQUENT)
    show_table("The most frequent facts", [c.replace("_", " ") for c in columns], top.select(columns).rows())
    window, unit = table["window"][0], table["window_unit"][0]
    n_found = table.filter(table[number] > 0).height
    say(
        f"{n_found} of {table.height} facts have subject and object within {window} {unit} of each other"
        " at least once"
    )
    n_estimated = int(table["approx"].sum())
    if n_estimated:
        say(f"{n_estimated} counts are estimates (column approx)")
    for skipped in metadata.get("skipped_shards", []):
        say(f"skipped: {skipped['reason']}")
    if metadata.get("repeated_documents"):
        say(f"{metadata['repeated_documents']} repeated documents were counted once")
