"""Weights and stopping rules around the methods, in whole runs."""

import copy

import pytest
import torch

from tiny_world import PROMPTS, run_of
from unequal.errors import ConfigError
from unequal.unlearning.answer_objective import AnswerObjective
from unequal.unlearning.methods import METHODS
from unequal.unlearning.run import Run
from unequal.unlearning.settings import UnlearnSettings
from unequal.unlearning.stopping import Stopping
from unequal.unlearning.targets import Controls
from unequal.unlearning.unlearn import unlearn
from unequal.unlearning.weighting import Weighting


@pytest.fixture
def forget(facts):
    """Eight facts, not all of one exposure."""
    chosen = sorted((fact for fact in facts if fact.role == "forget"), key=lambda fact: fact.exposure)
    return [*chosen[:4], *chosen[-4:]]


@pytest.fixture
def controls(facts, forget):
    relations = {fact.relation for fact in forget}
    never = [fact for fact in facts if fact.role == "never_seen" and fact.relation in relations]
    return Controls([fact for fact in facts if fact.role == "utility"][:4], never)


@pytest.fixture
def run(model, tokenizer, forget, facts, controls):
    """Unlearn; returns the model after it and the judged steps, the last one flagged."""

    def start(kind="graddiff", rate=1e-3, own=forget, **settings):
        copied = copy.deepcopy(model)
        method = METHODS.get(kind).model_validate({"kind": kind, "learning_rate": rate})
        retain = [fact for fact in facts if fact.role == "retain"][:4] if method.retain_weight else []
        judged = []
        chosen = UnlearnSettings(steps=4, batch_size=4, **settings)
        run = Run(
            copied, tokenizer, method, own, retain, chosen, PROMPTS, controls=controls,
            evaluate=lambda _model, step, last: judged.append((step, last)),
        )  # fmt: skip
        unlearn(run)
        return copied, judged

    return start


def same(one, other):
    return all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


def losses(model, tokenizer, forget, weights=None, kind="npo", acts_on="loss"):
    table = {"kind": kind} if isinstance(kind, str) else kind
    method = METHODS.get(table["kind"]).model_validate({**table, "retain_weight": 0.0})
    objective = AnswerObjective(
        run_of(model, tokenizer, method, forget, batch_size=4, weighting={"acts_on": acts_on}), weights
    )
    return [next(objective.losses(step)).item() for step in range(4)]


def test_equal_weights_are_no_weights_bit_for_bit(model, tokenizer, forget):
    plain = losses(model, tokenizer, forget)
    assert losses(model, tokenizer, forget, [1.0] * len(forget)) == plain
    drawn = losses(model, tokenizer, forget, [1.0] * len(forget), acts_on="sampling")
    assert sum(drawn[:2]) == pytest.approx(sum(plain[:2]), rel=1e-5)  # two batches show every fact once


def test_a_weight_of_0_leaves_a_fact_out(model, tokenizer, forget):
    without = losses(model, tokenizer, forget[:3] + forget[4:])
    weights = [0.0 if index == 3 else 1.0 for index in range(len(forget))]
    assert losses(model, tokenizer, forget, weights) == without


def test_a_weight_scales_the_pull_of_a_fact(model, tokenizer, forget):
    two = forget[:2]
    plain = [losses(model, tokenizer, [fact], kind="ga")[0] for fact in two]
    (found, *_) = losses(model, tokenizer, two, [3.0, 1.0], kind="ga")
    assert found == pytest.approx((1.5 * plain[0] + 0.5 * plain[1]) / 2, rel=1e-5)


@pytest.mark.parametrize("kind", ["npo", "wga", "simnpo"])
def test_weights_on_beta_are_the_methods_own_beta_for_each_fact(model, tokenizer, forget, kind):
    two = forget[:2]
    own = {"kind": kind, "beta": 0.5}
    (found, *_) = losses(model, tokenizer, two, [3.0, 1.0], own, "beta")
    apart = [
        losses(model, tokenizer, [fact], kind={"kind": kind, "beta": 0.5 * factor})[0]
        for fact, factor in zip(two, (1.5, 0.5), strict=True)
    ]
    assert found == pytest.approx(sum(apart) / 2, rel=1e-5)
    assert found != pytest.approx(losses(model, tokenizer, two, kind=own)[0], rel=1e-3)
    plain = losses(model, tokenizer, forget, kind=own)
    assert losses(model, tokenizer, forget, [0.3] * len(forget), own, "beta") == plain  # bit for bit


def test_weighting_changes_a_run_and_its_placebo_differs(run):
    plain, _ = run()
    uniform, _ = run(weighting=Weighting(by="uniform"))
    assert same(plain, uniform)
    rules = ("count", "shuffled_counts", "confidence", "random")
    others = [run(weighting=Weighting(by=by))[0] for by in rules]
    assert not same(others[0], others[1])
    drawn, _ = run(weighting=Weighting(by="count", acts_on="sampling"))
    assert not any(same(plain, other) for other in [*others, drawn])


def test_weights_on_beta_change_a_run_of_a_method_that_has_it_and_no_other(run):
    on_beta = {"weighting": Weighting(by="count", acts_on="beta")}
    plain, _ = run("npo")
    assert not same(plain, run("npo", **on_beta)[0])
    with pytest.raises(ConfigError, match="method graddiff has no beta for weights to act on"):
        run("graddiff", **on_beta)


def test_a_run_without_rules_lasts_its_steps(run):
    assert run()[1] == [(0, False), (1, False), (2, False), (4, True)]


def test_a_run_ends_when_enough_is_forgotten(run):
    assert run(stopping=Stopping(forget_probability=1.0))[1] == [(0, False), (1, True)]
    assert run(stopping=Stopping(forget_probability=1.0, check_every=3))[1][-1] == (3, True)


def test_a_run_that_costs_too_much_goes_back(run, model):
    ended, judged = run("ga", rate=5.0, stopping=Stopping(utility_drop=0.01))
    assert judged == [(0, False), (0, True)]
    assert same(ended, model)


def test_facts_that_are_done_pull_no_more(model, tokenizer, forget):
    method = METHODS.get("ga").model_validate({"kind": "ga"})
    objective = AnswerObjective(run_of(model, tokenizer, method, forget[:4], [], batch_size=4))
    before = next(objective.losses(0)).item()
    objective.weights.exclude(torch.tensor([True, True, True, True]))
    assert next(objective.losses(0)).item() == 0.0
    assert before != 0.0


def test_matched_ignorance_ends_when_every_fact_is_done(run):
    _, judged = run("ga", rate=3e-2, stopping=Stopping(matched_ignorance=True))
    last, flagged = judged[-1]
    assert flagged
    assert 0 < last < 4


@pytest.mark.parametrize(
    "settings", [{"stopping": Stopping(forget_probability=0.5)}, {"weighting": Weighting(by="random")}]
)
def test_methods_without_a_loss_take_neither(run, settings):
    with pytest.raises(ConfigError, match="task_vector minimises no loss"):
        run("task_vector", **settings)
