"""The last layer at the tokens asked for alone gives scores and gradients that are the model's own."""

import pytest
import torch

from unequal.models import absorbed
from unequal.models.absorbed import asked_at, can_absorb, last_layer_absorbed
from unequal.models.adapters import Adapter, AdapterSettings
from unequal.models.load import scratch_model
from unequal.models.shapes import ModelSettings, Shape, Vocabulary
from unequal.scoring import layout
from unequal.unlearning.rows import Row, score_groups

VOCABULARY = Vocabulary(size=50, window_tokens=32, end_token_id=0, padding_token_id=1)
SHAPE = Shape(width=32, layers=2, heads=2)
BEGINNING = [2, 3, 4, 5, 6, 7]


def made(family="gpt2"):
    return scratch_model(ModelSettings(family=family, size="tiny", shape=SHAPE), VOCABULARY, seed=0).double()


def rows(beginning=(), most=4):
    """Rows of several lengths in no order, of which 1 to ``most`` tokens at or near the end are scored."""
    stream = torch.Generator().manual_seed(3)
    found = []
    for n_own, n_scored, n_after in ((12, 1, 0), (9, most, 0), (20, 2, 3), (12, 3, 1), (9, 1, 1)):
        ids = [*beginning, *torch.randint(8, 50, (n_own,), generator=stream).tolist()]
        found.append(Row(ids, (len(ids) - n_after - n_scored, len(ids) - n_after)))
    return found


def scored(model, groups):
    """Return all log-probabilities, and the gradient of each weight of a sum of them."""
    model.zero_grad()
    found = score_groups(model, groups, VOCABULARY.padding_token_id)
    values = torch.cat([one.log_probs[one.mask] for one in found.values()])
    (values * torch.arange(1, len(values) + 1)).sum().backward()
    return values.detach(), {name: weight.grad.clone() for name, weight in model.named_parameters()}


def keys_made(model):
    """Return a list that grows whenever the last layer works out queries, keys and values of all tokens."""
    calls = []
    last = model.base_model.h[-1]
    last.attn.c_attn.register_forward_hook(lambda *_: calls.append(1))
    return calls


@pytest.mark.parametrize("beginning", [(), BEGINNING], ids=["each its own", "one beginning"])
@pytest.mark.parametrize("multiple", [1, 64], ids=["as many as there are", "filled up"])
def test_scores_and_gradients_are_those_of_the_models_own_layer(beginning, multiple, monkeypatch):
    monkeypatch.setattr(absorbed, "_ROUND", multiple)
    model, given = made(), rows(beginning)
    groups = {"one": given[:2], "other": given[2:]}
    calls = keys_made(model)
    values, gradients = scored(model, groups)
    assert calls == []
    monkeypatch.setattr(layout, "can_absorb", lambda *_: False)
    expected, others = scored(model, groups)
    assert calls == [1]
    torch.testing.assert_close(values, expected, rtol=1e-12, atol=1e-12)
    for name, gradient in others.items():
        torch.testing.assert_close(gradients[name], gradient, rtol=1e-9, atol=1e-11)


def test_each_row_alone_gives_the_same_in_float32():
    model, given = made().float(), rows()
    calls = keys_made(model)
    together, _ = scored(model, {"": given})
    assert calls == []
    alone = torch.cat([scored(model, {"": [row]})[0] for row in given])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)


def test_what_no_token_asks_for_has_no_weight():
    """A slot that a row lacks, or a token of another row, may hold what is no number."""
    model = made()
    asked = asked_at([0, 3], [3, 2], [(2, 3), (0, 2)], 0)
    assert asked.places.tolist() == [2, 3, 4]
    assert asked.slots.tolist() == [0, 2, 3]
    assert asked.seen.tolist() == [[0, 1, 2], [3, 4, 0]]
    sees = (asked.hidden == 0).tolist()
    assert sees[0][0] == [True, True, True]
    assert sees[1] == [[True, False, False], [True, True, False]]
    with last_layer_absorbed(model, asked):
        states = model.base_model(torch.tensor([[8, 9, 10, 11, 12, 13]])).last_hidden_state
    assert (states[0, [0, 1, 5]] == 0).all()
    assert (states[0, [2, 3, 4]] != 0).any(-1).all()


def test_the_layers_own_forward_is_back_after_an_error():
    model = made()
    with pytest.raises(ZeroDivisionError), last_layer_absorbed(model, asked_at([0], [3], [(2, 3)], 0)):
        assert "forward" in vars(model.base_model.h[-1])
        raise ZeroDivisionError
    assert "forward" not in vars(model.base_model.h[-1])
    assert "forward" not in vars(model.base_model.ln_f)


def test_it_steps_aside_where_it_would_be_wrong_or_slow():
    model = made()
    assert can_absorb(model, 20, 4)
    assert not can_absorb(model, 20, 12)  # most tokens are asked for
    assert not can_absorb(made("llama"), 20, 4)  # which turns keys by their position
    assert not can_absorb(made().bfloat16(), 20, 4)
    with torch.autocast("cpu", torch.bfloat16):
        assert not can_absorb(model, 20, 4)
    model.base_model.h[-1].forward = lambda states: states
    assert not can_absorb(model, 20, 4)


def test_adapters_of_its_projection_are_run():
    model = made().float()
    adapter = Adapter(model, AdapterSettings(rank=2), seed=0)
    assert not can_absorb(model, 20, 4)
    score_groups(model, {"": rows()}, VOCABULARY.padding_token_id)
    adapter.merge()
    assert can_absorb(model, 20, 4)


def test_states_dropped_at_random_are_dropped(monkeypatch):
    model, used = made(), []
    monkeypatch.setattr(layout, "can_absorb", lambda *_: used.append(1) or True)
    model.base_model.h[-1].attn.resid_dropout.p = 0.5
    score_groups(model.eval(), {"": rows()}, VOCABULARY.padding_token_id)
    assert used == [1]
    score_groups(model.train(), {"": rows()}, VOCABULARY.padding_token_id)
    assert used == [1]
