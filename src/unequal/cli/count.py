"""``unequal count``."""

from typing import TYPE_CHECKING, Any

from unequal.cli.flags import takes
from unequal.console import progress_bar, say, show_table
from unequal.counting import COUNTERS
from unequal.counting.protocol import NUMBERS, CountSettings, ranked_by
from unequal.counting.run import count_facts

if TYPE_CHECKING:
    import polars as pl

MOST_FREQUENT = 5


@takes(COUNTERS, by="engine")
def count(settings: CountSettings) -> None:
    """Count how often facts occur in a corpus."""
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
