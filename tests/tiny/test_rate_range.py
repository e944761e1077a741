"""The learning-rate range test: the rate rises until the budget is spent, and the model stays as it was."""

import pytest
import torch

from answering_models import FACTS, PLAIN, write_model
from unequal.config import build
from unequal.facts.probes import PromptFormat
from unequal.models.checkpoint import load
from unequal.unlearning.method import MethodSettings
from unequal.unlearning.rate_range import FACTOR, LOWEST, STEPS, range_test
from unequal.unlearning.run import Run
from unequal.unlearning.settings import UnlearnSettings


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    folder = tmp_path_factory.mktemp("known") / "model"
    write_model("the answer alone", folder)
    return load(folder)


def trial(checkpoint, kind, budget=0.1, **settings):
    from unequal.strict import StrictModel

    class Chosen(StrictModel):
        method: MethodSettings

    method = build(Chosen, {"method": {"kind": kind}}, "unlearn").method
    run = Run(
        checkpoint.model, checkpoint.tokenizer, method, FACTS[:4], FACTS[4:6], UnlearnSettings(**settings),
        PromptFormat(question=PLAIN),
    )  # fmt: skip
    return range_test(run, FACTS[6:], budget)


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
