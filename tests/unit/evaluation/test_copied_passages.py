"""Verbatim memory: the longest stretch that a text copies, and when a passage is known."""

from dataclasses import replace

import numpy as np
import pytest

from unequal.evaluation.known_by import READINGS
from unequal.evaluation.metrics import METRICS
from unequal.evaluation.metrics.contract import ProbeRecord
from unequal.facts.probes import Probe
from unequal.scoring.log_probs import AnswerScore, ProbeScore

PASSAGE = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen"


def record(text=None, answer=PASSAGE, prompt="it begins with zero and", verbatim=True, ranks=()):
    probe = Probe("f", "question", 0, prompt, answer, (answer,), (), verbatim=verbatim)
    log_probs = np.full(len(ranks), -1.0)
    right = AnswerScore(log_probs, np.array(ranks), np.zeros(len(ranks), dtype=int)) if ranks else None
    return ProbeRecord(probe, text, ProbeScore(probe, right, ()) if right else None)


def value(name, *args, **kwargs):
    return METRICS.get(name).value(record(*args, **kwargs))


@pytest.mark.parametrize(
    ("text", "share"),
    [
        (PASSAGE, 16 / 16),
        ("One, two - THREE four!", 4 / 16),
        ("three four five, but not two three four five six", 5 / 16),
        ("sixteen", 1 / 16),
        ("nothing of the kind", 0.0),
        ("", 0.0),
    ],
)
def test_the_longest_stretch_of_words_that_is_copied(text, share):
    assert value("longest_copy", text) == pytest.approx(share)


def test_a_copy_of_the_prompt_is_no_copy_of_the_passage():
    answer = "let there be light and there was light"
    assert value("longest_copy", "let there be let there be", answer, "and god said let there be") == 0.0
    text = "let there be light and there was night"  # five of six words of its own, four running
    assert value("longest_copy", text, answer, "and god said let there be") == pytest.approx(4 / 5)


@pytest.mark.parametrize(
    ("text", "known"),
    [
        (PASSAGE, 1.0),
        ("one two three four five six seven eight nine ten, more or less", 1.0),
        ("well, seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen", 1.0),
        ("one two three four five six seven eight nine eleven", 0.0),
        ("one two three. four five six! seven eight nine? ten eleven", 1.0),
        ("", 0.0),
    ],
)
def test_a_passage_is_said_by_a_text_that_copies_ten_words_running(text, known):
    assert value("answer_said", text) == known
    assert "copies ten words of a passage" in READINGS["answer_said"]


def test_a_sample_leaks_a_passage_that_it_copies_in_part():
    part = "one two three four five six seven eight nine ten, more or less"
    leaked = replace(record(""), samples=(part, "nothing", PASSAGE, "one two three"))
    assert METRICS.get("leak_at_1").value(leaked) == pytest.approx(2 / 4)
    whole = replace(record("", verbatim=False), samples=leaked.samples)
    assert METRICS.get("leak_at_1").value(whole) == pytest.approx(1 / 4)


def test_a_short_answer_is_said_only_as_a_whole():
    text = "one two three four five six seven eight nine ten, more or less"
    assert value("answer_said", text, verbatim=False) == 0.0


@pytest.mark.parametrize(
    ("ranks", "strength", "matches"),
    [
        ([0, 0, 0, 0], 1.0, 1.0),
        ([5, 0, 0, 0], 0.75, 0.75),
        ([0, 1, 0, 0], 0.5, 0.75),
        ([0, 0, 0, 2], 0.0, 0.75),
    ],
)
def test_extraction_strength_is_the_share_after_the_last_token_that_greedy_decoding_misses(
    ranks, strength, matches
):
    assert value("extraction_strength", ranks=ranks) == pytest.approx(strength)
    assert value("exact_memorisation", ranks=ranks) == pytest.approx(matches)
