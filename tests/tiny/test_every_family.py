"""Every family goes the whole way: it learns, resumes, is scored, generates, unlearns, takes an adapter."""

import copy

import numpy as np
import pytest
import torch

from gate import of_families
from tiny_world import PROMPTS, vocabulary_of
from unequal.facts.probes import ProbeMaker
from unequal.models import FAMILIES
from unequal.models.adapters import Adapter, AdapterSettings
from unequal.models.load import load_model, scratch_model
from unequal.models.shapes import ModelSettings, Shape
from unequal.scoring.encoding import encode, open_prompt
from unequal.scoring.ending import cut_text
from unequal.scoring.generate import generate
from unequal.scoring.log_probs import log_probs
from unequal.scoring.logits import pad_rows
from unequal.training.loop import LoopSettings, run_steps
from unequal.training.pretrain import next_token_loss
from unequal.training.settings import OptimiserSettings
from unequal.unlearning.methods import METHODS
from unequal.unlearning.run import Run
from unequal.unlearning.settings import UnlearnSettings
from unequal.unlearning.unlearn import unlearn

SHAPE = Shape(width=32, layers=2, heads=4)
STEPS = 20
FAST = OptimiserSettings(learning_rate=2e-2)
TOLERANCE = {"rtol": 0, "atol": 1e-4}


class StopError(Exception):
    """Stands for whatever ends a run too soon."""


@pytest.fixture(scope="module")
def lesson(facts):
    """Facts to forget and to retain, a few of each."""
    chosen = {role: [fact for fact in facts if fact.role == role][:6] for role in ("forget", "retain")}
    return chosen["forget"], chosen["retain"]


@pytest.fixture(scope="module")
def asked(lesson, facts):
    """Probes of two kinds about the facts to forget."""
    maker = ProbeMaker(facts, PROMPTS, n_variants=1)
    return [probe for fact in lesson[0][:3] for probe in maker.probes(fact, ("question", "cloze"))]


@pytest.fixture(scope="module")
def batch(tokenizer, lesson):
    """Questions with their answers, ``(facts, longest)``."""
    texts = [f"{PROMPTS.ask(fact.question)} {fact.answer}" for facts in lesson for fact in facts]
    rows = [[*tokenizer(text)["input_ids"], tokenizer.eos_token_id] for text in texts]
    return pad_rows(rows, tokenizer.pad_token_id, torch.device("cpu"))


@pytest.fixture(scope="module")
def teach(corpus, tokenizer, batch):
    """Return a family's model after some steps on the batch, and the loss of each step."""

    def make(family, stop_after=None, folder=None):
        settings = ModelSettings(family=family, size="tiny", shape=SHAPE)
        model, seen = scratch_model(settings, vocabulary_of(corpus), seed=1), []

        def losses(step):
            rows = batch[step % 2 :: 2]  # what a step sees depends on its number
            yield next_token_loss(model, rows, tokenizer.pad_token_id) / rows.numel()

        def after_step(done, loss):
            seen.append(loss)
            if done == stop_after:
                raise StopError

        run_steps(model, losses, LoopSettings(STEPS, FAST, folder, 16 if folder else 0), after_step)
        return model, seen[1:]

    return make


@pytest.fixture(scope="module", params=of_families(FAMILIES, "gpt2"))
def family(request):
    return request.param


@pytest.fixture(scope="module")
def taught(family, teach):
    """A model that has learnt, and its losses; no test may change it."""
    return teach(family)


def weights(model):
    return torch.cat([weight.detach().flatten() for weight in model.parameters()])


@torch.no_grad()
def naive(model, encoded):
    """Return log-probabilities of every continuation from all logits, one row at a time."""
    found = []
    for continuation in encoded.continuations:
        ids = torch.tensor([encoded.prompt + continuation])
        logs = model(input_ids=ids).logits[0].double().log_softmax(-1)
        places = range(len(encoded.prompt) - 1, ids.shape[1] - 1)
        found += [logs[place, ids[0, place + 1]].item() for place in places]
    return found


def values(scores):
    """Return the log-probabilities of all answers to each probe."""
    return [np.concatenate([answer.log_probs for answer in (one.right, *one.wrong)]) for one in scores]


@torch.no_grad()
def argmax_text(model, tokenizer, probe):
    """Return what a model says when all is read anew for each token."""
    ids = tokenizer(probe.prompt)["input_ids"]
    start = len(ids)
    for _ in range(open_prompt(tokenizer, probe).limit):
        ids = [*ids, int(model(input_ids=torch.tensor([ids])).logits[0, -1].argmax())]
        if ids[-1] == tokenizer.eos_token_id:
            break
    return cut_text(tokenizer.decode(ids[start:], skip_special_tokens=True), probe.stops)


def test_it_learns_and_comes_back_from_disk_the_same(taught, batch, tmp_path):
    model, losses = taught
    assert losses[-1] < 0.5 * losses[0]
    model.save_pretrained(tmp_path)
    with torch.no_grad():
        assert torch.equal(load_model(tmp_path)(input_ids=batch).logits, model(input_ids=batch).logits)


def test_a_resumed_run_ends_with_the_very_weights_of_an_uninterrupted_one(family, taught, teach, tmp_path):
    with pytest.raises(StopError):
        teach(family, stop_after=17, folder=tmp_path)
    resumed, losses = teach(family, folder=tmp_path)
    assert len(losses) == STEPS - 16 - 1
    assert torch.equal(weights(resumed), weights(taught[0]))


def test_scores_are_those_from_all_logits_whatever_the_batch(taught, tokenizer, asked):
    model = taught[0]
    together = values(log_probs(model, tokenizer, asked))
    backwards = values(log_probs(model, tokenizer, asked[::-1]))[::-1]
    for probe, one, other in zip(asked, together, backwards, strict=True):
        expected = naive(model, encode(tokenizer, probe.prompt, (probe.answer, *probe.distractors)))
        np.testing.assert_allclose(one, expected, **TOLERANCE)
        np.testing.assert_allclose(other, expected, **TOLERANCE)


def test_texts_are_those_of_reading_all_anew_for_each_token(taught, tokenizer, asked):
    model = taught[0]
    texts = generate(model, tokenizer, asked)
    assert len(set(texts)) > 1
    assert texts == [argmax_text(model, tokenizer, probe) for probe in asked]


def unlearned(model, tokenizer, lesson, kind):
    """Return a copy of the model after two steps of a method."""
    copied = copy.deepcopy(model)
    method = METHODS.get(kind).model_validate({"kind": kind, "learning_rate": 1e-3})
    chosen = UnlearnSettings(steps=2, batch_size=6, evaluate_at=(2,))
    unlearn(Run(copied, tokenizer, method, *lesson, chosen, PROMPTS))
    return copied


def test_unlearning_makes_the_answers_less_probable(taught, tokenizer, lesson, asked):
    model = taught[0]
    asked = [probe for probe in asked if probe.kind == "question"]
    after = unlearned(model, tokenizer, lesson, "npo")
    before, now = (log_probs(one, tokenizer, asked) for one in (model, after))
    for first, second in zip(before, now, strict=True):
        assert second.right.log_probs.sum() < first.right.log_probs.sum() - 0.01
    assert torch.isfinite(weights(after)).all()


def test_a_method_that_moves_hidden_states_finds_the_layers(taught, tokenizer, lesson):
    model = taught[0]
    after = unlearned(model, tokenizer, lesson, "rmu")
    moved = [name for name, weight in after.named_parameters() if not weight.equal(model.get_parameter(name))]
    assert moved
    assert all(".layers." in name or ".h." in name for name in moved)


def test_an_adapter_learns_and_without_it_the_model_is_what_it_was(family, taught, batch):
    pytest.importorskip("peft")
    model = copy.deepcopy(taught[0])
    with torch.no_grad():
        before = model(input_ids=batch).logits
    settings = AdapterSettings(rank=2)
    adapter = Adapter(model, settings, seed=0)
    run_steps(model, lambda _step: [next_token_loss(model, batch, 1)], LoopSettings(2, FAST))
    with torch.no_grad():
        trained = model(input_ids=batch).logits
        assert not torch.allclose(trained, before, atol=1e-3)
        with adapter.off():
            assert torch.equal(model(input_ids=batch).logits, before)
        adapter.merge()
        torch.testing.assert_close(model(input_ids=batch).logits, trained, rtol=1e-3, atol=1e-3)
