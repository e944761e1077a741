"""A setting of a method that differs by fact: each fact has the loss that it has alone with its own."""

from math import log

import pytest
import torch

from hand_made_scores import ANSWERS, can_be_made, forget_scores, hand_made_logits
from unequal.unlearning.method import ForgetScores, TokenScores
from unequal.unlearning.methods import METHODS

FACTORS = (0.25, 1.0, 1.75)
SCHEDULES = [
    (kind, setting)
    for kind in METHODS
    if can_be_made(METHODS.get(kind))
    for setting in METHODS.get(kind).scheduled
]
each_schedule = pytest.mark.parametrize(("kind", "setting"), SCHEDULES)


def build(kind, **settings):
    return METHODS.get(kind).model_validate({"kind": kind, **settings})


def usual(kind, setting):
    """Return the field's name, and its default or, where that is 0, a value that tells facts apart."""
    field = METHODS.get(kind).scheduled[setting]
    return field, getattr(build(kind), field) or 0.7


def scores_with(method, setting, factors, rows=slice(None)):
    found = forget_scores(method, hand_made_logits(), rows)
    roles = {name: value for name, value in vars(found).items() if name != "factors"}
    return ForgetScores(**roles, factors={setting: torch.tensor(factors)})


@each_schedule
def test_each_fact_has_its_own(kind, setting):
    field, value = usual(kind, setting)
    method = build(kind, **{field: value})
    losses = method.forget_loss(scores_with(method, setting, FACTORS))
    assert losses.shape == (len(ANSWERS),)
    for row, factor in enumerate(FACTORS):
        own = build(kind, **{field: value * factor})
        alone = own.forget_loss(forget_scores(own, hand_made_logits(), slice(row, row + 1)))
        assert losses[row].item() == pytest.approx(alone.item(), rel=1e-12)
    plain = method.forget_loss(forget_scores(method, hand_made_logits()))
    assert plain[1].item() == pytest.approx(losses[1].item(), rel=1e-12)
    assert abs(plain[0].item() / losses[0].item() - 1) > 1e-6


def test_npo_with_two_betas_by_hand():
    """S − S⁰ = ln 2 for both facts; β 0.1 and 0.3: 20 ln(1 + 2^−0.1) and (20/3) ln(1 + 2^−0.3)."""
    npo = build("npo", beta=0.2)
    now, start = (
        TokenScores(torch.full((2, 1), log(p)), torch.ones(2, 1, dtype=torch.bool)) for p in (0.25, 0.5)
    )
    scores = ForgetScores(now, start, factors={"beta": torch.tensor((0.5, 1.5))})
    assert npo.forget_loss(scores).tolist() == pytest.approx([13.181805, 3.963803], abs=1e-5)


def test_every_method_with_such_a_setting_declares_it():
    """Those whose β already differs by popularity have no one value to scale."""
    for kind in METHODS:
        method = METHODS.get(kind)
        named = {name for name in ("beta", "margin") if name in method.model_fields}
        assert named <= set(method.scheduled)
        assert set(method.scheduled.values()) <= set(method.model_fields)
    assert len(SCHEDULES) == 12
