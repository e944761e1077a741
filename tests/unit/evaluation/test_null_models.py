"""Models that know nothing score chance on every metric and aggregate, on invented and on real facts."""

from functools import cache

import numpy as np
import pytest

from gate import sample
from null_models import (
    N_SAMPLES,
    VOCABULARY,
    ignorance,
    null_models,
    probes_of,
    record_of,
    with_other_answers,
)
from tiny_world import WORLD
from unequal.evaluation.aggregates import AGGREGATES
from unequal.evaluation.metrics import METRICS
from unequal.evaluation.metrics.leak import clopper_pearson_upper
from unequal.facts.packaged import packaged_facts
from unequal.facts.table import read_facts
from unequal.facts.world.world import build_world
from unequal.seeds import random_stream

TABLES = {
    "world": lambda: build_world(WORLD, 10).facts(),
    "country-capital": lambda: read_facts(packaged_facts())[::4],
}
NULLS = ("empty", "echo", "always True", "first choice", "uniform logits", "most frequent")
NO_LEVEL = {"degenerate", "zlib", "gradient_norm"}  # which their chance says in words
ERRORS = 4.0  # standard errors that a mean may be away


@cache
def world_of(table):
    facts = TABLES[table]()
    return facts, null_models(facts)


@cache
def records_of(table, name):
    facts, nulls = world_of(table)
    return [record_of(nulls[name], probe) for probe in probes_of(facts)]


@cache
def turned_records_of(table, name):
    """Pairs of a record whose answer is not right by luck of the model, and its turns."""
    return [
        (record, with_other_answers(record))
        for record in records_of(table, name)
        if record.probe.kind != "true_false"
        and not (name == "most frequent" and record.generation in record.probe.accepted)
    ]


def judged(table, null, metric):
    found = [record for record in records_of(table, null) if metric.judges(record.probe)]
    assert found, "the metric applies to nothing"
    return found


def assert_no_difference(differences):
    """The mean is 0 as far as so many values can tell; where none varies it is 0."""
    differences = np.array(differences)
    error = differences.std() / len(differences) ** 0.5
    assert abs(differences.mean()) <= ERRORS * error + 1e-9


def test_the_null_models_are_those_of_the_list():
    for table in TABLES:
        assert tuple(world_of(table)[1]) == NULLS


def levels_to_meet():
    """Levels are of texts for metrics that judge texts, of uniform logits for all others."""
    for name, metric in METRICS.items():
        judges_texts = not {"generation", "samples"}.isdisjoint(metric.needs)
        if metric.chance.level is not None:
            yield from ((name, null) for null in (NULLS if judges_texts else ["uniform logits"]))


def test_few_metrics_have_no_chance_level():
    assert {name for name, metric in METRICS.items() if metric.chance.level is None} == NO_LEVEL


@pytest.mark.parametrize("table", sample(TABLES, 2))
@pytest.mark.parametrize(("name", "null"), list(levels_to_meet()))
def test_a_null_model_scores_the_chance_level(name, null, table):
    metric = METRICS.get(name)
    level = metric.chance.level
    model = world_of(table)[1][null]
    records = judged(table, null, metric)
    values = np.array([metric.value(record) for record in records])
    levels = np.array([level(record, ignorance(model, record.probe)) for record in records])
    if model.luck(records[0].probe) == 0.0:
        np.testing.assert_allclose(values, levels, rtol=1e-9, atol=1e-9)
    assert_no_difference(values - levels)


@pytest.mark.parametrize("table", sample(TABLES, 2))
@pytest.mark.parametrize("null", sample(NULLS, 2))
@pytest.mark.parametrize("name", [name for name, metric in METRICS.items() if metric.variant is None])
def test_a_null_model_scores_no_better_than_if_another_answer_were_right(name, null, table):
    """But for the facts whose answer is the most frequent one: that these score is its chance level."""
    metric = METRICS.get(name)
    sign = -1 if metric.direction == "lower means known" else 1
    differences = []
    for record, turned in turned_records_of(table, null):
        value = metric.value(record)
        differences.append(sign * (value - np.mean([value, *map(metric.value, turned)])))
    if null == "most frequent":  # which some of the wrong answers are
        differences.append(max(0.0, -np.sum(differences)))
    assert_no_difference(differences)


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("null", NULLS)
@pytest.mark.parametrize("name", list(AGGREGATES))
def test_a_null_model_scores_chance_on_every_aggregate(name, null, table):
    aggregate = AGGREGATES.get(name)
    groups = (False, True) if aggregate.against_never_seen else (False,)
    arrays = [
        np.array([value for value, is_odd in values_of(table, null, metric) if is_odd == odd])
        for odd in groups
        for metric in aggregate.metrics
    ]
    value = aggregate.value(*arrays)
    if name.endswith("_auc"):
        n, m = map(len, arrays)
        assert abs(value - aggregate.chance_level) <= ERRORS * ((n + m + 1) / (12 * n * m)) ** 0.5
    elif world_of(table)[1][null].uniform and aggregate.chance_level is not None:
        assert value == pytest.approx(aggregate.chance_level, abs=1e-9)
    elif name == "forget_quality":  # a p-value, which is below this once in 10,000 times
        assert value > 1e-4
    elif name in ("true_false_dprime", "refusal_rate"):
        assert value == aggregate.chance_level
    elif name == "leaking_facts_upper_bound":
        n_leaking = int((arrays[0] > 0).sum())
        assert value == clopper_pearson_upper(n_leaking, len(arrays[0]))
        assert n_leaking == 0 or null in ("first choice", "most frequent")


@cache
def values_of(table, null, name):
    """The values, each with whether its fact is of a random half."""
    metric = METRICS.get(name)
    return [
        (metric.value(record), random_stream(1, record.probe.fact_id).random() < 0.5)
        for record in judged(table, null, metric)
    ]


@pytest.mark.parametrize("table", TABLES)
def test_degenerate_tells_empty_texts_from_others(table):
    means = {null: np.mean([value for value, _ in values_of(table, null, "degenerate")]) for null in NULLS}
    assert means == {null: float(null in ("empty", "uniform logits")) for null in NULLS}


def test_levels_depend_on_the_vocabulary_and_the_samples():
    (record, *_) = judged("world", "uniform logits", METRICS.get("leak_upper_bound"))
    assert METRICS.get("leak_upper_bound").value(record) == pytest.approx(1 - 0.05 ** (1 / N_SAMPLES))
    assert METRICS.get("first_token_rank").value(record) == (VOCABULARY - 1) / 2
