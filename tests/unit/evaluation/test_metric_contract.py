"""The contract of every metric: what it says of itself holds, and it tells knowing from not knowing."""

import random
from dataclasses import replace
from typing import get_args

import numpy as np
import pytest

from unequal.errors import ConfigError
from unequal.evaluation.aggregates import AGGREGATES
from unequal.evaluation.aggregates.contract import Aggregate
from unequal.evaluation.metrics import METRICS, STUDY_METRICS
from unequal.evaluation.metrics.contract import Direction, Kind, Metric, Need, NoValueError, ProbeRecord
from unequal.facts.probes import PROBE_KINDS, ProbeMaker, PromptFormat
from unequal.scoring.log_probs import AnswerScore, ProbeScore

NEUTRAL = "says nothing of knowledge"
WITH_SCORES = [name for name, metric in METRICS.items() if "scores" in metric.needs]
EVERYTHING = set(get_args(Need))


@pytest.fixture(scope="module")
def probes(world):
    facts = world.facts()
    maker = ProbeMaker(facts, PromptFormat(), n_variants=2)
    return [probe for fact in facts for probe in maker.probes(fact, PROBE_KINDS)]


def scores_of(probe, log_prob_of_token):
    """Return scores with as many tokens as words, each with a log-probability of its own."""

    def answer(text):
        logs = np.array([float(log_prob_of_token(word)) for word in text.split()])
        ranks = np.where(np.isnan(logs), 0, -logs * 20).astype(np.int64)
        return AnswerScore(logs, ranks, 0 * ranks, np.full(len(logs), -2.0), np.full(len(logs), 1.5))

    return ProbeScore(probe, answer(probe.answer), tuple(answer(text) for text in probe.distractors))


def record_of(probe, text, log_prob_of_token, norm=1.0):
    """Return a record of every pass; the reference model gives every word the same."""
    return ProbeRecord(
        probe,
        generation=text,
        scores=scores_of(probe, log_prob_of_token),
        samples=(text,) * 12,
        reference=scores_of(probe, lambda _: -2.0),
        gradient_norm=norm,
    )


def record_that(probe, knows):
    """Return the record of a model that knows the fact, or of one that takes a wrong answer for right."""
    words = set((probe.answer if knows else " ".join(probe.distractors)).split())
    text = probe.answer if knows else "nothing of the kind"
    return record_of(probe, text, lambda w: -0.04 if w in words else -6.0, norm=0.1 if knows else 2.0)


def without(record, need):
    """Return the record without what a pass gives."""
    if need != "moments":
        return replace(record, **{need: None})
    right = replace(record.scores.right, means=None, deviations=None)
    return replace(record, scores=replace(record.scores, right=right))


def values(metric, records):
    return [metric.value(record) for record in records if metric.judges(record.probe)]


def mean(metric, records):
    found = values(metric, records)
    assert found, "the metric applies to nothing"
    return sum(found) / len(found)


@pytest.mark.parametrize("name", list(METRICS))
class TestMetric:
    def test_it_names_itself_and_all_a_reader_must_know(self, name):
        metric = METRICS.get(name)
        assert isinstance(metric, Metric)
        assert metric.name == name
        assert metric.kind in get_args(Kind)
        assert metric.direction in get_args(Direction)
        assert metric.low < metric.high
        assert metric.formula
        assert metric.chance.words
        assert metric.source
        assert set(metric.probes) <= set(PROBE_KINDS)
        assert set(metric.needs) <= EVERYTHING
        assert metric.value.__doc__.startswith("Return ")

    def test_values_stay_within_its_bounds(self, name, probes):
        metric = METRICS.get(name)
        chance = random.Random(1)
        records = [
            record_of(
                probe,
                " ".join(
                    chance.choices([*probe.answer.split(), "no", "of", "of", "."], k=chance.randint(0, 9))
                ),
                lambda _: -abs(chance.gauss(0, 5)),
                norm=chance.random(),
            )
            for probe in probes
        ]
        records[0] = replace(records[0], generation="I do not know the answer.")
        found = values(metric, records)
        assert found
        assert all(metric.low <= value <= metric.high for value in found)
        assert len(set(found)) > 1

    def test_it_judges_its_probes_only(self, name, probes):
        metric = METRICS.get(name)
        for probe in probes[:40]:
            expected = probe.kind in metric.probes and metric.variant in (None, probe.variant)
            assert metric.judges(probe) == expected

    def test_it_says_which_pass_is_missing(self, name, probes):
        metric = METRICS.get(name)
        record = next(record_of(p, "text", lambda _: -1.0) for p in probes if metric.judges(p))
        for need in metric.needs:
            lacking = without(record, need)
            with pytest.raises(NoValueError, match=r"was not run|were not asked for"):
                metric.value(lacking)

    def test_it_tells_knowing_from_not_knowing(self, name, probes):
        metric = METRICS.get(name)
        known = mean(metric, [record_that(probe, knows=True) for probe in probes])
        unknown = mean(metric, [record_that(probe, knows=False) for probe in probes])
        if metric.direction == NEUTRAL:
            assert known == unknown
        else:
            assert (known > unknown) == (metric.direction == "higher means known")
            assert known != unknown


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
