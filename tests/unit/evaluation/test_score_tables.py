"""Score and generation tables are read with all their columns or refused with a reason."""

import polars as pl
import pytest

from unequal.errors import DataError
from unequal.evaluation.score_table import (
    GENERATION_SCHEMA,
    SCORE_KEY,
    SCORE_SCHEMA,
    read_generations,
    read_scores,
)

TABLES = [(read_scores, SCORE_SCHEMA), (read_generations, GENERATION_SCHEMA)]


@pytest.mark.parametrize(("read", "schema"), TABLES)
def test_a_table_comes_back_in_the_order_of_the_schema(read, schema, tmp_path):
    frame = pl.DataFrame(schema=dict(reversed(schema.items())) | {"more": pl.Int64})
    frame.write_parquet(tmp_path / "[1].parquet")
    assert read(tmp_path / "[1].parquet").schema == pl.Schema(schema)


@pytest.mark.parametrize(("read", "schema"), TABLES)
def test_a_missing_column_is_named(read, schema, tmp_path):
    frame = pl.DataFrame(schema=schema).drop("fact_id", "step")
    frame.write_parquet(tmp_path / "t.parquet")
    with pytest.raises(DataError, match=r"t\.parquet lacks the column .*(step|fact_id), (step|fact_id)"):
        read(tmp_path / "t.parquet")


@pytest.mark.parametrize(("read", "schema"), TABLES)
def test_what_cannot_be_read_is_a_data_error(read, schema, tmp_path):
    with pytest.raises(DataError, match=r"cannot read .*none\.parquet: No such file"):
        read(tmp_path / "none.parquet")
    (tmp_path / "broken.parquet").write_bytes(b"not a table")
    with pytest.raises(DataError, match=r"broken\.parquet is not a readable Parquet file") as caught:
        read(tmp_path / "broken.parquet")
    assert "\n" not in str(caught.value)


def test_the_key_is_made_of_columns():
    assert set(SCORE_KEY) < set(SCORE_SCHEMA)
