"""The last layer at the tokens asked for alone gives scores and gradients that are the model's own."""

import pytest
import torch
from transformers.models.gpt2.modeling_gpt2 import GPT2Attention

from unequal.models import absorbed
from unequal.models.absorbed import asked_at, can_absorb, last_layer_absorbed
from unequal.models.adapters import Adapter, AdapterSettings
from unequal.models.load import scratch_model
from unequal.models.shapes import ModelSettings, Shape, Vocabulary
from unequal.scoring import packing
from unequal.unlearning.examples import Example, score_groups

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
        found.append(Example(ids, (len(ids) - n_after - n_scored, len(ids) - n_after)))
    return found


def scored(model, groups):
    """Return all log-probabilities, and the gradient of each weight of a sum of them."""
    model.zero_grad()
    found = score_groups(model, groups, VOCABULARY.padding_token_id)
    values = torch.cat([one.log_probs[one.mask] for one in found.values()])
    (values * torch.arange(1, len(values) + 1)).sum().backward()
    return values.detach(), {name: weight.grad.clone() for name, weight in model.named_parameters()}


@pytest.fixture
def used(monkeypatch):
    """Return a list that grows whenever the last layer runs at what is asked for alone."""
    calls, plain = [], absorbed._attend
    monkeypatch.setattr(absorbed, "_attend", lambda *given: calls.append(1) or plain(*given))
    return calls


def can_be_asked(model, lengths=(20, 12), spans=((16, 20), (11, 12)), shared=0):
    return can_absorb(model, lengths, spans, shared)


@pytest.mark.parametrize("beginning", [(), BEGINNING], ids=["each its own", "one beginning"])
@pytest.mark.parametrize("multiple", [1, 64], ids=["as many as there are", "filled up"])
def test_scores_and_gradients_are_those_of_the_models_own_layer(beginning, multiple, used, monkeypatch):
    monkeypatch.setattr(absorbed, "_ROUND", multiple)
    model, given = made(), rows(beginning)
    groups = {"one": given[:2], "other": given[2:]}
    values, gradients = scored(model, groups)
    assert used == [1]
    monkeypatch.setattr(packing, "can_absorb", lambda *_: False)
    expected, others = scored(model, groups)
    assert used == [1]
    torch.testing.assert_close(values, expected, rtol=1e-12, atol=1e-12)
    for name, gradient in others.items():
        torch.testing.assert_close(gradients[name], gradient, rtol=1e-9, atol=1e-11)


def test_each_row_alone_gives_the_same_in_float32(used):
    model, given = made().float(), rows()
    together, _ = scored(model, {"": given})
    assert used == [1]
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


def test_it_steps_aside_where_it_would_be_slow_or_large():
    model = made()
    assert can_be_asked(model)
    assert not can_be_asked(model, spans=((0, 20), (0, 12)))  # most tokens are asked for
    assert not can_be_asked(model, (20, *[2] * 30), ((19, 20), *[(1, 2)] * 30))  # one row is much longer
    assert not can_be_asked(model, (20, *[12] * 30), ((10, 20), *[(11, 12)] * 30))  # and asks much more
    assert not can_be_asked(model, [2] * 30, [(1, 2)] * 30, shared=20)  # what is read once would be laid out


def test_it_steps_aside_where_it_would_be_wrong():
    model = made()
    assert not can_be_asked(made("llama"))  # which turns keys by their position
    assert not can_be_asked(made().bfloat16())
    with torch.autocast("cpu", torch.bfloat16):
        assert not can_be_asked(model)
    assert can_be_asked(model)
    for find in (
        lambda model: model.base_model.h[-1],
        lambda model: model.base_model.h[-1].attn,
        lambda model: model.base_model.h[-1].attn.c_attn,
        lambda model: model.base_model.ln_f,
    ):
        hooked = made()
        find(hooked).register_forward_hook(lambda *_: None)
        assert not can_be_asked(hooked)
    for find in (lambda model: model.base_model.h[-1], lambda model: model.base_model.h[-1].attn):
        other = made()
        find(other).forward = lambda states: states
        assert not can_be_asked(other)

    class Own(GPT2Attention):
        pass

    model.base_model.h[-1].attn.__class__ = Own
    assert not can_be_asked(model)


def test_adapters_of_its_projection_are_run():
    pytest.importorskip("peft")
    model = made().float()
    adapter = Adapter(model, AdapterSettings(rank=2), seed=0)
    assert not can_be_asked(model)
    score_groups(model, {"": rows()}, VOCABULARY.padding_token_id)
    adapter.merge()
    assert can_be_asked(model)


def test_states_dropped_at_random_are_dropped(used):
    model = made()
    model.base_model.h[-1].attn.resid_dropout.p = 0.5
    score_groups(model.eval(), {"": rows()}, VOCABULARY.padding_token_id)
    assert used == [1]
    score_groups(model.train(), {"": rows()}, VOCABULARY.padding_token_id)
    assert used == [1]
