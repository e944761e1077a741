"""Checkpoints made elsewhere load as they are: heads grouped, scaled or apart, windows short, dropout."""

import pytest
import torch
import transformers

from unequal.models.load import load_model
from unequal.scoring.forward import logits_at

COMMON = {
    "vocab_size": 60,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "initializer_range": 0.2,
    "pad_token_id": 1,
    "bos_token_id": 0,
    "eos_token_id": 0,
}
GROUPED = {"num_key_value_heads": 2}
STATES = {"mamba_n_heads": 8, "mamba_d_state": 8, "mamba_chunk_size": 8}
GPT2 = {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_inner": 48, "n_positions": 64}
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
    "ModernBertDecoderConfig": {"decoder_bias": True},
}  # fmt: skip


def ids():
    return torch.randint(2, 60, (3, 20), generator=torch.Generator().manual_seed(3))


@pytest.fixture(params=list(CHECKPOINTS))
def checkpoint(request, tmp_path):
    """A folder with a random checkpoint of two layers, and the logits of the model that was saved."""
    settings = CHECKPOINTS[request.param]
    settings = settings if settings.get("n_embd") else COMMON | settings
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
