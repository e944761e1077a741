"""Weights of facts by what is known of them, and their controls."""

import pytest

from unequal.errors import DataError
from unequal.facts.schema import Fact
from unequal.unlearning.methods import METHODS
from unequal.unlearning.weighting import Weighting, fact_weights, schedule_problem

COUNTS = (0, 1, 3, 7, 15)


def facts(counts=COUNTS, column="exposure"):
    return [
        Fact.model_validate(
            {
                "fact_id": f"f{number}",
                **dict.fromkeys(("subject", "relation", "object", "question", "answer"), "x"),
                column: count,
            }
        )
        for number, count in enumerate(counts)
    ]


def weights(by, **settings):
    confidence = settings.pop("confidence", None)
    table = settings.pop("table", facts())
    return fact_weights(Weighting(by=by, **settings), table, settings.pop("seed", 0), confidence)


def test_uniform_weights_are_exactly_one():
    assert weights("uniform") == [1.0] * 5


@pytest.mark.parametrize("column", ["exposure", "count"])
def test_weights_by_count_are_the_printed_formula(column):
    scores = [1, 2, 3, 4, 5]  # 1 + log2(1 + count)
    found = weights("count", table=facts(column=column))
    assert found == pytest.approx([score * 5 / sum(scores) for score in scores])
    rare = weights("count", strength=-1.0)
    inverse = [1 / score for score in scores]
    assert rare == pytest.approx([value * 5 / sum(inverse) for value in inverse])


@pytest.mark.parametrize("by", ["count", "shuffled_counts", "random", "confidence"])
def test_the_mean_is_one_and_the_same_again(by):
    confidence = [0.1, 0.9, 0.5, 0.2, 1.0]
    found = weights(by, confidence=confidence)
    assert sum(found) == pytest.approx(5)
    assert min(found) > 0
    assert weights(by, confidence=confidence) == found


def test_shuffled_counts_are_the_same_weights_of_other_facts():
    many = facts(range(40))
    real = fact_weights(Weighting(by="count"), many, 0)
    placebo = fact_weights(Weighting(by="shuffled_counts"), many, 0)
    assert sorted(placebo) == pytest.approx(sorted(real))
    assert placebo != real
    assert fact_weights(Weighting(by="shuffled_counts"), many, 1) != placebo


def test_random_weights_know_only_the_fact_and_the_seed():
    one = fact_weights(Weighting(by="random"), facts(), 0)
    other = fact_weights(Weighting(by="random"), facts((9, 9, 9, 9, 9)), 0)
    assert one == other
    assert fact_weights(Weighting(by="random"), facts(), 1) != one


def test_confidence_stands_in_for_the_count():
    found = weights("confidence", confidence=[0.0, 0.25, 0.5, 0.75, 1.0])
    assert found == pytest.approx([value * 5 / 7.5 for value in (1.0, 1.25, 1.5, 1.75, 2.0)])
    with pytest.raises(ValueError, match="starting probabilities"):
        weights("confidence")


def test_a_fact_without_count_is_named():
    with pytest.raises(DataError, match="fact 'f1' has neither exposure nor count"):
        weights("count", table=facts((3, None)))


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({}, "uniform"),
        ({"by": "count"}, "count"),
        ({"by": "count", "strength": -0.5}, "count^-0.5"),
        ({"by": "random", "acts_on": "sampling"}, "random-sampling"),
        ({"by": "count", "acts_on": "beta"}, "count-beta"),
        ({"by": "shuffled_counts", "strength": 2, "acts_on": "margin"}, "shuffled_counts^2-margin"),
        ({"by": "uniform", "acts_on": "beta"}, "uniform"),
    ],
)
def test_names_tell_rules_apart(settings, name):
    assert Weighting(**settings).name == name


def problem(kind, acts_on, by="count", **settings):
    method = METHODS.get(kind).model_validate({"kind": kind, **settings})
    return schedule_problem(method, Weighting(by=by, acts_on=acts_on))


def test_a_method_without_the_setting_is_refused_with_those_that_have_it():
    assert problem("ga", "beta") == (
        "method ga has no beta for weights to act on (methods that have one: npo, simnpo, dpo, idk_dpo,"
        " altpo, wga, tnpo, satimp, undial, npo_sam, baldro); let them act on loss or sampling"
    )
    assert "method npo has no margin for weights to act on (methods that have one: simnpo)" in problem(
        "npo", "margin"
    )
    assert "no beta" in problem("rmu", "beta")  # nor have hidden-state methods
    assert problem("ga", "loss") is problem("ga", "sampling") is problem("npo", "beta") is None
    assert problem("ga", "beta", by="uniform") is None


@pytest.mark.full
def test_a_setting_of_0_is_not_told_apart_by_any_weight():
    expected = "weights act on margin of method simnpo, which is 0 for every fact; set it above 0"
    assert problem("simnpo", "margin") == expected
    assert problem("simnpo", "margin", margin=0.5) is None
    assert "beta1 of method satimp" in problem("satimp", "beta", beta1=0)
