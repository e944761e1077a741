"""The study's factors in one table, beside the score table: which fact had which level in which corpus."""

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from unequal.analysis.factors.rows import CROSSED
from unequal.files import write_table
from unequal.study.step import Step
from unequal.study.steps.corpus import CorpusStep

KEY = ["pretrain_seed", "wording", "fact_id"]


def collect_factors(steps: Sequence[Step], out: Path) -> None:
    """Write ``factors.parquet``, the corpora's ledgers with `KEY`; none where no factors are crossed."""
    tables = [
        pl.read_parquet(out / step.folder / "data" / "ledger.parquet").with_columns(
            pretrain_seed=pl.lit(step.corpus.seed, pl.Int64), wording=pl.lit(step.corpus.wording)
        )
        for step in steps
        if isinstance(step, CorpusStep) and step.corpus.factors and step.is_done(out)
    ]
    path = out / CROSSED
    if not tables:
        path.unlink(missing_ok=True)
        return
    whole = pl.concat(tables).unique(KEY, keep="first", maintain_order=True)
    write_table(whole.select(*KEY, pl.exclude(KEY)).sort(KEY), path)
