"""Checkpoints made elsewhere load as they are: heads grouped, scaled or apart, windows short, dropout.

Whatever their type, known to us or not, their scores and texts are those of plain logits.
"""

import random

import numpy as np
import pytest
import torch
import transformers
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from unequal.errors import DataError
from unequal.facts.probes import Probe
from unequal.models.load import load_model
from unequal.scoring.encoding import encode_probe, open_prompt
from unequal.scoring.generate import generate
from unequal.scoring.log_probs import AnswerPass
from unequal.scoring.logits import logits_at
from unequal.unlearning.examples import Example, score_examples

pytestmark = pytest.mark.full

SPECIAL = {"vocab_size": 60, "pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 0}
SIZES = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "initializer_range": 0.2,
}
COMMON = SPECIAL | SIZES
GROUPED = {"num_key_value_heads": 2}
STATES = {"mamba_n_heads": 8, "mamba_d_state": 8, "mamba_chunk_size": 8}
DELTA = {
    "layer_types": ["linear_attention", "full_attention"], "linear_num_value_heads": 2,
    "linear_num_key_heads": 2, "linear_key_head_dim": 8, "linear_value_head_dim": 8,
}  # fmt: skip
GPT2 = {"bare": True, "n_embd": 32, "n_layer": 2, "n_head": 4, "n_inner": 48, "n_positions": 64}
CHECKPOINTS = {
    "GPT2Config": {**GPT2, "vocab_size": 60, "initializer_range": 0.2},
    "GPTNeoXConfig": {},
    "OPTConfig": {"ffn_dim": 48, "word_embed_proj_dim": 16, "init_std": 0.2},
    "LlamaConfig": GROUPED,
    "MistralConfig": {**GROUPED, "sliding_window": 8},
    "Phi3Config": {**GROUPED, "sliding_window": 8, "resid_pdrop": 0.1},
    "Olmo2Config": GROUPED,
    "Olmo3Config": {**GROUPED, "sliding_window": 8},
    "Qwen2Config": {**GROUPED, "tie_word_embeddings": True},
    "Qwen3Config": {**GROUPED, "head_dim": 16},
    "Gemma2Config": {**GROUPED, "head_dim": 16, "final_logit_softcapping": 3.0, "sliding_window": 8},
    "Gemma3TextConfig": {**GROUPED, "head_dim": 16, "sliding_window": 8},
    "GraniteConfig": {**GROUPED, "logits_scaling": 8.0, "embedding_multiplier": 12.0},
    "CohereConfig": {**GROUPED, "logit_scale": 0.5},
    "MixtralConfig": {**GROUPED, "num_local_experts": 4},
    "OlmoeConfig": {"num_experts": 4, "num_experts_per_tok": 2},
    "Qwen3MoeConfig": {**GROUPED, "num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 16},
    "MambaConfig": {"tie_word_embeddings": False},
    "Mamba2Config": {"num_heads": 8, "head_dim": 8, "n_groups": 2, "state_size": 8, "chunk_size": 8},
    "FalconH1Config": {**GROUPED, **STATES, "mamba_d_ssm": 32, "lm_head_multiplier": 0.5},
    "JambaConfig": {**GROUPED, "num_experts": 2, "attn_layer_period": 2, "attn_layer_offset": 1},
    "BambaConfig": {**GROUPED, **STATES, "attn_layer_indices": [1]},
    "GraniteMoeHybridConfig": {
        **GROUPED, **STATES, "num_local_experts": 0, "shared_intermediate_size": 48, "logits_scaling": 8.0,
        "layer_types": ["linear_attention", "full_attention"],
    },
    "Lfm2Config": {**GROUPED, "full_attn_idxs": [1]},
    "RecurrentGemmaConfig": {"num_key_value_heads": 1, "lru_width": 32, "num_hidden_layers": 3},
    "OlmoConfig": {**GROUPED, "clip_qkv": 8.0},
    "OlmoHybridConfig": GROUPED,
    "Qwen3_5TextConfig": {**GROUPED, **DELTA, "head_dim": 16},
    "GPTNeoConfig": {  # whose window stands under a name of its own
        "hidden_size": 32, "num_layers": 2, "num_heads": 4, "intermediate_size": 48, "window_size": 8,
        "attention_types": [[["global", "local"], 1]], "max_position_embeddings": 64,
        "initializer_range": 0.2, "bare": True,
    },
    "GPTJConfig": {**GPT2, "rotary_dim": 4, "initializer_range": 0.2},
    "BloomConfig": {"n_layer": 2, "n_head": 4},
    "AfmoeConfig": {  # which hands on masks by name
        **GROUPED, "head_dim": 8, "num_local_experts": 4, "sliding_window": 8,
    },
    "DeepseekV3Config": {
        "n_routed_experts": 4, "n_group": 1, "topk_group": 1, "num_experts_per_tok": 2,
        "moe_intermediate_size": 16, "q_lora_rank": 16,
        "kv_lora_rank": 16, "qk_rope_head_dim": 8, "qk_nope_head_dim": 8, "v_head_dim": 8,
    },
    "GptOssConfig": {**GROUPED, "head_dim": 8, "num_local_experts": 4, "sliding_window": 8},
    "RwkvConfig": {"attention_hidden_size": 32},
    "MiniMaxConfig": {  # whose states cannot be selected by row
        **GROUPED, "num_local_experts": 4, "layer_types": ["linear_attention", "full_attention"],
    },
    "BartConfig": {
        "d_model": 32, "decoder_layers": 2, "decoder_attention_heads": 4, "decoder_ffn_dim": 48,
        "init_std": 0.2, "max_position_embeddings": 64, "is_decoder": True, "is_encoder_decoder": False,
        "bare": True,
    },
    "ModernBertDecoderConfig": {"decoder_bias": True},
}  # fmt: skip


def ids():
    return torch.randint(2, 60, (3, 20), generator=torch.Generator().manual_seed(3))


@pytest.fixture(params=list(CHECKPOINTS))
def checkpoint(request, tmp_path):
    """A folder with a random checkpoint of two layers, and the logits of the model that was saved."""
    settings = CHECKPOINTS[request.param]
    shared = SPECIAL if settings.get("bare") else SPECIAL | SIZES
    settings = {name: value for name, value in (shared | settings).items() if name != "bare"}
    config = getattr(transformers, request.param)(**settings)
    with torch.random.fork_rng():
        torch.manual_seed(7)
        model = transformers.AutoModelForCausalLM.from_config(config).eval()
    model.save_pretrained(tmp_path)
    with torch.no_grad():
        return tmp_path, model(input_ids=ids()).logits.float()


def test_a_checkpoint_loads_with_its_own_logits_wherever_they_are_asked(checkpoint):
    folder, expected = checkpoint
    model = load_model(folder)
    rows, places = torch.tensor([0, 0, 2, 1]), torch.tensor([0, 19, 5, 11])
    with torch.no_grad():
        torch.testing.assert_close(model(input_ids=ids()).logits, expected, rtol=1e-4, atol=1e-4)
        found = logits_at(model, ids(), rows, places)
    torch.testing.assert_close(found, expected[rows, places], rtol=1e-4, atol=1e-4)


WORDS = [f"w{place}" for place in range(57)]
LENGTHS = ((9, (2, 3)), (4, (1, 5, 2)), (17, (3, 3)), (4, (2,)))  # of prompts, and of their answers


@pytest.fixture(scope="module")
def tokenizer():
    """Sixty words; the first three are special."""
    vocabulary = {word: place for place, word in enumerate(["<end>", "<pad>", "<unk>", *WORDS])}
    made = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(
        tokenizer_object=made, eos_token="<end>", pad_token="<pad>", unk_token="<unk>"
    )


@pytest.fixture(scope="module")
def probes():
    """Prompts shorter and longer than a window of eight tokens, with answers that begin alike."""
    stream = random.Random(2)
    found = []
    for place, (length, answers) in enumerate(LENGTHS):
        first = stream.choice(WORDS)
        right, *wrong = (" ".join([first, *stream.choices(WORDS, k=n)]) for n in answers)
        prompt = " ".join(stream.choices(WORDS, k=length))
        found.append(Probe(f"f{place}", "question", 0, prompt, right, (right,), tuple(wrong)))
    return found


@torch.no_grad()
def plain(model, ids):
    """Return log-probabilities ``(seq, vocab)`` of a row read alone and as a whole."""
    return model(input_ids=torch.tensor([ids]), use_cache=False).logits[0].double().log_softmax(-1)


def test_scores_and_gradients_are_those_of_plain_logits(checkpoint, tokenizer, probes):
    model = load_model(checkpoint[0])
    encoded = [encode_probe(tokenizer, probe) for probe in probes]
    rows = []
    for item, score in zip(encoded, AnswerPass(tokenizer, probes).run(model), strict=True):
        for ids, answer in zip(item.continuations, (score.right, *score.wrong), strict=True):
            logs = plain(model, item.prompt + ids)[len(item.prompt) - 1 : -1]
            np.testing.assert_allclose(answer.log_probs, logs[range(len(ids)), ids], rtol=0, atol=1e-4)
            rows.append(Example(item.prompt + ids, (len(item.prompt), len(item.prompt + ids))))
    together = score_examples(model, rows, 1).nll
    for row, value in zip(rows, together.tolist(), strict=True):
        start, end = row.span
        expected = -plain(model, row.ids)[range(start - 1, end - 1), row.ids[start:end]].sum().item()
        assert value == pytest.approx(expected, abs=3e-4)


def test_texts_are_those_of_reading_all_anew(checkpoint, tokenizer, probes):
    model = load_model(checkpoint[0])
    for probe, text in zip(probes, generate(model, tokenizer, probes), strict=True):
        asked = open_prompt(tokenizer, probe)
        ids, said = list(asked.ids), []
        while len(said) < asked.limit and 0 not in said:
            said.append(int(plain(model, [*ids, *said])[-1].argmax()))
        assert text == tokenizer.decode(said, skip_special_tokens=True).strip()


@pytest.mark.parametrize("name", ["Bert", "XLMRoberta", "XLNet"])
def test_a_model_that_looks_ahead_is_refused(name, tmp_path):
    settings = {**COMMON, "d_model": 32, "n_layer": 2, "n_head": 4, "d_inner": 48}
    settings = settings if name == "XLNet" else {**settings, "max_position_embeddings": 64}
    config = getattr(transformers, f"{name}Config")(**settings)
    transformers.AutoModelForCausalLM.from_config(config).save_pretrained(tmp_path)
    with pytest.raises(DataError, match="is no causal language model: what it says of a token changes"):
        load_model(tmp_path)


def test_a_model_that_needs_more_than_tokens_is_refused(tmp_path):
    config = transformers.XmodConfig(**COMMON, is_decoder=True, languages=["en_XX"])
    transformers.AutoModelForCausalLM.from_config(config).save_pretrained(tmp_path)
    with pytest.raises(
        DataError, match=r"cannot run .* \(a model of type xmod\) on token ids alone: Input language"
    ):
        load_model(tmp_path)
