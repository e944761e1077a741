"""Pre-training: deterministic, resumable to the bit, in the corpus's order, and never a half-made model."""

import json
import math
import re

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from tiny_world import vocabulary_of
from unequal.corpus.shards import TokenWindows
from unequal.errors import DataError, DivergedError, UserError
from unequal.models.load import load_model, scratch_model
from unequal.models.shapes import ModelSettings, Shape
from unequal.training import pretrain as module
from unequal.training.checkpoint import load_checkpoint, save_checkpoint
from unequal.training.loop import LoopSettings, run_steps
from unequal.training.optimiser import build_optimiser
from unequal.training.pretrain import next_token_loss, pretrain
from unequal.training.settings import OptimiserSettings, PretrainSettings

TINY = ModelSettings(family="gpt2", size="tiny", shape=Shape(width=16, layers=2, heads=2))
SETTINGS = PretrainSettings(batch_windows=4, micro_batch_windows=4)


class StopError(Exception):
    """Stands for whatever ends a run too soon."""


@pytest.fixture(scope="module")
def short(make_corpus):
    """A corpus of one epoch, which is a few steps."""
    return make_corpus(epochs=2)


def weights(folder):
    return load_file(folder / "model.safetensors")


def assert_equal(first, second):
    assert first.keys() == second.keys()
    for name in first:
        assert torch.equal(first[name], second[name]), name


@pytest.fixture(scope="module")
def uninterrupted(short, tmp_path_factory):
    return pretrain(TINY, short, SETTINGS, seed=1, out=tmp_path_factory.mktemp("whole"), checkpoint_every=4)


def test_the_folder_loads_with_plain_transformers(uninterrupted, short):
    model = AutoModelForCausalLM.from_pretrained(uninterrupted)
    tokenizer = AutoTokenizer.from_pretrained(uninterrupted)
    assert_equal(dict(model.state_dict()), dict(load_model(uninterrupted).state_dict()))
    assert len(tokenizer) == model.config.vocab_size == vocabulary_of(short).size
    ids = tokenizer("Question:", return_tensors="pt").input_ids
    assert torch.isfinite(model(input_ids=ids).logits).all()


def test_training_is_deterministic_and_depends_on_the_seed(uninterrupted, short, tmp_path):
    again = pretrain(TINY, short, SETTINGS, seed=1, out=tmp_path / "again", checkpoint_every=0)
    assert_equal(weights(again), weights(uninterrupted))
    other = pretrain(TINY, short, SETTINGS, seed=2, out=tmp_path / "other", checkpoint_every=0)
    assert not torch.equal(*(weights(path)["transformer.wte.weight"] for path in (again, other)))


def test_a_resumed_run_ends_with_the_very_weights_of_an_uninterrupted_one(uninterrupted, short, tmp_path):
    def stop(done, _total):
        if done == 13:
            raise StopError

    with pytest.raises(StopError):
        pretrain(TINY, short, SETTINGS, seed=1, out=tmp_path, checkpoint_every=4, progress=stop)
    assert [path.name for path in (tmp_path / "checkpoints").glob("step-*")] == ["step-0000012"]
    assert not (tmp_path / "model").exists()
    seen = []
    pretrain(TINY, short, SETTINGS, 1, tmp_path, 4, lambda done, total: seen.append((done, total)))
    n_steps = math.ceil(len(TokenWindows(short)) / 4)
    assert n_steps > 13
    assert seen == [(done, n_steps) for done in range(13, n_steps + 1)]
    assert_equal(weights(tmp_path / "model"), weights(uninterrupted))
    metrics = [json.loads((path / "metrics.json").read_text()) for path in (tmp_path, uninterrupted.parent)]
    assert metrics[0] == metrics[1]


def test_micro_batches_do_not_change_what_is_learnt(uninterrupted, short, tmp_path):
    small = SETTINGS.model_copy(update={"micro_batch_windows": 1})
    in_ones = weights(pretrain(TINY, short, small, seed=1, out=tmp_path, checkpoint_every=0))
    losses = [
        json.loads((path / "metrics.json").read_text())["losses"] for path in (tmp_path, uninterrupted.parent)
    ]
    assert [row["loss"] for row in losses[0]] == pytest.approx([row["loss"] for row in losses[1]], rel=1e-4)
    for name, whole in weights(uninterrupted).items():
        if "attn.c_attn.bias" not in name:  # the key bias has no gradient but rounding, which Adam blows up
            torch.testing.assert_close(in_ones[name], whole, rtol=1e-2, atol=1e-3)


def gradients(short, micro_batch_windows, batch_windows=8):
    model = scratch_model(TINY, vocabulary_of(short), seed=1)
    settings = PretrainSettings(batch_windows=batch_windows, micro_batch_windows=micro_batch_windows)
    for loss in module._losses(model, TokenWindows(short), settings, 0):
        loss.backward()
    return {name: weight.grad for name, weight in model.named_parameters()}


def test_eight_micro_batches_of_one_give_the_gradients_of_one_of_eight(short):
    whole = gradients(short, 8)
    for micro in (1, 3):
        for name, gradient in gradients(short, micro).items():
            torch.testing.assert_close(gradient, whole[name], rtol=1e-4, atol=1e-6)


def test_every_window_is_seen_once_in_the_order_of_the_corpus(short, tmp_path, monkeypatch):
    seen = []
    plain = module.next_token_loss

    def watched(model, ids, padding):
        seen.append(ids.numpy())
        return plain(model, ids, padding)

    monkeypatch.setattr(module, "next_token_loss", watched)
    odd = PretrainSettings(batch_windows=7, micro_batch_windows=3)
    pretrain(TINY, short, odd, seed=1, out=tmp_path, checkpoint_every=0)
    windows = TokenWindows(short)
    assert (np.concatenate(seen) == windows.slice(0, len(windows))).all()
    assert [len(part) for part in seen[:3]] == [3, 3, 1]


def test_the_loss_falls(make_corpus, tmp_path):
    settings = PretrainSettings(batch_windows=4, optimiser=OptimiserSettings(learning_rate=1e-2))
    corpus = make_corpus()
    pretrain(TINY, corpus, settings, seed=1, out=tmp_path, checkpoint_every=0)
    losses = [row["loss"] for row in json.loads((tmp_path / "metrics.json").read_text())["losses"]]
    assert losses[-1] < 0.8 * math.log(vocabulary_of(corpus).size)


def test_a_diverging_run_says_so_and_leaves_no_model(short, tmp_path):
    wild = PretrainSettings(batch_windows=4, optimiser=OptimiserSettings(learning_rate=1e36, warmup_share=0))
    with pytest.raises(DivergedError, match=r"the loss is (nan|inf) at step \d+; lower the learning rate"):
        pretrain(TINY, short, wild, seed=1, out=tmp_path)
    assert not (tmp_path / "model").exists()
    assert issubclass(DivergedError, UserError)


def test_the_loss_is_the_cross_entropy_of_all_targets_but_padding(short, model):
    windows = TokenWindows(short)
    ids = torch.from_numpy(windows.slice(0, 5))
    padding = windows.card.padding_token_id
    with torch.no_grad():
        logs = model(input_ids=ids).logits.double().log_softmax(-1)
        expected = 0.0
        for row in range(5):
            for place in range(1, ids.shape[1]):
                if ids[row, place] != padding:
                    expected -= logs[row, place - 1, ids[row, place]].item()
        assert next_token_loss(model, ids, padding).item() == pytest.approx(expected, rel=1e-4)


class TestCheckpoints:
    @pytest.fixture
    def trained(self, short):
        model = scratch_model(TINY, vocabulary_of(short), seed=1)
        optimiser = build_optimiser(model, OptimiserSettings())
        ids = torch.from_numpy(TokenWindows(short).slice(0, 2))
        for _ in range(2):
            next_token_loss(model, ids, 1).backward()
            optimiser.step()
            optimiser.zero_grad()
        return model, optimiser

    def fresh(self, short):
        model = scratch_model(TINY, vocabulary_of(short), seed=9)
        return model, build_optimiser(model, OptimiserSettings())

    def test_weights_and_optimiser_come_back(self, trained, short, tmp_path):
        save_checkpoint(tmp_path, 7, *trained)
        model, optimiser = self.fresh(short)
        assert load_checkpoint(tmp_path, model, optimiser) == 7
        assert_equal(dict(model.state_dict()), dict(trained[0].state_dict()))
        for index, state in trained[1].state_dict()["state"].items():
            assert_equal(optimiser.state_dict()["state"][index], state)

    def test_there_may_be_none(self, short, tmp_path):
        assert load_checkpoint(tmp_path / "none", *self.fresh(short)) == 0

    def test_only_the_newest_is_kept(self, trained, tmp_path):
        save_checkpoint(tmp_path, 9, *trained)
        save_checkpoint(tmp_path, 10, *trained)
        assert [path.name for path in tmp_path.iterdir()] == ["step-0000010"]

    @pytest.mark.parametrize("file", ["model.safetensors", "optimiser.safetensors", "state.json"])
    @pytest.mark.parametrize("damage", ["gone", "cut", "empty", "other", "a flipped bit"])
    @pytest.mark.fault(
        "a checkpoint is cut, emptied, swapped, gone or has a flipped bit",
        "it is not believed: training begins anew, with a note",
    )
    def test_a_damaged_one_is_noted_and_removed(self, trained, short, tmp_path, caplog, file, damage):
        save_checkpoint(tmp_path, 7, *trained)
        path = tmp_path / "step-0000007" / file
        content = path.read_bytes()
        if damage == "gone":
            path.unlink()
        elif damage == "other":
            names = {"state.json": b"[]", "model.safetensors": "optimiser.safetensors"}
            other = names.get(file, "model.safetensors")
            path.write_bytes(other if isinstance(other, bytes) else (path.parent / other).read_bytes())
        elif damage == "a flipped bit":
            path.write_bytes(content[:-9] + bytes([content[-9] ^ 1]) + content[-8:])
        else:
            path.write_bytes(content[: len(content) // 2] if damage == "cut" else b"")
        model, optimiser = self.fresh(short)
        assert load_checkpoint(tmp_path, model, optimiser) == 0
        assert_equal(dict(model.state_dict()), dict(self.fresh(short)[0].state_dict()))
        (note,) = caplog.messages
        assert re.search(r"the checkpoint .*step-0000007 is damaged \(.*\); training begins anew$", note)
        assert not list(tmp_path.iterdir())

    def test_one_of_another_model_is_a_data_error_in_one_line(self, trained, tmp_path):
        save_checkpoint(tmp_path, 7, *trained)
        other = torch.nn.Linear(3, 1)
        with pytest.raises(DataError, match=r"step-0000007 is not of this model.*run again") as caught:
            load_checkpoint(tmp_path, other, build_optimiser(other, OptimiserSettings()))
        assert "\n" not in str(caught.value)


class TestRunSteps:
    def run(self, losses, n_steps=5, checkpoints=None, **kwargs):
        model = torch.nn.Linear(3, 1)
        seen = []
        settings = LoopSettings(n_steps, OptimiserSettings(), checkpoints)
        run_steps(model, losses(model), settings, lambda *at: seen.append(at), **kwargs)
        return model, seen

    def test_the_start_and_every_step_are_reported_with_the_sum_of_the_losses(self):
        def losses(model):
            return lambda step: [model.weight.sum() * 0 + step, model.weight.sum() * 0 + 1]

        model, seen = self.run(losses, n_steps=3)
        assert seen[0][0] == 0
        assert math.isnan(seen[0][1])
        assert seen[1:] == [(1, 1.0), (2, 2.0), (3, 3.0)]
        assert not model.training

    def test_a_loss_that_is_no_number_changes_nothing_more(self):
        before = {}

        def losses(model):
            def of_step(step):
                if step == 2:
                    before.update({name: weight.clone() for name, weight in model.state_dict().items()})
                    before["model"] = model
                yield model.weight.sum() * (float("nan") if step == 2 else 1.0)

            return of_step

        with pytest.raises(DivergedError, match="the loss is nan at step 3"):
            self.run(losses)
        model = before.pop("model")
        assert_equal(dict(model.state_dict()), before)

    def test_a_gradient_that_is_not_finite_changes_nothing_more(self):
        """The loss still is; weights after the step would not be."""

        def losses(model):
            return lambda step: [
                (model.weight.sum() - model.weight.sum().detach()) ** (0.5 if step == 2 else 2)
            ]

        with pytest.raises(DivergedError, match="the gradient is not finite at step 3") as caught:
            self.run(losses)
        assert caught.value.step == 3

    def test_the_batch_is_named_and_the_last_good_state_is_kept(self, tmp_path):
        kept = {}

        def losses(model):
            kept["model"] = model
            return lambda step: [model.weight.sum() * (float("nan") if step == 2 else 1.0)]

        names = [f"fact {number}" for number in range(9)]
        with pytest.raises(DivergedError) as caught:
            self.run(losses, checkpoints=tmp_path, batch_of=lambda step: [*names, f"of {step}"])
        assert caught.value.batch == (*names, "of 2")
        shown = ", ".join(names[:6])
        assert str(caught.value) == (
            f"the loss is nan at step 3; lower the learning rate (in its batch: {shown} and 4 more)"
        )
        again = torch.nn.Linear(3, 1)
        assert load_checkpoint(tmp_path, again, build_optimiser(again, OptimiserSettings())) == 2
        assert_equal(dict(again.state_dict()), dict(kept["model"].state_dict()))

    def test_only_matrices_decay(self):
        model = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.LayerNorm(2))
        model[0].weight.requires_grad_(False)
        decayed, plain = ({"decay": [], "plain": []}[kind] for kind in ("decay", "plain"))
        for group in build_optimiser(torch.nn.Linear(3, 2), OptimiserSettings(weight_decay=0.3)).param_groups:
            (decayed if group["weight_decay"] else plain).extend(weight.ndim for weight in group["params"])
        assert (decayed, plain) == ([2], [1])
        groups = build_optimiser(model, OptimiserSettings()).param_groups
        assert [len(group["params"]) for group in groups] == [3]  # the frozen matrix is in no group
