"""The learning-rate range test: the rate rises until the budget is spent, and the model stays as it was."""

import pytest
import torch

from answering_models import FACTS, PLAIN, write_model
from unequal.config import build
from unequal.facts.probes import PromptFormat
from unequal.models.checkpoint import load
from unequal.unlearning import rate_range
from unequal.unlearning.method import MethodSettings
from unequal.unlearning.rate_range import FACTOR, LOWEST, STEPS, RateRange, find_rate, range_test
from unequal.unlearning.run import Run
from unequal.unlearning.settings import UnlearnSettings


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    folder = tmp_path_factory.mktemp("known") / "model"
    write_model("the answer alone", folder)
    return load(folder)


def run_of(checkpoint, kind, **settings):
    from unequal.strict import StrictModel

    class Chosen(StrictModel):
        method: MethodSettings

    method = build(Chosen, {"method": {"kind": kind}}, "unlearn").method
    return Run(
        checkpoint.model, checkpoint.tokenizer, method, FACTS[:4], FACTS[4:6], UnlearnSettings(**settings),
        PromptFormat(question=PLAIN),
    )  # fmt: skip


def trial(checkpoint, kind, budget=0.1, **settings):
    return range_test(run_of(checkpoint, kind, **settings), FACTS[6:], budget)


def test_the_trial_ends_where_the_budget_is_spent_and_leaves_the_model_alone(checkpoint):
    before = [one.clone() for one in checkpoint.model.parameters()]
    found = trial(checkpoint, "ga")
    *within, last = found.looks
    first = found.looks[0]
    assert last.utility < 0.9 * first.utility or last.forget <= 0.1 * first.forget
    assert all(look.utility >= 0.9 * first.utility and look.forget > 0.1 * first.forget for look in within)
    spent = LOWEST * (FACTOR**last.step - 1) / (FACTOR - 1)
    assert spent / FACTOR - LOWEST < found.total < spent
    assert found.rate(10) == pytest.approx(found.total / 10)
    after = checkpoint.model.parameters()
    assert all(torch.equal(one, other) for one, other in zip(before, after, strict=True))


def test_a_larger_budget_lasts_longer_and_settings_of_the_run_do_not_count(checkpoint):
    small = trial(checkpoint, "ga", budget=0.01)
    assert small.total <= trial(checkpoint, "ga", budget=0.5).total
    other = trial(checkpoint, "ga", budget=0.01, steps=3, stopping={"forget_probability": 0.9})
    assert other == small


def test_a_method_that_never_costs_anything_is_tried_up_to_the_last_rate(checkpoint):
    found = trial(checkpoint, "ga", budget=1.0)
    assert found.looks[-1].forget <= 0.1 * found.looks[0].forget or found.looks[-1].step == STEPS


def test_a_rate_whose_first_steps_spend_the_budget_is_halved(checkpoint, monkeypatch):
    run = run_of(checkpoint, "ga", steps=10)
    by_test = range_test(run, FACTS[6:], 0.1).rate(10)
    assert find_rate(run, FACTS[6:], 0.1) <= by_test
    monkeypatch.setattr(rate_range, "range_test", lambda *_: RateRange((), 10 * 64 * by_test))
    lowered = find_rate(run, FACTS[6:], 0.1)
    assert lowered < 64 * by_test
    assert (64 * by_test / lowered).is_integer()


def test_without_untouched_facts_it_goes_on_until_the_facts_are_forgotten(checkpoint):
    found = range_test(run_of(checkpoint, "ga"), [], 0.1)
    assert found.looks[-1].forget <= 0.1 * found.looks[0].forget
    assert {look.utility for look in found.looks} == {1.0}
