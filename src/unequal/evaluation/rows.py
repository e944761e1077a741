"""From records to rows: metrics are computed column by column, and wordings of one probe are averaged."""

import math
from collections.abc import Sequence

import polars as pl

from unequal.evaluation.metrics.contract import Metric, NoValueError, ProbeRecord
from unequal.evaluation.score_table import GENERATION_SCHEMA, SCORE_SCHEMA
from unequal.facts.probes import Probe
from unequal.facts.schema import Fact

FACT_COLUMNS = ("fact_id", "subject", "relation", "role", "exposure", "count")
ROW_COLUMNS = (*FACT_COLUMNS, "probe", "metric", "kind", "value", "reason")

_CELL_SCHEMA: dict[str, type[pl.DataType]] = {"cell": pl.UInt32, "value": pl.Float64, "reason": pl.String}
_EMPTY = pl.DataFrame(schema={"metric": pl.UInt32, **_CELL_SCHEMA})


class ScoreRows:
    """The columns that describe facts and probes, gathered once for all metrics and steps."""

    def __init__(self, facts: Sequence[Fact], probes: Sequence[Probe]) -> None:
        self._probes = probes
        of_id = {fact.fact_id: fact for fact in facts}
        cells = {(probe.fact_id, probe.kind): None for probe in probes}
        places = {cell: place for place, cell in enumerate(cells)}
        self._cells = [places[probe.fact_id, probe.kind] for probe in probes]
        columns = {name: [getattr(of_id[fact_id], name) for fact_id, _ in cells] for name in FACT_COLUMNS} | {
            "probe": [kind for _, kind in cells]
        }
        self._columns = pl.DataFrame(columns, schema={name: SCORE_SCHEMA[name] for name in columns})

    def scores(self, metrics: Sequence[Metric], records: Sequence[ProbeRecord]) -> pl.DataFrame:
        """Return one row a metric, fact and probe: the mean over wordings, where there are several."""
        names = pl.Series("metric", [metric.name for metric in metrics], dtype=pl.String)
        kinds = pl.Series("kind", [metric.kind for metric in metrics], dtype=pl.String)
        means = pl.concat(
            [_EMPTY, *(self._of_metric(place, metric, records) for place, metric in enumerate(metrics))]
        )
        described = self._columns[means["cell"]]
        return described.with_columns(
            names.gather(means["metric"]), kinds.gather(means["metric"]), means["value"], means["reason"]
        ).select(ROW_COLUMNS)

    def _of_metric(self, place: int, metric: Metric, records: Sequence[ProbeRecord]) -> pl.DataFrame:
        judged = [index for index, probe in enumerate(self._probes) if metric.judges(probe)]
        found = [_value_or_reason(metric, records[index]) for index in judged]
        columns = {
            "cell": [self._cells[index] for index in judged],
            "value": [value for value, _ in found],
            "reason": [reason for _, reason in found],
        }
        rows = pl.DataFrame(columns, schema=_CELL_SCHEMA)
        means = rows.group_by("cell", maintain_order=True).agg(
            pl.col("value").mean(), pl.col("reason").drop_nulls().first()
        )
        return means.select(
            pl.lit(place, pl.UInt32).alias("metric"),
            "cell",
            "value",
            pl.when(pl.col("value").is_null()).then("reason").alias("reason"),
        )


def _value_or_reason(metric: Metric, record: ProbeRecord) -> tuple[float | None, str | None]:
    try:
        value = metric.value(record)
    except NoValueError as error:
        return None, str(error)
    if value is not None and math.isinf(value):
        return None, "beyond every number"  # no mean can be taken of infinity
    return value, None


def generation_rows(records: Sequence[ProbeRecord]) -> pl.DataFrame:
    """Return the rows of the generation table, one for each record with a text."""
    rows = [
        {
            "fact_id": record.probe.fact_id,
            "probe": record.probe.kind,
            "prompt": record.probe.shown,
            "answer": record.probe.answer,
            "generation": record.generation,
        }
        for record in records
        if record.generation is not None
    ]
    return pl.DataFrame(
        rows,
        schema={name: kind for name, kind in GENERATION_SCHEMA.items() if name not in ("run_id", "step")},
    )
