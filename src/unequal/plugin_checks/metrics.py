"""Contract tests of a metric: what it says of itself holds, and it tells knowing from not knowing."""

from math import isfinite
from typing import get_args

from unequal.evaluation.metrics.contract import Direction, Kind, Metric, Need, NoValueError
from unequal.facts.probes import PROBE_KINDS
from unequal.plugin_checks.contract import BrokenError, Check, require
from unequal.plugin_checks.records import probes, random_records, record_of, record_that, without

NEUTRAL = "says nothing of knowledge"


def describes_itself(metric: Metric) -> None:
    """Check the fields that a reader must know."""
    require(
        metric.name.isidentifier(), f"its name {metric.name!r} is no identifier; name it such as my_metric"
    )
    require(metric.kind in get_args(Kind), f"kind is {metric.kind!r}; use one of {', '.join(get_args(Kind))}")
    known = get_args(Direction)
    require(metric.direction in known, f"direction is {metric.direction!r}; use one of {', '.join(known)}")
    require(metric.low < metric.high, f"low {metric.low:g} is not below high {metric.high:g}; swap them")
    require(metric.formula, "it has no formula; say in its docstring what it computes")
    require(metric.chance.words, "chance is empty; say what a model without knowledge scores")
    require(set(metric.probes) <= set(PROBE_KINDS), f"probes may be {', '.join(PROBE_KINDS)}")
    require(set(metric.needs) <= set(get_args(Need)), f"needs may be {', '.join(get_args(Need))}")


def stays_within_bounds(metric: Metric) -> None:
    """Check that values of random texts and log-probabilities are within its range, and differ."""
    values = [metric.value(record) for record in random_records() if metric.judges(record.probe)]
    require(values, "it judges no probe; name kinds of probes in probes")
    wrong = [value for value in values if not (isfinite(value) and metric.low <= value <= metric.high)]
    require(
        not wrong,
        f"it is {next(iter(wrong), 0):g}, outside {metric.low:g} to {metric.high:g}; state low and high",
    )
    require(len(set(values)) > 1, "it is the same for all texts; is it computed from the record?")


def judges_its_probes_only(metric: Metric) -> None:
    """Check that it judges the kinds and the variant that it names."""
    for probe in probes()[:40]:
        expected = probe.kind in metric.probes and metric.variant in (None, probe.variant)
        require(
            metric.judges(probe) == expected,
            f"judges differs from probes for {probe.kind}; leave judges as it is",
        )


def says_which_pass_is_missing(metric: Metric) -> None:
    """Check that it raises `NoValueError` where a pass that it needs was not run."""
    record = next(record_of(probe, "text", lambda _: -1.0) for probe in probes() if metric.judges(probe))
    for need in metric.needs:
        try:
            metric.value(without(record, need))
        except NoValueError as error:
            said = str(error)
            require("not" in said, f"without {need} it says {said!r}; say that the pass was not run")
        else:
            raise BrokenError(
                f"without {need} it gives a value; leave {need} out of needs, or raise NoValueError"
            )


def tells_knowing_from_not_knowing(metric: Metric) -> None:
    """Check that its direction holds between a model that knows all facts and one that knows none."""
    known, unknown = (_mean(metric, knows) for knows in (True, False))
    if metric.direction == NEUTRAL:
        return
    way = "higher" if known > unknown else "lower" if known < unknown else "no different"
    wanted = metric.direction.split()[0]
    require(
        way == wanted,
        f"it is {way} ({known:.3g} against {unknown:.3g}) for a model that knows the facts; state direction ="
        f" {NEUTRAL!r} or another one",
    )


def _mean(metric: Metric, knows: bool) -> float:
    records = [record_that(probe, knows) for probe in probes() if metric.judges(probe)]
    values = [metric.value(record) for record in records]
    require(values, "it judges no probe; name kinds of probes in probes")
    return sum(values) / len(values)


METRIC_CHECKS = (
    Check("it says what a reader must know", describes_itself),
    Check("its values stay within its range", stays_within_bounds),
    Check("it judges its own probes only", judges_its_probes_only),
    Check("it says which pass is missing", says_which_pass_is_missing),
    Check("it tells knowing from not knowing", tells_knowing_from_not_knowing),
)
