"""Adapters: off they leave the model what it was, and merged the model is what was trained."""

import copy
import warnings

import pytest
import torch

from tiny_world import PROMPTS, run_of
from unequal.errors import ConfigError, MissingExtraError
from unequal.models import adapters
from unequal.models.adapters import Adapter, AdapterSettings
from unequal.models.load import load_model
from unequal.scoring.logits import pad_rows
from unequal.unlearning.answer_objective import AnswerObjective
from unequal.unlearning.methods import METHODS
from unequal.unlearning.run import Run
from unequal.unlearning.settings import UnlearnSettings
from unequal.unlearning.stopping import Stopping
from unequal.unlearning.targets import Controls
from unequal.unlearning.unlearn import unlearn

pytest.importorskip("peft")
SMALL = AdapterSettings(rank=4, alpha=8)


@pytest.fixture
def run(model, tokenizer, forget, retain):
    """Unlearn a copy; returns it, and what the judge saw at each step."""

    def start(kind, look=lambda _model: None, seed=0, learning_rate=1e-2, **settings):
        copied, seen = copy.deepcopy(model), {}
        method = METHODS.get(kind).model_validate({"kind": kind, "learning_rate": learning_rate})
        chosen = UnlearnSettings.model_validate({"steps": 3, "batch_size": 4, "adapter": SMALL, **settings})
        run = Run(
            copied, tokenizer, method, forget, retain if method.retain_weight or method.dual else [], chosen,
            PROMPTS, seed, Controls(utility=forget),  # so that what is forgotten costs utility
            evaluate=lambda model, step, last: seen.setdefault(step, (last, look(model))),
        )  # fmt: skip
        unlearn(run)
        return copied, seen

    return start


def weights(model):
    return {name: weight.detach().clone() for name, weight in model.named_parameters()}


def differs(model, other):
    mine, theirs = weights(model), weights(other)
    return {name for name in mine if not torch.equal(mine[name], theirs[name])}


def test_off_is_the_reference_bit_for_bit_in_the_middle_of_training(model, tokenizer, forget, score):
    trained, before = copy.deepcopy(model), score(model)
    npo = METHODS.get("npo").model_validate({"kind": "npo", "retain_weight": 0.0})
    objective = AnswerObjective(run_of(trained, tokenizer, npo, forget, [], batch_size=4))
    adapter = Adapter(trained, SMALL, seed=0)
    assert score(trained) == before  # B is 0
    optimiser = torch.optim.AdamW(objective.trained, lr=1e-2)
    for step in range(3):
        torch.autograd.backward(next(iter(objective.losses(step))))
        optimiser.step()
        optimiser.zero_grad()
        moved = score(trained)
        assert moved != before
        with adapter.off():
            assert score(trained) == before
        assert score(trained) == moved
        assert all(weight.requires_grad for weight in objective.trained)


def test_only_the_adapter_is_trained_and_merging_gives_the_same_scores(model, score):
    trained, names = copy.deepcopy(model), set(model.state_dict())
    adapter = Adapter(trained, SMALL, seed=0)
    learning = {name for name, weight in trained.named_parameters() if weight.requires_grad}
    assert learning
    assert all(".lora_" in name for name in learning)
    assert type(trained) is type(model)
    assert not any("lm_head" in name for name in learning)
    with torch.no_grad():
        for weight in trained.parameters():
            if weight.requires_grad:
                weight += 0.1
    moved = score(trained)
    adapter.merge()
    assert score(trained) == pytest.approx(moved, rel=1e-4)
    assert moved != pytest.approx(score(model), rel=1e-2)
    assert set(trained.state_dict()) == names
    assert all(weight.requires_grad for weight in trained.parameters())


def test_first_weights_depend_on_the_seed_alone(model):
    made = []
    for seed in (1, 1, 2):
        torch.manual_seed(len(made))
        copied = copy.deepcopy(model)
        Adapter(copied, SMALL, seed)
        made.append(copied)
    assert not differs(made[0], made[1])
    assert differs(made[0], made[2])


def test_no_warning_whatever_the_layers(model):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Adapter(copy.deepcopy(model), SMALL, 0).merge()


@pytest.mark.parametrize("kind", ["graddiff", "npo", "npo_sam", "whp", "altpo", "ga_kl"])
def test_methods_forget_with_an_adapter(kind, run, model, score):
    ended, seen = run(kind, look=score)
    assert [last for last, _ in seen.values()] == [False, False, False, True]
    assert sum(score(ended)) > sum(score(model))
    changed = differs(ended, model)
    assert changed  # embeddings, norms, biases and the head stay as they were
    assert all(name.endswith(".weight") for name in changed)
    assert not any(part in name for name in changed for part in ("wte", "wpe", "embed", "ln_", "norm"))


def test_what_is_kept_is_what_was_judged_and_loads_as_plain_weights(run, tokenizer, score, tmp_path):
    ended, seen = run("npo", look=score)
    assert score(ended) == seen[3][1]
    ended.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    assert [path.name for path in tmp_path.glob("*.safetensors")] == ["model.safetensors"]
    assert not list(tmp_path.glob("adapter*"))
    assert score(load_model(tmp_path)) == pytest.approx(seen[3][1], rel=1e-5)


def test_a_run_that_costs_too_much_goes_back_to_the_start(run, model):
    ended, seen = run("ga", stopping=Stopping(utility_drop=0.01))
    assert list(seen) == [0]
    assert not differs(ended, model)


def test_hidden_state_methods_train_the_adapters_of_their_layers(run, model):
    ended, _ = run("rmu")
    changed = differs(ended, model)
    assert changed
    assert all(".0." in name for name in changed)  # layer 0 of two


def test_names_of_modules_choose_where_it_stands(run, model):
    name = "c_fc" if model.config.model_type == "gpt2" else "up_proj"
    ended, _ = run("npo", adapter={"target_modules": [name]})
    assert differs(ended, model)
    assert all(name in changed for changed in differs(ended, model))
    with pytest.raises(ConfigError, match=f"'nope'.* set target_modules to some of .*{name}"):
        run("npo", adapter={"target_modules": ["nope"]})


def test_where_nothing_would_be_trained_it_is_said(run, model):
    last = [name for name, _ in model.named_modules() if ".1." in name and name.endswith(("c_fc", "up_proj"))]
    with pytest.raises(ConfigError, match="no layer that method rmu trains has an adapter"):
        run("rmu", adapter={"target_modules": last})


@pytest.mark.parametrize("kind", ["task_vector", "icu"])
def test_methods_that_train_nothing_take_none(kind, run):
    with pytest.raises(ConfigError, match=f"method {kind} minimises no loss.*leave out .* adapter"):
        run(kind)


def test_without_peft_the_extra_is_named(run, monkeypatch):
    monkeypatch.setattr(adapters, "find_spec", lambda _name: None)
    with pytest.raises(MissingExtraError, match=r"unequal\[peft\]"):
        run("npo")
    run("npo", adapter=None)


def test_a_model_with_an_adapter_is_read_through_the_same_head(model, tokenizer):
    """Logits at chosen positions come from the inner model, which must not be the one without the adapter."""
    from unequal.scoring.logits import logits_at

    trained = copy.deepcopy(model)
    Adapter(trained, SMALL, 0)
    with torch.no_grad():
        for weight in trained.parameters():
            if weight.requires_grad:
                weight += 0.1
        ids = pad_rows([[5, 6, 7, 8]], int(tokenizer.pad_token_id), trained.device)
        chosen = logits_at(trained, ids, torch.tensor([0]), torch.tensor([3]))
        torch.testing.assert_close(chosen, trained(ids).logits[0, 3:4], rtol=1e-5, atol=1e-5)
        assert not torch.allclose(chosen, model(ids).logits[0, 3:4], atol=1e-3)
