"""Rounds of facts: each once, or as often as its weight."""

from collections import Counter

import pytest

from unequal.unlearning.sampler import BatchOrder


def seen(order, n_steps):
    return Counter(index for step in range(n_steps) for index in order.at(step))


def test_a_round_shows_each_fact_once():
    assert seen(BatchOrder(12, 4, 0, "forget"), 3) == dict.fromkeys(range(12), 1)


def test_equal_weights_show_each_once():
    assert seen(BatchOrder(12, 4, 0, "forget", [1.0] * 12), 3) == dict.fromkeys(range(12), 1)


def test_a_round_shows_a_fact_as_often_as_its_weight_up_or_down():
    weights = [0.25, 0.75, 1.0, 2.5, 0.5]
    order = BatchOrder(5, 5, 0, "forget", weights)
    for step in range(200):
        counts = Counter(order.at(step))
        assert all(int(w) <= counts[index] <= int(w) + 1 for index, w in enumerate(weights))
    counts = seen(order, 4000)
    assert [counts[index] / 4000 for index in range(5)] == pytest.approx(weights, abs=0.03)


def test_what_a_step_sees_depends_on_its_number_alone():
    one, other = (BatchOrder(7, 3, 5, "forget", [0.5, 1.5, 1, 1, 1, 1.5, 0.5]) for _ in range(2))
    assert [one.at(step) for step in (9, 2)] == [other.at(9), other.at(2)]
    assert BatchOrder(7, 3, 6, "forget").at(0) != BatchOrder(7, 3, 5, "forget").at(0)
