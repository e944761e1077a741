"""Loading: what is no model or tokenizer is one clear sentence, and pickles are never opened."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from tiny_world import vocabulary_of
from unequal.errors import DataError
from unequal.models.load import load_model, load_tokenizer, scratch_model
from unequal.models.shapes import ModelSettings, Shape


@pytest.fixture
def saved(model, tokenizer, tmp_path):
    model.save_pretrained(tmp_path / "model")
    tokenizer.save_pretrained(tmp_path / "model")
    return tmp_path / "model"


def sentence(load, path):
    with pytest.raises(DataError) as caught:
        load(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("load", [load_model, load_tokenizer])
def test_a_missing_folder_is_said_to_be_missing(load, tmp_path):
    assert "there is no folder" in sentence(load, tmp_path / "none")
    assert "there is no folder" in sentence(load, "none")
    assert "there is no folder" in sentence(load, "runs/deep/none")


def test_a_folder_without_the_file_is_no_model_or_tokenizer(tmp_path):
    assert "does not hold a model (no config.json)" in sentence(load_model, tmp_path)
    assert "does not hold a tokenizer (no tokenizer_config.json)" in sentence(load_tokenizer, tmp_path)


class Bomb:
    """Leaves a file where it is unpickled."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return open, (self.path, "w")


@pytest.mark.fault(
    "a model folder holds pickled weights, which run code when they are read",
    "it is refused in one sentence that says what to do; nothing of it is read",
)
def test_weights_that_are_only_pickled_are_refused(saved, tmp_path):
    torch.save(
        load_file(saved / "model.safetensors") | {"x": Bomb(tmp_path / "ran")}, saved / "pytorch_model.bin"
    )
    (saved / "model.safetensors").unlink()
    said = sentence(load_model, saved)
    assert "cannot load a model" in said
    assert (
        "pickled weights only (pytorch_model.bin), which can run code when they are loaded; convert" in said
    )
    assert not (tmp_path / "ran").exists()


CODE = """
from pathlib import Path
from transformers import GPT2Config, GPT2LMHeadModel
Path({ran!r}).touch()
class OwnConfig(GPT2Config):
    model_type = "own"
class Own(GPT2LMHeadModel):
    config_class = OwnConfig
"""


@pytest.mark.fault(
    "a model folder comes with code of its own",
    "it is refused in one sentence, and not run, unless the model is allowed by its very name",
)
def test_code_of_a_model_is_run_only_where_it_is_allowed_by_name(corpus, tokenizer, tmp_path, monkeypatch):
    settings = ModelSettings(family="gpt2", size="tiny", shape=Shape(width=16, layers=1, heads=2))
    folder, ran = tmp_path / "model", tmp_path / "ran"
    scratch_model(settings, vocabulary_of(corpus), seed=1).save_pretrained(folder)
    config = json.loads((folder / "config.json").read_text())
    own = {"AutoConfig": "own.OwnConfig", "AutoModelForCausalLM": "own.Own"}
    (folder / "config.json").write_text(json.dumps(config | {"model_type": "own", "auto_map": own}))
    (folder / "own.py").write_text(CODE.format(ran=str(ran)))
    monkeypatch.setattr("transformers.dynamic_module_utils.HF_MODULES_CACHE", str(tmp_path / "modules"))
    for allowed in ("", "someone/else", str(tmp_path), f"{folder}/"):
        monkeypatch.setenv("UNEQUAL_TRUST_REMOTE_CODE", allowed)
        assert f"allow it by name: UNEQUAL_TRUST_REMOTE_CODE={folder}" in sentence(load_model, folder)
        assert not ran.exists()
    monkeypatch.setenv("UNEQUAL_TRUST_REMOTE_CODE", f"someone/else,{folder}")
    assert load_model(folder).config.model_type == "own"
    assert ran.exists()


def test_a_folder_without_weights_is_refused(saved):
    (saved / "model.safetensors").unlink()
    assert "cannot load a model" in sentence(load_model, saved)


def test_damaged_weights_are_refused(saved):
    path = saved / "model.safetensors"
    path.write_bytes(path.read_bytes()[:1000])
    assert "cannot load a model" in sentence(load_model, saved)


def test_missing_weights_are_refused_rather_than_made_up(saved):
    weights = load_file(saved / "model.safetensors")
    gone = next(name for name in weights if "mlp" in name)
    del weights[gone]
    save_file(weights, saved / "model.safetensors", metadata={"format": "pt"})
    assert gone.rsplit(".", 3)[-1] in sentence(load_model, saved)


def test_weights_of_another_shape_are_refused(saved):
    config = json.loads((saved / "config.json").read_text())
    config["vocab_size"] += 1
    (saved / "config.json").write_text(json.dumps(config))
    assert "cannot load a model" in sentence(load_model, saved)


@pytest.mark.parametrize("text", ["{broken", '{"model_type": "no such model"}', "{}"])
def test_a_broken_configuration_is_refused(saved, text):
    (saved / "config.json").write_text(text)
    assert "cannot load a model" in sentence(load_model, saved)


def test_a_broken_tokenizer_is_refused(saved):
    (saved / "tokenizer.json").write_text("{broken")
    assert "cannot load a tokenizer" in sentence(load_tokenizer, saved)


def test_a_loaded_model_is_ready_to_be_judged(saved, tokenizer):
    model = load_model(saved)
    assert not model.training
    assert model.dtype == torch.float32
    assert load_tokenizer(saved).get_vocab() == tokenizer.get_vocab()
    assert load_tokenizer(str(saved)).pad_token_id == tokenizer.pad_token_id


def test_a_tokenizer_without_padding_pads_with_end_of_text(saved, tokenizer):
    config = json.loads((saved / "tokenizer_config.json").read_text())
    del config["pad_token"]
    (saved / "tokenizer_config.json").write_text(json.dumps(config))
    assert load_tokenizer(saved).pad_token_id == tokenizer.eos_token_id
