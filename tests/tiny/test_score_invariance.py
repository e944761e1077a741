"""A fact's scores and texts depend on the fact and the model alone, in every family of decoders.

Not on the size of batches, their order, the other facts, the side a tokenizer pads on, or on whether the
answers of a prompt share its row. Scores also equal those of plain logits, one row at a time.
"""

import random
from dataclasses import replace

import numpy as np
import pytest
import torch
import transformers
from transformers import AutoModelForCausalLM

from gate import of_families, only_in_full
from tiny_world import PROMPTS
from unequal.facts.probes import PROBE_KINDS, ProbeMaker
from unequal.models.capabilities import capabilities_of
from unequal.scoring.encoding import encode, open_prompt
from unequal.scoring.generate import GenerationPass, generate
from unequal.scoring.log_probs import AnswerPass
from unequal.scoring.sample import SamplePass

TOLERANCE = 2e-5  # nats, of a token's log-probability in float32
WIDTH, WINDOW = 32, 8

COMMON = {
    "hidden_size": WIDTH, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2,
    "initializer_range": 0.3, "tie_word_embeddings": False,
}  # fmt: skip
GROUPED = {**COMMON, "num_key_value_heads": 1}
SPARSE = {**GROUPED, "num_experts_per_tok": 2}
SLIDING = {"head_dim": 16, "layer_types": ["sliding_attention", "full_attention"]}
MAMBA = {"hidden_size": WIDTH, "num_hidden_layers": 2, "state_size": 4, "initializer_range": 0.3}
HYBRID = {
    **SPARSE, "num_experts": 4, "moe_intermediate_size": 32, "shared_expert_intermediate_size": 32,
    "head_dim": 16, "layer_types": ["linear_attention", "full_attention"], "linear_num_value_heads": 2,
    "linear_num_key_heads": 2, "linear_key_head_dim": 16, "linear_value_head_dim": 16,
}  # fmt: skip

FAMILIES = {
    "gpt2": ("GPT2", {"n_embd": WIDTH, "n_layer": 2, "n_head": 2, "initializer_range": 0.3}),
    "gpt2-eager": ("GPT2", {"n_embd": WIDTH, "n_layer": 2, "n_head": 2, "initializer_range": 0.3}),
    "gpt_neox": ("GPTNeoX", COMMON),
    "llama": ("Llama", GROUPED),
    "olmo2": ("Olmo2", GROUPED),
    "qwen3": ("Qwen3", {**GROUPED, "head_dim": 16}),
    "gemma2": ("Gemma2", {**GROUPED, **SLIDING, "sliding_window": 256}),
    "gemma3": ("Gemma3Text", {**GROUPED, **SLIDING, "sliding_window": 256}),
    "gemma3-narrow": ("Gemma3Text", {**GROUPED, **SLIDING, "sliding_window": WINDOW}),
    "mistral": ("Mistral", {**GROUPED, "sliding_window": 256}),
    "mistral-narrow": ("Mistral", {**GROUPED, "sliding_window": WINDOW}),
    "olmoe": ("Olmoe", {**SPARSE, "num_experts": 4}),
    "mixtral": ("Mixtral", {**SPARSE, "num_local_experts": 4}),
    "bloom": ("Bloom", {"hidden_size": WIDTH, "n_layer": 2, "n_head": 2, "initializer_range": 0.3}),
    "falcon-alibi": ("Falcon", {**COMMON, "alibi": True}),
    "mamba": ("Mamba", MAMBA),
    "qwen3_next": ("Qwen3Next", HYBRID),
}
ONE_ROW_AN_ANSWER = {"gemma3-narrow", "mistral-narrow", "bloom", "falcon-alibi", "mamba", "qwen3_next"}


@pytest.fixture(scope="module")
def probes(facts):
    """A probe of every kind about some facts; all have wrong answers."""
    maker = ProbeMaker(facts, PROMPTS)
    return [probe for fact in facts[::29] for probe in maker.probes(fact, PROBE_KINDS)]


@pytest.fixture(scope="module", params=of_families(FAMILIES, "gpt2", "llama"))
def family(request):
    return request.param


@pytest.fixture(scope="module")
def model(family, tokenizer):
    name, settings = FAMILIES[family]
    special = {"bos_token_id": 0, "eos_token_id": tokenizer.eos_token_id, "pad_token_id": 1}
    config = getattr(transformers, f"{name}Config")(vocab_size=len(tokenizer), **special, **settings)
    attention = {"attn_implementation": "eager"} if family.endswith("eager") else {}
    with torch.random.fork_rng():
        torch.manual_seed(11)
        return AutoModelForCausalLM.from_config(config, dtype=torch.float32, **attention).eval()


def flat(scores):
    """Return log-probabilities, and ranks, of all answers of each probe in a row."""
    answers = [(score.right, *score.wrong) for score in scores]
    return [
        [np.concatenate([getattr(answer, name) for answer in some]) for name in ("log_probs", "ranks")]
        for some in answers
    ]


def assert_same(first, second):
    """Log-probabilities agree within the tolerance; a rank may differ only where two tokens nearly tie."""
    assert len(first) == len(second)
    for (logs, ranks), (other_logs, other_ranks) in zip(first, second, strict=True):
        np.testing.assert_allclose(logs, other_logs, rtol=0, atol=TOLERANCE)
        assert np.abs(ranks - other_ranks).max() <= 1
        assert (ranks != other_ranks).mean() < 0.02


@pytest.fixture(scope="module")
def expected(model, tokenizer, probes):
    return flat(AnswerPass(tokenizer, probes).run(model))


def test_scores_are_those_of_all_logits_of_one_row(model, tokenizer, probes, expected):
    for probe, (logs, ranks) in list(zip(probes, expected, strict=True))[::5]:
        encoded = encode(tokenizer, probe.prompt, (probe.answer, *probe.distractors))
        rows = []
        for ids in encoded.continuations:
            with torch.no_grad():
                logits = model(torch.tensor([encoded.prompt + ids]), use_cache=False).logits[0].double()
            logits = logits[len(encoded.prompt) - 1 : -1].log_softmax(-1)
            chosen = logits[range(len(ids)), ids]
            rows.append(np.array([chosen.numpy(), (logits > chosen[:, None]).sum(1).numpy()]))
        plain = np.concatenate(rows, axis=1)
        assert_same([[logs, ranks]], [plain])


def test_which_models_share_a_prompt(model, family, tokenizer, probes):
    longest = AnswerPass(tokenizer, probes)._longest
    assert longest > WINDOW
    assert capabilities_of(model).supports_shared_prefix(longest) == (family not in ONE_ROW_AN_ANSWER)


def test_sharing_the_prompt_changes_nothing(model, tokenizer, probes, expected):
    assert_same(flat(AnswerPass(tokenizer, probes, share_prefix=False).run(model)), expected)


@pytest.mark.parametrize("n_rows", [7, *only_in_full(1, 64)])
def test_neither_batch_size_nor_order_matters(model, tokenizer, probes, expected, n_rows):
    order = random.Random(n_rows).sample(range(len(probes)), len(probes))
    longest = AnswerPass(tokenizer, probes)._longest
    shuffled = AnswerPass(tokenizer, [probes[i] for i in order], token_budget=n_rows * longest)
    found = flat(shuffled.run(model))
    assert_same([found[order.index(i)] for i in range(len(probes))], expected)


def test_neither_other_facts_nor_other_answers_matter(model, tokenizer, probes, expected):
    alone = [flat(AnswerPass(tokenizer, [probe]).run(model))[0] for probe in probes[:6]]
    assert_same(alone, expected[:6])
    bare = [replace(probe, distractors=()) for probe in probes]
    for right, (logs, ranks) in zip(flat(AnswerPass(tokenizer, bare).run(model)), expected, strict=True):
        n_tokens = len(right[0])
        assert_same([right], [[logs[:n_tokens], ranks[:n_tokens]]])


def test_the_side_that_the_tokenizer_pads_on_does_not_matter(model, tokenizer, probes, expected, monkeypatch):
    texts = generate(model, tokenizer, probes[::5])
    monkeypatch.setattr(tokenizer, "padding_side", "left")
    assert_same(flat(AnswerPass(tokenizer, probes).run(model)), expected)
    assert generate(model, tokenizer, probes[::5]) == texts


def by_transformers(model, tokenizer, probe):
    ids = torch.tensor([tokenizer(probe.prompt)["input_ids"]])
    out = model.generate(
        ids, attention_mask=torch.ones_like(ids), do_sample=False,
        max_new_tokens=open_prompt(tokenizer, probe).limit,
        pad_token_id=tokenizer.pad_token_id, eos_token_id=tokenizer.eos_token_id,
    )  # fmt: skip
    return tokenizer.decode(out[0, ids.shape[1] :], skip_special_tokens=True).strip()


def test_greedy_texts_are_those_of_transformers_at_any_batch_size(model, tokenizer, probes):
    probes = probes[::5]
    expected = [by_transformers(model, tokenizer, probe) for probe in probes]
    assert len(set(expected)) > len(probes) / 3
    for batch_size in (1, 7, 64):
        assert GenerationPass(tokenizer, probes, batch_size).run(model) == expected


def test_samples_depend_on_neither_batch_nor_order(model, tokenizer, probes):
    probes = probes[::5]
    expected = SamplePass(tokenizer, probes, 3, 1.0, 0.95, seed=0, batch_size=2).run(model)
    backwards = SamplePass(tokenizer, probes[::-1], 3, 1.0, 0.95, seed=0, batch_size=64)
    assert backwards.run(model) == expected[::-1]
