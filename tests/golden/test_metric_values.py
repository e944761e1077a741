"""Every metric on records small enough to work by hand."""

from math import exp, log

import numpy as np
import pytest

from unequal.evaluation.metrics import METRICS
from unequal.evaluation.metrics.contract import NoValueError, ProbeRecord
from unequal.facts.probes import Probe
from unequal.scoring.log_probs import AnswerScore, ProbeScore


def value(name, record):
    return METRICS.get(name).value(record)


def said(text, *accepted, kind="question"):
    """Return a record in which the model said the text."""
    return ProbeRecord(Probe("f", kind, 0, "Where is it?", accepted[0], accepted, ()), generation=text)


def answer(*probabilities):
    return AnswerScore(np.log(probabilities), np.zeros(len(probabilities), dtype=np.int64))


def scored(right, *wrong, kind="question", variant=0, word="Paris"):
    """Return a record with these token probabilities of the right and wrong answers."""
    probe = Probe("f", kind, variant, "Where is it?", word, (word,), ("x",) * len(wrong))
    return ProbeRecord(probe, scores=ProbeScore(probe, answer(*right), tuple(answer(*w) for w in wrong)))


@pytest.mark.parametrize(
    ("text", "accepted", "kind", "expected"),
    [
        ("Paris", ["Paris"], "question", 1.0),
        (" paris. ", ["Paris"], "question", 1.0),
        ("PARIS!", ["Paris"], "question", 1.0),
        ("Ｐａｒｉｓ", ["Paris"], "question", 1.0),  # full-width letters, equal after NFKC
        ("Rome", ["Paris"], "question", 0.0),
        ("in Paris", ["Paris"], "question", 0.0),
        ("Paris, France", ["Paris"], "question", 0.0),
        ("Parisian", ["Paris"], "question", 0.0),
        ("March 3 1950", ["March 3, 1950"], "question", 1.0),
        ("March 31, 950", ["March 3, 1950"], "question", 0.0),
        ("City of Light", ["Paris", "City of Light"], "question", 1.0),
        ("the City of Light", ["Paris", "City of Light"], "question", 0.0),
        ("", ["Paris"], "question", 0.0),
        ("...", ["..."], "question", 0.0),  # nothing is left of the answer, so nothing can match it
        ("Paris. Ada Lovelace was", ["Paris"], "cloze", 1.0),
        ("Par is", ["Paris"], "cloze", 0.0),
        ("Parisian food", ["Paris"], "cloze", 0.0),
        ("the city of Paris", ["Paris"], "cloze", 0.0),
        ("Paris and more", ["Paris"], "paraphrase", 0.0),
        ("Paris and more", ["Paris"], "reverse", 0.0),
    ],
)
def test_exact_match(text, accepted, kind, expected):
    assert value("exact_match", said(text, *accepted, kind=kind)) == expected


@pytest.mark.parametrize(
    ("text", "accepted", "expected"),
    [
        ("Keldmoor Academy", ["Keldmoor Academy"], 1.0),
        ("Selwick Academy", ["Keldmoor Academy"], 1 / 2),
        ("Academy Keldmoor", ["Keldmoor Academy"], 1 / 2),  # in order, only one of the two
        ("It is the Keldmoor old Academy.", ["Keldmoor Academy"], 1.0),  # recall forgives what else is said
        ("March 9, 1950", ["March 3, 1950"], 2 / 3),
        ("the light", ["Paris", "City of Light"], 1 / 3),
        ("Rome", ["Paris"], 0.0),
        ("", ["Paris"], 0.0),
    ],
)
def test_rouge_l_recall(text, accepted, expected):
    assert value("rouge_l_recall", said(text, *accepted)) == pytest.approx(expected)


def test_the_prompt_is_no_part_of_what_is_judged():
    probe = Probe("f", "question", 0, "Is Paris in Paris? Paris", "Paris", ("Paris",), ())
    for name in ("exact_match", "rouge_l_recall"):
        assert value(name, ProbeRecord(probe, generation="")) == 0.0


def test_answer_log_prob_is_the_sum_and_answer_prob_the_geometric_mean():
    record = scored([0.5, 0.125])
    assert value("answer_log_prob", record) == pytest.approx(-log(16))  # log(1/2 · 1/8)
    assert value("answer_prob", record) == pytest.approx(0.25)  # √(1/16)
    assert value("answer_prob", scored([1.0])) == 1.0


def test_choice_prob_is_the_share_of_the_right_answer():
    # 0.25 per token against 0.5 and 0.25: 0.25 / (0.25 + 0.5 + 0.25)
    assert value("choice_prob", scored([0.5, 0.125], [0.5], [0.25, 0.25])) == pytest.approx(0.25)
    assert value("choice_prob", scored([0.9], [0.1])) == pytest.approx(0.9)


@pytest.mark.parametrize(
    ("right", "wrong", "expected"),
    [
        ([0.5], [[0.4], [0.3]], 1.0),
        ([0.3], [[0.4], [0.3]], 0.0),
        ([0.4], [[0.4], [0.3]], 1 / 2),
        ([0.4], [[0.4], [0.4], [0.4]], 1 / 4),
        ([0.5, 0.5], [[0.4]], 1.0),  # per token: the whole answer has only 0.25
        ([0.25, 0.25, 0.25], [[0.25], [0.25, 0.25]], 1 / 3),
    ],
)
def test_choice_accuracy(right, wrong, expected):
    assert value("choice_accuracy", scored(right, *wrong)) == pytest.approx(expected)


@pytest.mark.parametrize(("true", "false", "expected"), [(0.6, 0.3, 1.0), (0.3, 0.6, 0.0), (0.4, 0.4, 0.5)])
def test_true_false_is_whether_the_model_says_true(true, false, expected):
    hit = scored([true], [false], kind="true_false", variant=0, word="True")
    alarm = scored([false], [true], kind="true_false", variant=1, word="False")
    assert value("true_false_hit", hit) == expected
    assert value("true_false_false_alarm", alarm) == expected


def test_no_distractors_means_no_value_and_a_reason():
    for name in ("choice_prob", "choice_accuracy"):
        with pytest.raises(NoValueError, match="the fact has no distractors"):
            value(name, scored([0.5]))


def test_choices_that_are_all_impossible_have_no_shares():
    impossible = AnswerScore(np.array([-2000.0]), np.zeros(1, dtype=np.int64))
    probe = Probe("f", "question", 0, "?", "Paris", ("Paris",), ("x",))
    with pytest.raises(NoValueError, match="probability 0"):
        value("choice_prob", ProbeRecord(probe, scores=ProbeScore(probe, impossible, (impossible,))))
    assert exp(-2000.0) == 0.0
