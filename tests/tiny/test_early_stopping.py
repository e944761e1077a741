"""Early stopping: each rule against probabilities worked out one fact at a time."""

import copy
from dataclasses import replace

import pytest
import torch
from pydantic import ValidationError

from tiny_world import PROMPTS, run_of
from unequal.errors import ConfigError
from unequal.unlearning.early_stopping import EarlyStopping
from unequal.unlearning.methods import METHODS
from unequal.unlearning.stopping import Stopping
from unequal.unlearning.targets import Controls


@pytest.fixture
def forget(facts):
    chosen = [fact for fact in facts if fact.role == "forget"]
    return chosen[:18]


@pytest.fixture
def controls(facts, forget):
    relations = {fact.relation for fact in forget}
    never = [fact for fact in facts if fact.role == "never_seen" and fact.relation in relations]
    return Controls([fact for fact in facts if fact.role == "utility"][:4], never)


@pytest.fixture
def own(model):
    return copy.deepcopy(model)


def early_stopping(model, tokenizer, rules, forget, controls):
    run = run_of(model, tokenizer, METHODS.get("ga")(), forget, stopping=rules)
    return EarlyStopping(replace(run, controls=controls))


def probability(model, tokenizer, fact):
    """exp(−S/n) of the fact's answer, from the model's own logits."""
    prompt = tokenizer(PROMPTS.ask(fact.question))["input_ids"]
    ids = prompt + tokenizer(f" {fact.answer}", add_special_tokens=False)["input_ids"]
    with torch.no_grad():
        everything = model(input_ids=torch.tensor([ids])).logits[0, :-1].float().log_softmax(1)
    chosen = everything.gather(1, torch.tensor(ids[1:])[:, None]).squeeze(1)
    return chosen[len(prompt) - 1 :].mean().exp().item()


def mean(model, tokenizer, facts):
    return sum(probability(model, tokenizer, fact) for fact in facts) / len(facts)


def disturb(model, size):
    stream = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for weight in model.parameters():
            weight += size * torch.randn(weight.shape, generator=stream)


@pytest.mark.parametrize(("factor", "expected"), [(1.001, "forgotten"), (0.999, None)])
def test_a_run_ends_when_enough_is_forgotten(own, tokenizer, forget, controls, factor, expected):
    now = mean(own, tokenizer, forget)
    stopping = early_stopping(own, tokenizer, Stopping(forget_probability=factor * now), forget, controls)
    assert stopping.check(1) == expected


def test_a_run_goes_back_when_utility_fell_too_far(own, tokenizer, forget, controls):
    rules = Stopping(utility_drop=0.2)
    stopping = early_stopping(own, tokenizer, rules, forget, controls)
    assert stopping.check(1) is None
    disturb(own, 1e-4)
    assert stopping.check(2) is None
    good = copy.deepcopy(own.state_dict())
    before = mean(own, tokenizer, controls.utility)
    disturb(own, 1.0)
    with torch.no_grad():  # whatever the noise did, make utility answers improbable
        head = own.get_output_embeddings().weight
        head.mul_(30.0)
    fell = mean(own, tokenizer, controls.utility) < 0.8 * before
    assert stopping.check(3) == ("utility" if fell else None)
    assert fell, "the disturbance is large enough to be seen"
    assert stopping.kept_step == 2
    assert all(torch.equal(value, good[name]) for name, value in own.state_dict().items())


def test_a_fact_is_done_when_it_is_as_unknown_as_never_seen_ones(own, tokenizer, forget, controls):
    disturb(own, 0.3)  # spreads the probabilities
    stopping = early_stopping(own, tokenizer, Stopping(matched_ignorance=True), forget, controls)
    reason = stopping.check(1)
    ignorance = {
        relation: mean(own, tokenizer, [f for f in controls.never_seen if f.relation == relation])
        for relation in {fact.relation for fact in forget}
    }
    expected = [probability(own, tokenizer, fact) <= ignorance[fact.relation] for fact in forget]
    assert stopping.done.tolist() == expected
    assert reason == ("ignorance" if all(expected) else None)
    assert any(expected) and not all(expected), "the case is worth testing"


def test_a_fact_that_is_done_stays_done(own, tokenizer, forget, controls):
    stopping = early_stopping(own, tokenizer, Stopping(matched_ignorance=True), forget, controls)
    stopping.check(1)
    before = stopping.done.clone()
    disturb(own, 0.5)
    stopping.check(2)
    assert bool((stopping.done | before).equal(stopping.done))


def test_checks_are_made_when_they_are_due(own, tokenizer, forget, controls):
    rules = Stopping(forget_probability=1.0, check_every=3)
    stopping = early_stopping(own, tokenizer, rules, forget, controls)
    assert [stopping.check(step) for step in range(7)] == [None, None, None, "forgotten"] + [None] * 2 + [
        "forgotten"
    ]


def test_rules_that_lack_facts_are_refused(own, tokenizer, forget, controls):
    with pytest.raises(ConfigError, match="utility_drop needs facts of the role utility"):
        early_stopping(own, tokenizer, Stopping(utility_drop=0.1), forget, Controls())
    with pytest.raises(ConfigError, match="matched_ignorance needs never-seen facts of every relation"):
        early_stopping(own, tokenizer, Stopping(matched_ignorance=True), forget, Controls())
    with pytest.raises(ValidationError, match="check_every needs"):
        Stopping(check_every=2)
