"""An adapter beside a model: found, said, refused by every command before any work, merged when asked."""

import json
import shutil

import pytest
import torch

from command_line import call
from model_folders import change_config, change_tensors, make_folder
from tiny_world import PROMPTS
from unequal.errors import DataError
from unequal.facts.table import facts_frame
from unequal.models.folders import check_model
from unequal.models.load import load_model, load_tokenizer
from unequal.models.save import save_model

peft = pytest.importorskip("peft")

SAID = "holds an adapter (adapter_config.json) beside the model's own parameters"
IDS = torch.arange(12)[None]


@pytest.fixture(scope="module")
def plain(tmp_path_factory, facts):
    return make_folder(tmp_path_factory.mktemp("plain") / "model", facts[:40], PROMPTS.question)


@pytest.fixture(scope="module")
def adapted(plain, tmp_path_factory):
    """The same folder with an adapter that changes the model, and the adapter alone."""
    both = shutil.copytree(plain, tmp_path_factory.mktemp("adapted") / "model")
    model = load_model(plain)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(4)
        settings = peft.LoraConfig(r=2, target_modules=["q_proj", "down_proj"], init_lora_weights=False)
        wrapped = peft.get_peft_model(model, settings)
    wrapped.save_pretrained(both)
    with torch.no_grad():
        logits = wrapped(input_ids=IDS).logits
    return both, logits


@pytest.fixture(scope="module")
def tables(tmp_path_factory, facts):
    folder = tmp_path_factory.mktemp("tables")
    for place, role in enumerate(("forget", "retain", "utility")):
        facts_frame(facts[4 * place : 4 * place + 4]).write_parquet(folder / f"{role}.parquet")
    return folder


def commands(tables, out):
    """Return the words of every command that loads a model, but for the model."""
    forget, retain, utility = (tables / f"{role}.parquet" for role in ("forget", "retain", "utility"))
    facts, kept = ("--facts", forget), ("--forget", forget, "--retain", retain)
    return {
        "evaluate": ("evaluate", *facts, "--out", out),
        "unlearn": ("unlearn", *kept, "--method", "npo", "--out", out),
        "task vector": ("unlearn", *kept, "--method", "task_vector", "--out", out),
        "tune": ("tune", *kept, "--utility", utility, "--method", "npo", "--out", out),
        "attack": ("attack", *facts, "--kind", "fewshot", "--retain", retain, "--out", out),
        "lm-eval": ("lm-eval", "--tasks", "anything"),
    }


@pytest.mark.fault(
    "an adapter lies beside a model",
    "every command refuses it in the same sentence before any work, or merges it with --merge-adapter",
)
@pytest.mark.parametrize("name", ["evaluate", "unlearn", "task vector", "tune", "attack", "lm-eval"])
def test_every_command_refuses_it_in_the_same_sentence(name, adapted, tables, tmp_path):
    result = call(*commands(tables, tmp_path / "out")[name], "--model", adapted[0])
    assert result.code == 2
    assert SAID in " ".join(result.err.split())
    assert not (tmp_path / "out").exists()


def test_an_audit_refuses_it_before_the_first_model_is_judged(plain, adapted, tables, tmp_path):
    words = ("audit", "--before", plain, "--after", adapted[0], "--facts", tables / "forget.parquet")
    result = call(*words, "--out", tmp_path / "out", "--attacks", "none")
    assert result.code == 2
    assert SAID in " ".join(result.err.split())


def test_a_study_refuses_it_when_it_is_planned(adapted):
    from unequal.study.steps.checkpoint import CheckpointSettings, CheckpointStep

    with pytest.raises(DataError, match="holds an adapter"):
        CheckpointStep.of(CheckpointSettings(model=str(adapted[0])))
    step = CheckpointStep.of(CheckpointSettings(model=str(adapted[0]), merge_adapter=True))
    assert step.merge_adapter
    assert step.n_weights == sum(
        one.numel() for one in load_model(adapted[0], merge_adapter=True).parameters()
    )


def test_a_merged_model_is_the_adapted_one_and_can_be_trained_and_saved(plain, adapted, tmp_path):
    folder, logits = adapted
    model = load_model(folder, merge_adapter=True)
    with torch.no_grad():
        torch.testing.assert_close(model(input_ids=IDS).logits, logits, rtol=1e-4, atol=1e-4)
        assert not torch.allclose(load_model(plain)(input_ids=IDS).logits, logits, atol=1e-2)
    assert all(weight.requires_grad for weight in model.parameters())
    save_model(model, load_tokenizer(folder), tmp_path / "saved")
    assert check_model(tmp_path / "saved") is None
    with torch.no_grad():
        torch.testing.assert_close(
            load_model(tmp_path / "saved")(input_ids=IDS).logits, logits, rtol=1e-4, atol=1e-4
        )


@pytest.mark.full
@pytest.mark.parametrize("name", ["evaluate", "unlearn"])
def test_a_command_merges_when_asked(name, adapted, tables, tmp_path):
    more = ("--steps", 1, "--allow-unknown") if name == "unlearn" else ()
    words = commands(tables, tmp_path / "out")[name]
    result = call(*words, *more, "--model", adapted[0], "--merge-adapter")
    assert result.code == 0, result.err
    assert (tmp_path / "out" / "scores.parquet").is_file()


def only_adapter(folder):
    for name in ("config.json", "model.safetensors"):
        (folder / name).unlink()


def renamed(folder):
    path = folder / "adapter_model.safetensors"
    path.rename(folder / "model.safetensors")
    change_tensors(folder, lambda held: {name.replace("q_proj", "x_proj"): held[name] for name in held})
    (folder / "model.safetensors").rename(path)


def misfit(folder):
    kept = (folder / "model.safetensors").read_bytes()
    renamed(folder)
    (folder / "model.safetensors").write_bytes(kept)


def without(name):
    return lambda folder: (folder / name).unlink()


def prompts(folder):
    settings = {"peft_type": "PROMPT_TUNING", "task_type": "CAUSAL_LM", "num_virtual_tokens": 3}
    (folder / "adapter_config.json").write_text(json.dumps(settings))


FAULTS = {
    "alone": (only_adapter, "holds an adapter and not the model that it changes; merge"),
    "beside a configuration": (without("model.safetensors"), "holds an adapter and not the model"),
    "no settings": (without("adapter_config.json"), "there is no adapter_config.json"),
    "no parameters": (without("adapter_model.safetensors"), "there is no adapter_model.safetensors"),
    "broken settings": (
        lambda folder: (folder / "adapter_config.json").write_text("{"),
        "adapter_config.json is not valid JSON",
    ),
    "of another model": (misfit, "does not fit the model"),
    "of an unknown kind": (
        lambda folder: change_config(folder, "adapter_config.json", peft_type="NEW"),
        "cannot load an adapter",
    ),
    "of prompts": (prompts, "so it cannot be merged"),
}


@pytest.mark.parametrize("kind", FAULTS)
def test_an_adapter_that_cannot_be_merged_is_refused(kind, adapted, tmp_path):
    folder = shutil.copytree(adapted[0], tmp_path / "model")
    change, said = FAULTS[kind]
    change(folder)
    with pytest.raises(DataError) as caught:
        load_model(folder, merge_adapter=True)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
