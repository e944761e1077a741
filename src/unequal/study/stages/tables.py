"""The score and generation tables that a single stage writes, with the columns that describe its run."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from unequal.checksums import CHECKSUM_FILE, write_file_checksums
from unequal.evaluation.general_table import GENERAL_SCHEMA
from unequal.evaluation.score_table import GENERATION_SCHEMA, OPTIONAL_SCORES, SCORE_SCHEMA
from unequal.files import write_table
from unequal.models.compute_settings import Precision, master_weights

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from unequal.evaluation.evaluate import Tables

UNDESCRIBED = {"weighting": "uniform", "target": "mixed", "wording": "unknown", "pretrain_seed": 0, "seed": 0}
FILES = ("scores.parquet", "generations.parquet", "general.parquet")


def of_model(model: "PreTrainedModel") -> dict[str, Any]:
    """Return the columns that describe a model: family, size and number of parameters."""
    from unequal.models.quantised import n_weights

    n_params = n_weights(model)
    return {
        "family": model.config.model_type,
        "size": f"{n_params / 1e6:.3g}M",
        "n_params": n_params,
    }


def of_precision(precision: Precision) -> dict[str, Any]:
    """Return the column of the precision of the parameters, none where all was float32."""
    return {} if precision == "fp32" else {"precision": master_weights(precision)}


def write_tables(found: Mapping[int, "Tables"], folder: Path, columns: Mapping[str, Any]) -> None:
    """Write ``scores.parquet`` and ``generations.parquet`` of tables by step, sealed.

    ``general.parquet`` is written where general utility was measured.
    """
    (folder / CHECKSUM_FILE).unlink(missing_ok=True)  # until the tables are those that it is to be of
    described = UNDESCRIBED | dict(columns)
    literals = {name: pl.lit(value) for name, value in described.items()}
    scores = pl.concat([tables.scores.with_columns(step=step) for step, tables in found.items()])
    scores = scores.with_columns(**literals)
    absent = [pl.lit(None).alias(name) for name in SCORE_SCHEMA if name not in scores.columns]
    typed = [pl.col(name).cast(kind) for name, kind in SCORE_SCHEMA.items()]
    more = [name for name in OPTIONAL_SCORES if name in described]
    write_table(scores.with_columns(absent).select(*typed, *more), folder / "scores.parquet")
    texts = pl.concat([tables.generations.with_columns(step=step) for step, tables in found.items()])
    typed = [pl.col(name).cast(kind) for name, kind in GENERATION_SCHEMA.items()]
    texts = texts.with_columns(run_id=literals["run_id"]).select(typed)
    write_table(texts, folder / "generations.parquet")
    general = pl.concat([tables.general.with_columns(step=step) for step, tables in found.items()])
    if general.is_empty():
        (folder / "general.parquet").unlink(missing_ok=True)
    else:
        described_general = general.select(
            literals["run_id"].alias("run_id"), pl.col("step").cast(pl.Int64), *GENERAL_SCHEMA
        )
        write_table(described_general, folder / "general.parquet")
    write_file_checksums(folder, FILES)
