"""Rows packed into a single one give what each gives alone, in every family that supports packing."""

import pytest
import torch
from transformers import AutoModelForCausalLM

from gate import of_families
from read_rows import count_rows
from unequal.models import FAMILIES
from unequal.models.capabilities import capabilities_of
from unequal.models.load import scratch_model
from unequal.models.packed_attention import packed_rows
from unequal.models.shapes import ModelSettings, Shape, Vocabulary
from unequal.scoring.packing import _shared, laid_out
from unequal.training.recompute import recomputing
from unequal.unlearning.examples import Example, score_groups

VOCABULARY = Vocabulary(size=50, window_tokens=24, end_token_id=0, padding_token_id=1)
SHAPE = Shape(width=32, layers=2, heads=4)
STATES = {"mamba", "mamba2", "falcon_h1"}
PACKED = of_families([family for family in FAMILIES if family not in STATES], "gpt2", "llama")
LENGTHS = (9, 5, 24, 5, 2, 13)


def made(family):
    return scratch_model(ModelSettings(family=family, size="tiny", shape=SHAPE), VOCABULARY, seed=0)


def rows():
    """Rows of several lengths up to the window, in no order, each with one token more that is predicted."""
    stream = torch.Generator().manual_seed(5)
    ids = [torch.randint(2, 50, (length + 1,), generator=stream).tolist() for length in LENGTHS]
    return [Example(row, (len(row) // 2, len(row))) for row in ids]


def scored(model, groups, whole=()):
    """Return log-probabilities of every row, and the gradient of their sum."""
    model.zero_grad()
    found = score_groups(model, groups, VOCABULARY.padding_token_id, whole)
    sum(one.log_probs.sum() for one in found.values()).backward()
    gradients = [weight.grad for weight in model.parameters() if weight.grad is not None]
    values = [one.log_probs[row][one.mask[row]] for one in found.values() for row in range(len(one.mask))]
    return values, torch.cat([gradient.flatten() for gradient in gradients])


@pytest.mark.parametrize("whole", [(), ("one",)], ids=["tokens", "distributions"])
@pytest.mark.parametrize("family", PACKED)
def test_scores_and_gradients_are_those_of_each_row_alone(family, whole):
    model, given = made(family), rows()
    assert capabilities_of(model).supports_packing(max(LENGTHS))
    passes = []
    model.base_model.register_forward_pre_hook(count_rows(passes), with_kwargs=True)
    together, gradient = scored(model, {"one": given[:2], "other": given[2:]}, whole)
    assert passes[-1] == len(given)
    alone = [scored(model, {"one": [row]}, whole) for row in given]
    for value, (expected, _) in zip(together, alone, strict=True):
        torch.testing.assert_close(value, expected[0], rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(gradient, sum(one for _, one in alone), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("family", PACKED)
def test_a_beginning_that_all_rows_share_is_read_once(family):
    """As that of a chat template, which may be longer than question and answer."""
    model = made(family)
    beginning = [7, 8, 9, 10, 11, 12]
    given = [
        Example([*beginning, *range(3, 4 + n), *range(20, 23 + n)], (len(beginning) + n + 1, 10 + 2 * n))
        for n in range(4)
    ]
    lengths = []
    model.base_model.register_forward_pre_hook(
        lambda _m, _args, inputs: lengths.append(int((inputs["input_ids"] != 1).sum())), with_kwargs=True
    )
    together, gradient = scored(model, {"one": given[:2], "other": given[2:]})
    assert lengths[-1] == len(beginning) + sum(len(row.ids) - 1 - len(beginning) for row in given)
    alone = [scored(model, {"one": [row]}) for row in given]
    for value, (expected, _) in zip(together, alone, strict=True):
        torch.testing.assert_close(value, expected[0], rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(gradient, sum(one for _, one in alone), rtol=1e-3, atol=1e-4)


GROUPED = ("llama", "qwen3", "gemma3", "olmoe", "mistral", "phi3")


@pytest.mark.parametrize("beginning", [0, 6])
@pytest.mark.parametrize("family", of_families(GROUPED, "llama"))
def test_heads_that_share_keys_and_answers_of_one_token_are_read_alike(family, beginning):
    config = FAMILIES.get(family)(SHAPE, VOCABULARY)
    config.num_key_value_heads = 2
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(config)
    assert model.config.num_key_value_heads < model.config.num_attention_heads
    first = list(range(30, 30 + beginning))
    given = [
        Example([*first, *range(3, 3 + n), 9], (len(first) + n, len(first) + n + 1)) for n in (1, 4, 4, 7)
    ]
    together, gradient = scored(model, {"": given})
    alone = [scored(model, {"": [row]}) for row in given]
    for value, (expected, _) in zip(together, alone, strict=True):
        torch.testing.assert_close(value, expected[0], rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(gradient, sum(one for _, one in alone), rtol=1e-3, atol=1e-4)


def test_a_beginning_is_read_by_every_row_where_states_are_dropped_at_random():
    model = made("gpt2")
    rows_of_one_beginning = [[5, 6, 7, 8], [5, 6, 7, 9]]
    found = []
    for rate, training in ((0.0, True), (0.1, False), (0.1, True)):
        model.train(training)
        for module in model.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = rate
        with laid_out(model, rows_of_one_beginning, [(3, 4)] * 2, 1) as layout:
            found.append(int((layout.input_ids != 1).sum()))
    assert found == [5, 5, 8]


def test_a_beginning_is_not_shared_where_it_is_scored_or_saves_little():
    with_beginning = [[5, 6, 7, 8], [5, 6, 9], [5, 6, 7]]
    for spans, expected in (([(2, 4), (2, 3), (2, 3)], 2), ([(1, 4), (2, 3), (2, 3)], 1), ([(0, 4)] * 3, 0)):
        assert _shared(with_beginning, spans) == expected
    assert _shared([[5, *range(30)], [5, *range(10, 40)]], [(30, 31)] * 2) == 0
    assert _shared([[5, 6, 7]], [(2, 3)]) == 0
    assert _shared([[1, 2], [3, 4]], [(1, 2)] * 2) == 0


@pytest.mark.parametrize("family", of_families(sorted(STATES), "mamba"))
def test_models_that_carry_a_state_along_the_row_are_given_padded_rows(family):
    model = made(family)
    assert not capabilities_of(model).supports_packing(5)
    with laid_out(model, [[3, 4, 5], [6, 7]], [(1, 3), (0, 2)], 1) as layout:
        assert layout.position_ids is None
        assert layout.input_ids.tolist() == [[3, 4, 5, 1], [6, 7, 1, 1]]
        assert (layout.rows.tolist(), layout.places.tolist()) == ([0, 0, 1, 1], [1, 2, 0, 1])


def test_a_window_shorter_than_the_longest_row_wants_padded_rows():
    config = FAMILIES.get("mistral")(SHAPE, VOCABULARY)
    model = made("mistral")
    assert capabilities_of(model).supports_packing(24)
    model.config.sliding_window = config.sliding_window = 8
    assert not capabilities_of(model).supports_packing(24)


@pytest.mark.parametrize("family", ["gpt2", "llama"])
def test_layers_that_are_recomputed_are_given_padded_rows_and_agree(family):
    model, given = made(family).double(), rows()
    expected, gradient = scored(model, {"": given})
    model.train()
    with recomputing(model, True):
        assert not capabilities_of(model).supports_packing(max(LENGTHS))
        found, other = scored(model, {"": given})
    for one, value in zip(found, expected, strict=True):
        torch.testing.assert_close(one, value)
    torch.testing.assert_close(other, gradient)


def test_the_models_own_attention_is_back_after_an_error():
    model = made("gpt2")
    with pytest.raises(ZeroDivisionError), packed_rows(model, [2, 2]):
        assert model.config._attn_implementation == "unequal_rows"
        raise ZeroDivisionError
    assert model.config._attn_implementation == "sdpa"
