"""Folders that are not quite a model: one sentence that names the cause, and never another model's scores."""

import json
import shutil

import pytest
import torch

from command_line import call
from model_folders import change_config, change_tensors, make_folder
from tiny_world import PROMPTS
from unequal.errors import DataError
from unequal.models.load import load_model, load_tokenizer

UP = "model.layers.0.mlp.up_proj.weight"
MASK = "model.layers.0.attention.bias"


@pytest.fixture(scope="module")
def whole(tmp_path_factory, facts):
    return make_folder(tmp_path_factory.mktemp("whole") / "model", facts[:40], PROMPTS.question)


@pytest.fixture
def folder(whole, tmp_path):
    return shutil.copytree(whole, tmp_path / "model")


def sentence(load, folder):
    with pytest.raises(DataError) as caught:
        load(folder)
    said = str(caught.value)
    assert "\n" not in said
    assert str(folder) in said
    return said


def more(**tensors):
    return lambda held: held | {name.replace("__", "."): tensor for name, tensor in tensors.items()}


def at(name, change):
    return lambda held: held | {name: change(held[name].clone())}


def one(value):
    def change(tensor):
        tensor.view(-1)[5] = value
        return tensor

    return change


ONES = torch.ones(4)
UNUSED = "of its files would not be used by LlamaForCausalLM, such as"
Q_BIAS = "model.layers.0.self_attn.q_proj.bias"
TENSORS = {
    "left over": (more(extra__weight=ONES), f"1 parameter {UNUSED} extra.weight"),
    "an adapter inside": (
        more(x__lora_A__weight=ONES, x__lora_B__weight=2 * ONES),
        f"2 parameters {UNUSED} x.lora_A.weight: they are those of an adapter",
    ),
    "scales": (lambda held: held | {f"{UP}_scale_inv": ONES}, "quantised in a way that is not read"),
    "later tokens": (more(mtp__fc__weight=ONES), "predict tokens after the next one"),
    "pictures": (more(vision_tower__x__weight=ONES), "a part for pictures or sound"),
    "biases": (lambda held: held | {Q_BIAS: ONES}, "config.json says that there are no such biases"),
    "a mask by name alone": (lambda held: held | {MASK: ONES}, f"{UNUSED} {MASK}"),
    "missing": (
        lambda held: {name: tensor for name, tensor in held.items() if "norm" not in name},
        "5 parameters are missing, such as model.layers.0.input_layernorm.weight",
    ),
    "by other names": (
        lambda held: {f"module.{name}": tensor for name, tensor in held.items()},
        "21 parameters are missing, such as lm_head.weight; the file holds 21 others, such as module.",
    ),
    "another shape": (
        at(UP, lambda tensor: tensor[:7]),
        f"1 parameter has another shape in the file than config.json says, such as {UP}"
        " (7 × 32 in the file, 48 × 32 by config.json)",
    ),
    "NaN": (at(UP, one(torch.nan)), f"1 parameter is not finite, such as {UP} (NaN)"),
    "infinite": (at(UP, one(-torch.inf)), f"1 parameter is not finite, such as {UP} (infinite)"),
    "NaN in half precision": (
        lambda held: {name: one(torch.nan)(tensor.half()) for name, tensor in held.items()},
        "21 parameters are not finite",
    ),
    "integers": (
        at(UP, lambda tensor: (9 * tensor).to(torch.int8)),
        f"1 parameter is stored as I8 and not in floating point, such as {UP}",
    ),
}


@pytest.mark.fault(
    "a model's files hold parameters that are left over, missing, of another shape, or no numbers",
    "it is refused in one sentence that says how many and names the first",
)
@pytest.mark.parametrize("kind", TENSORS)
def test_parameters_that_would_make_another_model_are_counted_and_named(kind, folder):
    change, said = TENSORS[kind]
    change_tensors(folder, change)
    assert said in sentence(load_model, folder)


HARMLESS = {
    "rotary buffers": more(model__layers__0__self_attn__rotary_emb__inv_freq=ONES),
    "a mask": lambda held: held | {MASK: torch.ones(1, 1, 4, 4, dtype=torch.bool)},
    "a masked bias": lambda held: held | {"model.layers.0.attention.masked_bias": torch.tensor(-1e9)},
    "the body's own names": lambda held: {name.removeprefix("model."): held[name] for name in held},
    "half precision": lambda held: {name: tensor.half() for name, tensor in held.items()},
}


@pytest.mark.parametrize("kind", HARMLESS)
def test_what_older_versions_left_is_no_fault(kind, whole, folder):
    change_tensors(folder, HARMLESS[kind])
    ids = torch.arange(9)[None]
    with torch.no_grad():
        found, expected = (load_model(one)(input_ids=ids).logits for one in (folder, whole))
    torch.testing.assert_close(found, expected, rtol=0.02, atol=0.02)


CONFIGS = {
    "layers": ({"num_hidden_layers": -1}, "num_hidden_layers = -1, where a whole number from 1 on should be"),
    "no layers": ({"num_hidden_layers": 0}, "num_hidden_layers = 0"),
    "a layer too few": ({"num_hidden_layers": 1}, "9 parameters of its files would not be used"),
    "layers beyond files": ({"num_hidden_layers": 10**6}, "num_hidden_layers = 1000000, and its files hold"),
    "words beyond files": ({"vocab_size": 10**9}, "vocab_size = 1000000000, and its files hold"),
    "heads": ({"num_attention_heads": 0}, "num_attention_heads = 0"),
    "heads and width": ({"num_attention_heads": 5, "head_dim": None}, "hidden size (32) is not a multiple"),
    "groups of heads": ({"num_key_value_heads": 3}, "which does not divide num_attention_heads = 4"),
    "width": ({"hidden_size": -32}, "hidden_size = -32"),
    "type of a value": ({"vocab_size": "60"}, "Field 'vocab_size' expected int, got str"),
    "an activation": ({"hidden_act": "weird"}, 'hidden_act = "weird", which transformers'),
    "a rotation": ({"rope_parameters": {"rope_type": "weird"}}, 'rope_parameters.rope_type = "weird"'),
    "a type": ({"model_type": []}, "TypeError"),
    "NaN": ({"rms_norm_eps": float("nan")}, "gives no numbers (NaN or infinite) for tokens"),
    "a quantiser": (
        {"quantization_config": {"quant_method": "aqlm"}},
        "needs a library that is not installed",
    ),
    "no quantiser": ({"quantization_config": {"quant_method": "nope"}}, "quantised by 'nope', which"),
    "no such settings": ({"quantization_config": "x"}, "AttributeError"),
}


@pytest.mark.fault(
    "a model's configuration holds impossible numbers, unknown names or values of another type",
    "it is refused in one sentence that names the cause",
)
@pytest.mark.parametrize("kind", CONFIGS)
def test_a_configuration_that_no_model_can_have_is_refused(kind, folder):
    values, said = CONFIGS[kind]
    change_config(folder, **values)
    assert said in sentence(load_model, folder)


@pytest.mark.parametrize("text", ["[]", "3", "", "\0", "[" * 10**5])
@pytest.mark.parametrize("name", ["config.json", "generation_config.json"])
def test_settings_that_are_no_object_are_refused_by_file(name, text, folder):
    (folder / name).write_text(text)
    assert name in sentence(load_model, folder)


def remove(*names, **values):
    def change(folder):
        for name in names:
            (folder / name).unlink()
        if values:
            change_config(folder, "tokenizer_config.json", **values)

    return change


def written(name, text):
    return lambda folder: (folder / name).write_text(text)


TOKENIZERS = {
    "nothing": (remove("tokenizer.json", "tokenizer_config.json"), "no tokenizer.json either"),
    "no settings": (remove("tokenizer_config.json"), "no tokenizer_config.json"),
    "no vocabulary": (remove("tokenizer.json"), "lacks its vocabulary (no tokenizer.json)"),
    "no vocabulary of a class": (
        remove("tokenizer.json", tokenizer_class="GPT2Tokenizer"),
        "lacks its vocabulary (no tokenizer.json or vocab.json and merges.txt)",
    ),
    "no vocabulary of another": (
        remove("tokenizer.json", tokenizer_class="LlamaTokenizerFast"), "no tokenizer.json or tokenizer.model"
    ),
    "no object": (written("tokenizer.json", "[]"), "tokenizer.json holds a list"),
    "no object in settings": (written("tokenizer_config.json", "[]"), "tokenizer_config.json holds a list"),
    "nothing in it": (written("tokenizer.json", "{}"), "KeyError"),
    "another format": (
        written("tokenizer.json", json.dumps({"version": "9", "model": {"type": "New"}, "added_tokens": []})),
        "cannot load a tokenizer",
    ),
    "a number for an end": (remove(eos_token=5), "eos_token has to be"),
}  # fmt: skip


@pytest.mark.fault(
    "a tokenizer's files are missing or damaged",
    "it is refused in one sentence that names the file or the cause",
)
@pytest.mark.parametrize("kind", TOKENIZERS)
def test_a_tokenizer_that_is_not_whole_is_refused(kind, folder):
    change, said = TOKENIZERS[kind]
    change(folder)
    assert said in sentence(load_tokenizer, folder)


def test_a_command_ends_with_two_and_one_sentence(folder, facts, tmp_path):
    from unequal.facts.table import facts_frame

    facts_frame(facts[:3]).write_parquet(tmp_path / "facts.parquet")
    change_config(folder, hidden_act="weird")
    result = call(
        "evaluate", "--model", folder, "--facts", tmp_path / "facts.parquet", "--out", tmp_path / "o"
    )
    assert result.code == 2
    assert "Traceback" not in result.err
    assert "weird" in result.err
    assert not (tmp_path / "o").exists()


@pytest.mark.parametrize("error", [KeyboardInterrupt(), MemoryError(), RuntimeError("CUDA out of memory")])
def test_shortage_of_memory_and_an_interruption_stay_what_they_are(error, folder, monkeypatch):
    def fail(*_given, **_named):
        raise error

    monkeypatch.setattr("transformers.AutoModelForCausalLM.from_pretrained", fail)
    with pytest.raises(type(error)) as caught:
        load_model(folder)
    assert caught.value is error
