"""A model of several parts, one of which reads text: every pass, method and attack finds that one."""

import copy
import json
import shutil

import pytest
import torch
from transformers import AutoModelForCausalLM, Gemma3Config

from command_line import call
from tiny_checkpoints import tokenizer_for
from tiny_world import PROMPTS
from unequal.facts.table import facts_frame
from unequal.models.configuration import text_config, window_of
from unequal.models.layers import decoder_layers
from unequal.models.load import load_model, load_tokenizer
from unequal.models.save import save_model
from unequal.study.memory_estimate import ModelSize
from unequal.unlearning.methods import METHODS
from unequal.unlearning.run import Run
from unequal.unlearning.settings import UnlearnSettings
from unequal.unlearning.unlearn import unlearn

pytestmark = pytest.mark.full

PICTURES = {
    "hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2,
    "image_size": 28, "patch_size": 14,
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory, facts):
    """A Gemma 3 of two layers beside a part for pictures that is as deep."""
    place = tmp_path_factory.mktemp("parts") / "model"
    tokenizer = tokenizer_for(facts[:40], PROMPTS.question)
    text = {
        "vocab_size": len(tokenizer), "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2,
        "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 8, "sliding_window": 64,
        "max_position_embeddings": 96, "initializer_range": 0.2, "pad_token_id": 1,
        "bos_token_id": None, "eos_token_id": tokenizer.eos_token_id,
    }  # fmt: skip
    config = Gemma3Config(text_config=text, vision_config=PICTURES, mm_tokens_per_image=4)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        AutoModelForCausalLM.from_config(config).save_pretrained(place)
    tokenizer.save_pretrained(place)
    return place


@pytest.fixture(scope="module")
def parts(folder):
    return load_model(folder)


def test_the_part_that_reads_text_is_found(parts, folder):
    assert text_config(parts).hidden_size == 32
    assert window_of(parts) == 96
    layers = decoder_layers(parts)
    assert layers is parts.model.language_model.layers
    size = ModelSize.of_folder(folder, 10**6)
    assert (size.width, size.layers, size.vocabulary) == (32, 2, text_config(parts).vocab_size)


def test_memory_estimates_take_any_configuration(tmp_path):
    for text in (None, 5, [], {"hidden_size": "x"}):
        (tmp_path / "config.json").write_text(json.dumps({"hidden_size": 48, "text_config": text}))
        assert ModelSize.of_folder(tmp_path, 10**6).width in (48, ModelSize.of_weights(10**6).width)


@pytest.mark.parametrize("kind", ["npo", "rmu", "adaptive_rmu", "task_vector"])
def test_methods_change_its_text_part_alone(kind, parts, folder, facts):
    copied = copy.deepcopy(parts)
    method = METHODS.get(kind).model_validate({"kind": kind})
    chosen = UnlearnSettings(steps=2, batch_size=4, evaluate_at=(2,))
    unlearn(Run(copied, load_tokenizer(folder), method, facts[:4], facts[4:8], chosen, PROMPTS))
    moved = [name for name, one in copied.named_parameters() if not one.equal(parts.get_parameter(name))]
    assert moved
    assert all("language_model" in name or "lm_head" in name for name in moved)


def test_a_command_and_attacks_take_it(folder, facts, tmp_path):
    facts_frame(facts[:6]).write_parquet(tmp_path / "facts.parquet")
    facts_frame(facts[6:12]).write_parquet(tmp_path / "kept.parquet")
    words = ("--model", folder, "--facts", tmp_path / "facts.parquet", "--out", tmp_path / "out")
    result = call("evaluate", *words)
    assert result.code == 0, result.err
    for kind in ("lens", "probe"):
        result = call("attack", *words, "--retain", tmp_path / "kept.parquet", "--kind", kind)
        assert result.code == 0, result.err


def test_a_prompt_longer_than_its_window_is_refused(folder, facts, tmp_path):
    long = facts[0].model_copy(update={"question": "Where was Mara born ? " * 60})
    facts_frame([long]).write_parquet(tmp_path / "facts.parquet")
    words = ("--model", folder, "--facts", tmp_path / "facts.parquet", "--out", tmp_path / "out")
    result = call("evaluate", *words)
    assert result.code == 2
    assert "the model's window has 96" in " ".join(result.err.split())


def settings_of(folder, name):
    """Return the settings in a file, but for the dtype, which loading does change."""

    def plain(value):
        if not isinstance(value, dict):
            return value
        return {key: plain(one) for key, one in value.items() if key != "dtype"}

    return plain(json.loads((folder / name).read_text()))


@pytest.mark.parametrize("value", [True, False])
def test_what_a_configuration_says_is_saved_as_it_was(value, folder, tmp_path):
    source, saved = shutil.copytree(folder, tmp_path / "source"), tmp_path / "saved"
    config = json.loads((source / "config.json").read_text())
    config["text_config"]["use_cache"] = value
    (source / "config.json").write_text(json.dumps(config | {"of_ours": [1]}))
    model = load_model(source)
    assert text_config(model).use_cache is False
    save_model(copy.deepcopy(model), load_tokenizer(source), saved)
    assert settings_of(saved, "config.json") == settings_of(source, "config.json")
    assert settings_of(saved, "generation_config.json") == settings_of(source, "generation_config.json")
