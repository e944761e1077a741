"""The contract of every metric: what it says of itself holds, and it tells knowing from not knowing."""

from typing import get_args

import numpy as np
import pytest

from unequal.errors import ConfigError
from unequal.evaluation.aggregates import AGGREGATES
from unequal.evaluation.aggregates.contract import Aggregate
from unequal.evaluation.metrics import METRICS, STUDY_METRICS
from unequal.evaluation.metrics.contract import Direction, Metric, NoValueError
from unequal.plugin_checks.metrics import METRIC_CHECKS, NEUTRAL
from unequal.plugin_checks.records import probes as all_probes
from unequal.plugin_checks.records import record_of, record_that, without

WITH_SCORES = [name for name, metric in METRICS.items() if "scores" in metric.needs]


@pytest.fixture(scope="module")
def probes():
    return all_probes()


def values(metric, records):
    return [metric.value(record) for record in records if metric.judges(record.probe)]


def mean(metric, records):
    found = values(metric, records)
    assert found, "the metric applies to nothing"
    return sum(found) / len(found)


@pytest.mark.parametrize("name", list(METRICS))
class TestMetric:
    @pytest.mark.parametrize("check", METRIC_CHECKS, ids=lambda check: check.name)
    def test_it_passes_what_a_plugin_must_pass(self, name, check):
        check.run(METRICS.get(name))

    def test_it_names_itself_and_its_source(self, name):
        metric = METRICS.get(name)
        assert isinstance(metric, Metric)
        assert metric.name == name
        assert metric.source
        assert metric.value.__doc__.startswith("Return ")

    def test_it_says_nothing_of_knowledge_only_where_it_does_not_tell(self, name, probes):
        metric = METRICS.get(name)
        known, unknown = (
            mean(metric, [record_that(probe, knows) for probe in probes]) for knows in (True, False)
        )
        assert (known == unknown) == (metric.direction == NEUTRAL)

    def test_it_says_which_pass_is_missing_in_our_words(self, name, probes):
        metric = METRICS.get(name)
        record = next(record_of(p, "text", lambda _: -1.0) for p in probes if metric.judges(p))
        for need in metric.needs:
            with pytest.raises(NoValueError, match=r"was not run|were not asked for"):
                metric.value(without(record, need))


@pytest.mark.parametrize("name", list(AGGREGATES))
class TestAggregate:
    def test_it_names_itself_and_all_a_reader_must_know(self, name):
        aggregate = AGGREGATES.get(name)
        assert isinstance(aggregate, Aggregate)
        assert aggregate.name == name
        assert name not in METRICS
        assert aggregate.metrics
        assert set(aggregate.metrics) <= set(METRICS)
        assert aggregate.direction in get_args(Direction)
        assert aggregate.formula
        assert aggregate.chance
        assert aggregate.source
        assert aggregate.value.__doc__.startswith("Return ")

    def test_it_tells_knowing_from_not_knowing_within_its_bounds(self, name, probes):
        aggregate = AGGREGATES.get(name)

        def arrays(knows):
            for known in (knows, False)[: 1 + aggregate.against_never_seen]:
                records = [record_that(probe, known) for probe in probes]
                yield from (np.array(values(METRICS.get(metric), records)) for metric in aggregate.metrics)

        known, unknown = (aggregate.value(*arrays(knows)) for knows in (True, False))
        assert all(aggregate.low <= value <= aggregate.high for value in (known, unknown))
        if aggregate.direction == NEUTRAL:
            assert known == unknown
        else:
            assert known != unknown
            assert (known > unknown) == (aggregate.direction == "higher means known")


def test_what_a_study_keeps_needs_the_two_passes_only():
    assert set(STUDY_METRICS) < set(METRICS)
    assert all(set(METRICS.get(name).needs) <= {"generation", "scores"} for name in STUDY_METRICS)
    with pytest.raises(ConfigError, match="did you mean 'extraction_strength'"):
        METRICS.get("extraction_strenght")


@pytest.mark.parametrize("name", WITH_SCORES)
def test_a_model_that_gives_no_numbers_gets_no_value(name, probes):
    metric = METRICS.get(name)
    for probe in probes[:20]:
        record = record_of(probe, "text", lambda _: float("nan"))
        if metric.judges(probe):
            with pytest.raises(NoValueError, match="not a number"):
                metric.value(record)
