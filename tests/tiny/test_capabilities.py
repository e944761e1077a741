"""Capability checks: what the configuration of an unknown architecture promises is tried before use."""

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from unequal.models.capabilities import capabilities_of
from unequal.models.layers import last_layer_at
from unequal.scoring.decode import Batches, Decoding, Rows
from unequal.scoring.encoding import OpenPrompt
from unequal.scoring.prefix_tree import grow, tree_mask

pytestmark = pytest.mark.full


class Unheard(LlamaConfig):
    """A Llama by another name."""

    model_type = "unheard_of"


class Honest(LlamaForCausalLM):
    """Does what its configuration promises."""


class Deaf(LlamaForCausalLM):
    """Takes a mask and does not look at it."""

    def forward(self, input_ids=None, attention_mask=None, position_ids=None, **more):
        del attention_mask
        return super().forward(input_ids=input_ids, position_ids=position_ids, **more)


class Counting(LlamaForCausalLM):
    """Takes positions and counts for itself."""

    def forward(self, input_ids=None, attention_mask=None, position_ids=None, **more):
        del position_ids
        places = torch.arange(input_ids.shape[1])[None].expand_as(input_ids)
        return super().forward(
            input_ids=input_ids, attention_mask=attention_mask, position_ids=places, **more
        )


class Shortsighted(LlamaForCausalLM):
    """Has a window of eight tokens that its configuration does not tell and a mask of ours would widen."""

    def forward(self, input_ids=None, attention_mask=None, position_ids=None, **more):
        n = input_ids.shape[1]
        if attention_mask is None:
            near = torch.ones(n, n, dtype=torch.bool).tril().triu(-7)
            attention_mask = near[None, None].expand(len(input_ids), 1, n, n)
        return super().forward(
            input_ids=input_ids, attention_mask=attention_mask, position_ids=position_ids, **more
        )


class Forgetful(LlamaForCausalLM):
    """Keeps keys and values that are of no use, and looks at nothing but tokens."""

    def forward(self, input_ids=None, past_key_values=None, attention_mask=None, position_ids=None, **more):
        del past_key_values, attention_mask, position_ids
        return super().forward(input_ids=input_ids, **more)


class Failing(LlamaForCausalLM):
    """Cannot take a mask of four dimensions."""

    def forward(self, input_ids=None, attention_mask=None, position_ids=None, **more):
        if attention_mask is not None and attention_mask.dim() == 4:
            raise IndexError("too many dimensions")
        return super().forward(
            input_ids=input_ids, attention_mask=attention_mask, position_ids=position_ids, **more
        )


def made(kind, seed=5):
    config = Unheard(
        vocab_size=50, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
        max_position_embeddings=64, initializer_range=0.3, attn_implementation="sdpa",
    )  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return kind(config).eval()


SEES = {Honest: True, Deaf: False, Counting: False, Shortsighted: False, Forgetful: False, Failing: False}


@pytest.mark.parametrize("kind", SEES)
def test_prompts_are_shared_only_where_a_trial_shows_that_it_is_right(kind):
    model = made(kind)
    assert capabilities_of(model).supports_shared_prefix(20) == SEES[kind]
    prompt, answers = [7, 8, 9] * 4, [[3, 4, 5], [6, 7, 8, 2], [9, 1]]
    tree = grow(prompt, answers)
    mask = {
        "attention_mask": tree_mask([tree], len(tree.ids)),
        "position_ids": torch.tensor([tree.positions]),
    }
    with torch.no_grad():
        rows = [model(input_ids=torch.tensor([prompt + answer])).logits[0] for answer in answers]
        right = torch.cat([row[len(prompt) - 1 : -1] for row in rows])
        try:
            shared = model(input_ids=torch.tensor([tree.ids]), **mask).logits[0][tree.reads]
        except IndexError:
            shared = torch.zeros_like(right)
    assert torch.allclose(shared, right, atol=1e-4) == SEES[kind]


@pytest.mark.parametrize("kind", SEES)
def test_rows_stand_one_after_another_only_where_a_trial_shows_that_it_is_right(kind):
    assert capabilities_of(made(kind)).supports_packing(20) == SEES[kind]


def test_a_window_is_found_by_rows_that_are_longer():
    model = made(Shortsighted)
    assert not capabilities_of(model).supports_shared_prefix(
        3
    )  # trials are of eight tokens at least, and as many branches
    assert not capabilities_of(model).supports_shared_prefix(20)


@pytest.mark.parametrize(("kind", "keeps"), [(Honest, True), (Forgetful, False)])
def test_what_a_model_keeps_is_used_only_where_a_trial_shows_that_it_serves(kind, keeps):
    model = made(kind)
    assert capabilities_of(model).kv_cache == keeps
    prompts = torch.tensor([[7, 8, 9, 3], [4, 4, 6, 5]])
    with torch.inference_mode():
        decoding = Decoding(model, Rows([0, 1], prompts))
        decoding.step(torch.tensor([3, 9]))
        other = decoding.copy(torch.tensor([1, 1, 0]))
        other.step(torch.tensor([2, 5, 2]))
        rows = torch.tensor([[4, 4, 6, 5, 9, 2], [4, 4, 6, 5, 9, 5], [7, 8, 9, 3, 3, 2]])
        torch.testing.assert_close(other.logits, model(input_ids=rows).logits[:, -1], rtol=0, atol=1e-4)


@pytest.mark.parametrize(
    ("kind", "ignores"), [(Honest, True), (Deaf, False), (Counting, False), (Forgetful, False)]
)
def test_rows_are_padded_on_the_left_only_where_a_trial_shows_that_it_is_right(kind, ignores):
    model = made(kind)
    assert capabilities_of(model).left_padding == ignores
    prompts = [OpenPrompt(ids, 5, frozenset()) for ids in ([7, 8, 9, 3, 2], [4, 6], [9, 9, 9], [5, 4])]
    batches = Batches(prompts, 8).of(model)
    assert sorted(map(len, (batch.indices for batch in batches))) == ([4] if ignores else [1, 1, 2])
    with torch.inference_mode():
        for batch in batches:
            decoding = Decoding(model, batch)
            decoding.select(torch.arange(len(batch.indices)).flip(0))
            decoding.step(torch.full((len(batch.indices),), 3))
            for row, index in enumerate(reversed(batch.indices)):
                alone = model(input_ids=torch.tensor([[*prompts[index].ids, 3]])).logits[0, -1]
                torch.testing.assert_close(decoding.logits[row], alone, rtol=0, atol=1e-4)


def test_many_rows_of_one_length_and_rows_near_the_end_of_the_window_are_not_padded():
    model = made(Honest)
    many = [OpenPrompt([5, 4, 3], 5, frozenset()) for _ in range(64)]
    few = [OpenPrompt([5] * length, 5, frozenset()) for length in (4, 7, 9)]
    assert sorted(len(batch.indices) for batch in Batches([*many, *few], 256).of(model)) == [3, 64]
    long = [OpenPrompt([5] * length, 20, frozenset()) for length in (4, 50)]
    assert [batch.mask for batch in Batches(long, 256).of(model)] == [None, None]


def test_the_last_layer_runs_everywhere():
    model = made(Honest)
    ids = torch.tensor([[3, 4, 5, 6]])
    with torch.no_grad():
        expected = model(input_ids=ids).logits
        with last_layer_at(model, torch.tensor([0]), torch.tensor([1])):
            assert torch.equal(model(input_ids=ids).logits, expected)


def test_a_check_runs_once_in_evaluation_mode_and_leaves_the_model_as_it_was():
    model, modes = made(Honest).train(), []
    model.register_forward_pre_hook(lambda one, _inputs: modes.append(one.training))
    assert [capabilities_of(model).causal for _ in range(2)] == [True, True]
    assert modes == [False, False]  # two rows, read by the first check alone
    assert capabilities_of(model).plain_head
    assert model.training
    assert all(weight.grad is None for weight in model.parameters())


def test_a_model_that_fails_in_a_check_does_not_support_it_and_is_not_checked_again():
    model, calls = made(Honest).train(), []
    model.register_forward_pre_hook(lambda _one, _inputs: calls.append(1) or 1 / 0)
    assert [capabilities_of(model).kv_cache for _ in range(2)] == [False, False]
    assert len(calls) == 1
    assert model.training
    with pytest.raises(ZeroDivisionError):
        _ = capabilities_of(model).causal
    assert model.training
