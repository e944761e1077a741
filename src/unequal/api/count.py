"""Count facts in a corpus."""

import tempfile
from pathlib import Path
from typing import Any

import polars as pl

from unequal.api.facts import Facts, read_facts
from unequal.config import build


def count(facts: Any, corpus: str, *, window: int = 100, **settings: Any) -> pl.DataFrame:
    """Return how often each fact occurs in a corpus, one row a fact.

    ``corpus`` is a glob of shards (.jsonl, .parquet and others), or ``factbook`` for the packaged text;
    ``window`` is the largest distance of subject and object in words. Other settings are those of
    ``unequal count``, such as ``engine="infinigram-api"``.
    Columns: ``fact_id``; ``subject_count`` and ``object_count``, occurrences of each alone; ``docs_both``,
    documents with both; ``docs_window`` and ``pairs_window``, documents and pairs within the window; and how
    it was counted (``engine``, ``corpus_id``, ``definition``, …).
    """
    from unequal.counting import COUNTERS
    from unequal.counting.run import count_facts
    from unequal.files import write_table

    model = COUNTERS.get(settings.get("engine", "scan"))
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / "facts.parquet"
        write_table(Facts(read_facts(facts)).table, table)
        given = {"facts": table, "corpus": corpus, "window": window, "out": Path(folder) / "counts.parquet"}
        chosen = build(model, {"engine": "scan", **given, **settings}, "count")
        return count_facts(chosen, chosen.build())[1]
