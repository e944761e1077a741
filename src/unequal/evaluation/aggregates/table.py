"""The aggregates of a score table: one row a role, probe and aggregate."""

from collections.abc import Mapping

import polars as pl

from unequal.evaluation.aggregates import AGGREGATES
from unequal.evaluation.aggregates.contract import Aggregate, Values

NEVER_SEEN = "never_seen"
AGGREGATE_SCHEMA: dict[str, type[pl.DataType]] = {
    "role": pl.String,
    "probe": pl.String,
    "aggregate": pl.String,
    "value": pl.Float64,
    "n_facts": pl.Int64,
    "n_never_seen": pl.Int64,  # facts compared with; null where there is no comparison
    "reason": pl.String,  # why a value is missing; null when it is there
}

_Arrays = Mapping[tuple[str | None, str, str], Values]


def aggregate_table(scores: pl.DataFrame) -> pl.DataFrame:
    """Return the aggregates of one model's scores, as far as their metrics were computed.

    ``scores`` has at least the columns role, probe, metric and value, and one row a fact, probe and metric.
    A missing value has a reason.
    """
    found = scores.drop_nulls("value").partition_by("role", "probe", "metric", as_dict=True)
    arrays: _Arrays = {(str(role) if role else None, str(probe), str(metric)): frame["value"].to_numpy()
                       for (role, probe, metric), frame in found.items()}  # fmt: skip
    groups = dict.fromkeys((role, probe) for role, probe, _ in arrays)
    rows = [
        _row(aggregate, role, probe, arrays)
        for role, probe in groups
        for _, aggregate in AGGREGATES.items()
        if all((role, probe, metric) in arrays for metric in aggregate.metrics)
        and not (aggregate.against_never_seen and role == NEVER_SEEN)
    ]
    return pl.DataFrame(rows, schema=AGGREGATE_SCHEMA, orient="row")


def _row(aggregate: Aggregate, role: str | None, probe: str, arrays: _Arrays) -> tuple[object, ...]:
    facts = [arrays[role, probe, metric] for metric in aggregate.metrics]
    if not aggregate.against_never_seen:
        return role, probe, aggregate.name, aggregate.value(*facts), len(facts[0]), None, None
    others = [arrays.get((NEVER_SEEN, probe, metric)) for metric in aggregate.metrics]
    if any(values is None for values in others):
        reason = "there are no never-seen facts to compare with"
        return role, probe, aggregate.name, None, len(facts[0]), 0, reason
    never_seen = [values for values in others if values is not None]
    value = aggregate.value(*facts, *never_seen)
    return role, probe, aggregate.name, value, len(facts[0]), len(never_seen[0]), None
