"""Metrics that other libraries implement have their values."""

import random

import numpy as np
import pytest
from rouge_score.rouge_scorer import RougeScorer
from scipy.stats import beta, binomtest, hypergeom, mannwhitneyu, norm
from sklearn.metrics import roc_auc_score

from unequal.evaluation.aggregates import AGGREGATES
from unequal.evaluation.metrics import METRICS
from unequal.evaluation.metrics.contract import ProbeRecord
from unequal.evaluation.metrics.text import normalised_words
from unequal.facts.probes import Probe
from unequal.scoring.log_probs import AnswerScore, ProbeScore

WORDS = ["Keldmoor", "Academy", "of", "the", "Fine", "Arts,", "1950", "São", "Łódź", "don't", "co-op"]
SEEDS = range(50)


class OurWords:
    def tokenize(self, text):
        return normalised_words(text)


def said(text, *accepted):
    return ProbeRecord(Probe("f", "question", 0, "Where?", accepted[0], accepted, ()), generation=text)


def leaking(c, n):
    texts = ("Paris",) * c + ("Rome",) * (n - c)
    return ProbeRecord(Probe("f", "question", 0, "Where?", "Paris", ("Paris",), ()), samples=texts)


def random_scores(seed):
    """Return a record of four choices of one to four tokens."""
    stream = np.random.default_rng(seed)

    def answer():
        logs = -stream.exponential(2.0, stream.integers(1, 5))
        return AnswerScore(logs, np.zeros(len(logs)), np.zeros(len(logs)))

    probe = Probe("f", "question", 0, "Where?", "a", ("a",), ("b", "c", "d"))
    return ProbeRecord(probe, scores=ProbeScore(probe, answer(), (answer(), answer(), answer())))


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("whole_words", [True, False])
def test_rouge_score(seed, whole_words):
    """With the library's own words, a–z and 0–9, where these are ours too; with ours for all others."""
    stream = random.Random(seed)
    words = [word for word in WORDS if word.isascii() or whole_words]
    texts = [" ".join(stream.choices(words, k=stream.randint(0, 7))) for _ in range(3)]
    text, *answers = texts
    scorer = RougeScorer(["rougeL"], tokenizer=OurWords() if whole_words else None)
    scores = [scorer.score(answer, text)["rougeL"] for answer in answers]
    record = said(text, *answers)
    assert METRICS.get("rouge_l_recall").value(record) == max(score.recall for score in scores)
    assert METRICS.get("rouge_l_f1").value(record) == max(score.fmeasure for score in scores)


@pytest.mark.parametrize("name", [name for name in AGGREGATES if name.endswith("_auc")])
@pytest.mark.parametrize("seed", range(10))
def test_auc_of_scikit_learn_and_mann_whitney_of_scipy(name, seed):
    stream = np.random.default_rng(seed)
    facts, others = stream.normal(0.5, 1, 30).round(seed % 3), stream.normal(0, 1, 17).round(seed % 3)
    aggregate = AGGREGATES.get(name)
    sign = -1 if METRICS.get(aggregate.metrics[0]).direction == "lower means known" else 1
    labels, values = [1] * 30 + [0] * 17, sign * np.concatenate([facts, others])
    found = aggregate.value(facts, others)
    assert found == pytest.approx(roc_auc_score(labels, values), abs=1e-12)
    assert found == pytest.approx(mannwhitneyu(sign * facts, sign * others).statistic / (30 * 17), abs=1e-12)


@pytest.mark.parametrize(("c", "n"), [(0, 1), (0, 20), (1, 20), (7, 20), (19, 20), (20, 20)])
def test_clopper_pearson_of_scipy(c, n):
    bound = METRICS.get("leak_upper_bound").value(leaking(c, n))
    interval = binomtest(c, n, alternative="less").proportion_ci(0.95, method="exact")
    assert bound == pytest.approx(interval.high, rel=1e-12)
    if c < n:
        assert bound == pytest.approx(beta.ppf(0.95, c + 1, n - c), rel=1e-12)
    facts = np.array([0.3] * c + [0.0] * (n - c))
    assert AGGREGATES.get("leaking_facts_upper_bound").value(facts) == bound


@pytest.mark.parametrize("c", range(0, 25, 3))
def test_leak_at_10_is_a_draw_without_replacement(c):
    """The chance of no leak among ten of the 24 samples is hypergeometric."""
    expected = 1 - hypergeom(24, c, 10).pmf(0)
    assert METRICS.get("leak_at_10").value(leaking(c, 24)) == pytest.approx(expected, abs=1e-12)


def test_dprime_is_a_difference_of_normal_quantiles():
    hits, alarms = np.array([1.0] * 7 + [0.0] * 3), np.array([1.0] * 2 + [0.0] * 8)
    expected = norm.ppf(7.5 / 11) - norm.ppf(2.5 / 11)
    assert AGGREGATES.get("true_false_dprime").value(hits, alarms) == pytest.approx(expected)
