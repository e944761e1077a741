"""Every type of causal language model of transformers that can be made small is right, or is found out.

Opt-in (``-m slow``): some two minutes.
"""

import pytest
import torch
import transformers
from transformers import AutoModelForCausalLM
from transformers.models.auto.configuration_auto import CONFIG_MAPPING
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

from unequal.models.capabilities import capabilities_of
from unequal.models.packed_attention import mask_inputs
from unequal.scoring.decode import Decoding, Rows
from unequal.scoring.packing import laid_out
from unequal.scoring.prefix_tree import grow, tree_mask

pytestmark = pytest.mark.slow

SMALL = {
    **dict.fromkeys(["hidden_size", "n_embd", "d_model"], 32),
    **dict.fromkeys(["intermediate_size", "n_inner", "ffn_dim"], 48),
    **dict.fromkeys(["num_hidden_layers", "n_layer", "n_layers", "num_layers"], 2),
    **dict.fromkeys(["num_attention_heads", "n_head", "n_heads", "num_heads"], 4),
    **dict.fromkeys(["max_position_embeddings", "n_positions"], 64),
    **dict.fromkeys(["num_experts", "num_local_experts", "n_routed_experts"], 4),
    **dict.fromkeys(["initializer_range", "init_std"], 0.2),
    "vocab_size": 60, "num_key_value_heads": 2, "head_dim": 8, "num_experts_per_tok": 2,
    "moe_intermediate_size": 16, "pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 0,
    "is_decoder": True, "is_encoder_decoder": False,
}  # fmt: skip
PROMPT, ANSWERS = [7, 12, 9, 23, 5], [[11, 8, 30], [11, 14], [21, 9, 33, 4]]
MOST_WEIGHTS = 3e7


def small(name):
    """Return a model of the type with two layers; skips what these few settings cannot make small."""
    kind = CONFIG_MAPPING[name]
    try:
        known = {*kind().to_dict(), *getattr(kind, "attribute_map", {})}
        config = kind(**{key: value for key, value in SMALL.items() if key in known})
        with torch.device("meta"):
            n_weights = AutoModelForCausalLM.from_config(config).num_parameters()
        if n_weights > MOST_WEIGHTS:
            pytest.skip(f"{n_weights / 1e6:.0f}M weights")
        with torch.random.fork_rng():
            torch.manual_seed(0)
            model = AutoModelForCausalLM.from_config(config).eval().float()
            with torch.no_grad():
                for weight in model.parameters():
                    if weight.dim() > 1:
                        weight.normal_(0, 0.2)
                model(input_ids=torch.tensor([PROMPT]), use_cache=False)
    except Exception as error:
        pytest.skip(f"these settings make no model: {error}")
    return model


@torch.no_grad()
def plain(model, ids):
    return model(input_ids=torch.tensor([ids]), use_cache=False).logits[0].double().log_softmax(-1)


@torch.no_grad()
def shared(model):
    """Return the log-probabilities at every answer token's place, all answers in one row."""
    tree = grow(PROMPT, ANSWERS)
    positions = torch.tensor([tree.positions])
    inputs = mask_inputs(model, tree_mask([tree], len(tree.ids)), positions)
    logs = model(input_ids=torch.tensor([tree.ids]), use_cache=False, **inputs).logits[0].double()
    return logs.log_softmax(-1)[tree.reads]


@torch.no_grad()
def in_one_row(model):
    rows = [PROMPT + answer for answer in ANSWERS]
    with laid_out(model, rows, [(0, len(row)) for row in rows], 1) as layout:
        logits = model(input_ids=layout.input_ids, use_cache=False, **layout.extra).logits
    return logits[0].double().log_softmax(-1)[layout.places]


@torch.inference_mode()
def continued(model):
    """Return the next tokens' log-probabilities while two prompts are continued, and what they should be."""
    decoding = Decoding(model, Rows([0, 1], torch.tensor([PROMPT, PROMPT[::-1]])))
    found, expected, said = [], [], []
    for token in (11, 8, 30):
        found.append(decoding.logits[0])
        expected.append(plain(model, PROMPT + said)[-1])
        decoding.step(torch.tensor([token, 3]))
        said = [*said, token]
    found += [decoding.logits[0], decoding.copy(torch.tensor([1, 0])).logits[1]]
    return torch.stack(found).double().log_softmax(-1), torch.stack(
        [*expected, *[plain(model, PROMPT + said)[-1]] * 2]
    )


@pytest.mark.parametrize("name", MODEL_FOR_CAUSAL_LM_MAPPING_NAMES)
def test_what_is_said_is_what_plain_logits_say(name):
    transformers.logging.set_verbosity_error()
    model = small(name)
    rows = [plain(model, PROMPT + answer) for answer in ANSWERS]
    causal = torch.allclose(plain(model, PROMPT), rows[0][: len(PROMPT)], atol=1e-3)
    assert capabilities_of(model).causal == causal
    if not causal:
        return
    close = {"rtol": 0, "atol": 2e-3}
    if capabilities_of(model).supports_shared_prefix(10):
        start = len(PROMPT) - 1
        torch.testing.assert_close(shared(model), torch.cat([row[start:-1] for row in rows]), **close)
    if capabilities_of(model).supports_packing(10):
        torch.testing.assert_close(in_one_row(model), torch.cat(rows), **close)
    torch.testing.assert_close(*continued(model), **close)
