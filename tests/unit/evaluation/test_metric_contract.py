"""The contract of every metric: what it says of itself holds, and a model without knowledge scores chance."""

import random

import numpy as np
import pytest

from unequal.evaluation.metrics import METRICS
from unequal.evaluation.metrics.contract import Metric, NoValueError, ProbeRecord
from unequal.facts.probes import PROBE_KINDS, ProbeMaker, PromptFormat
from unequal.scoring.log_probs import AnswerScore, ProbeScore

N_WORDS = 1000  # the vocabulary of the models that the tests stand in for


@pytest.fixture(scope="module")
def probes(world):
    facts = world.facts()
    maker = ProbeMaker(facts, PromptFormat(), n_variants=2)
    return [probe for fact in facts for probe in maker.probes(fact, PROBE_KINDS)]


def scores_of(probe, log_prob_of_token):
    """Return scores with as many tokens as words, each with a log-probability of its own."""

    def answer(text):
        logs = np.array([float(log_prob_of_token(word)) for word in text.split()])
        return AnswerScore(logs, np.zeros(len(logs), dtype=np.int64))

    return ProbeScore(probe, answer(probe.answer), tuple(answer(text) for text in probe.distractors))


def values(metric, records):
    return [metric.value(record) for record in records if metric.applies_to(record)]


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
        assert metric.kind in ("generation", "probability")
        assert metric.direction in ("higher means known", "lower means known")
        assert metric.low < metric.high
        assert metric.chance
        assert metric.source
        assert set(metric.probes) <= set(PROBE_KINDS)
        assert metric.value.__doc__

    def test_values_stay_within_its_bounds(self, name, probes):
        metric = METRICS.get(name)
        chance = random.Random(1)
        records = [
            ProbeRecord(
                probe,
                generation=" ".join(
                    chance.choices([*probe.answer.split(), "no", "of", "."], k=chance.randint(0, 5))
                ),
                scores=scores_of(probe, lambda _: -abs(chance.gauss(0, 5))),
            )
            for probe in probes
        ]
        found = values(metric, records)
        assert found
        assert all(metric.low <= value <= metric.high for value in found)
        assert len(set(found)) > 1

    def test_it_applies_to_its_probes_and_pass_only(self, name, probes):
        metric = METRICS.get(name)
        for probe in probes[:40]:
            both = ProbeRecord(probe, "text", scores_of(probe, lambda _: -1.0))
            expected = probe.kind in metric.probes and metric.variant in (None, probe.variant)
            assert metric.applies_to(both) == expected
            other = (
                ProbeRecord(probe, scores=both.scores)
                if metric.kind == "generation"
                else ProbeRecord(probe, "t")
            )
            assert not metric.applies_to(other)
            with pytest.raises(NoValueError, match="pass was not run"):
                metric.value(other)

    def test_it_tells_knowing_from_not_knowing(self, name, probes):
        metric = METRICS.get(name)

        def knows(probe, right):
            words = set((probe.answer if right else " ".join(probe.distractors)).split())
            text = probe.answer if right else "nothing of the kind"
            return ProbeRecord(probe, text, scores_of(probe, lambda w: -0.1 if w in words else -5.0))

        known = mean(metric, [knows(probe, right=True) for probe in probes])
        unknown = mean(metric, [knows(probe, right=False) for probe in probes])
        assert (known > unknown) == (metric.direction == "higher means known")
        assert known != unknown

    def test_uniform_logits_score_chance(self, name, probes):
        metric = METRICS.get(name)
        uniform = float(np.float32(-np.log(N_WORDS)))
        records = [ProbeRecord(probe, scores=scores_of(probe, lambda _: uniform)) for probe in probes]
        if metric.kind == "generation":
            assert values(metric, records) == []
            return
        for record in records:
            if not metric.applies_to(record):
                continue
            n_words, n_choices = len(record.probe.answer.split()), 1 + len(record.probe.distractors)
            expected = {
                "answer_prob": 1 / N_WORDS,
                "answer_log_prob": -n_words * np.log(N_WORDS),
                "choice_prob": 1 / n_choices,
                "choice_accuracy": 1 / n_choices,
                "true_false_hit": 0.5,
                "true_false_false_alarm": 0.5,
            }
            assert metric.value(record) == pytest.approx(expected[name], rel=1e-5)


@pytest.mark.parametrize("text", ["", " ", ".", "the prompt"])
@pytest.mark.parametrize("name", [name for name, metric in METRICS.items() if metric.kind == "generation"])
def test_saying_nothing_or_the_prompt_scores_no_knowledge(name, probes, text):
    metric = METRICS.get(name)
    found = values(metric, [ProbeRecord(p, p.prompt if text == "the prompt" else text) for p in probes])
    assert found
    if name == "exact_match" or text != "the prompt":
        assert set(found) == {0.0}
    else:  # words that all answers of a relation share may stand in the prompt: "University", "College"
        assert sum(found) / len(found) < 0.1


def test_always_saying_true_cannot_be_told_from_chance(probes):
    for says_true in (True, False):
        records = [
            ProbeRecord(
                p, scores=scores_of(p, lambda word, yes=says_true: -0.1 if (word == "True") == yes else -3.0)
            )
            for p in probes
        ]
        rates = [mean(METRICS.get(f"true_false_{kind}"), records) for kind in ("hit", "false_alarm")]
        assert rates == [float(says_true)] * 2


def test_a_constant_answer_scores_its_share_of_the_facts(probes):
    records = [ProbeRecord(probe, "Chicago") for probe in probes]
    right = [
        float("Chicago" in record.probe.accepted) for record in records if record.probe.kind != "true_false"
    ]
    assert mean(METRICS.get("exact_match"), records) == pytest.approx(sum(right) / len(right))


@pytest.mark.parametrize("name", [name for name, metric in METRICS.items() if metric.kind == "probability"])
def test_a_model_that_gives_no_numbers_gets_no_value(name, probes):
    metric = METRICS.get(name)
    for probe in probes[:20]:
        record = ProbeRecord(probe, scores=scores_of(probe, lambda _: float("nan")))
        if metric.applies_to(record):
            with pytest.raises(NoValueError, match="not a number"):
                metric.value(record)
