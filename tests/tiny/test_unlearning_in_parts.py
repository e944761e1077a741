"""A step in parts is the same step: micro-batches, processes, recomputed layers, and the order of facts."""

import copy

import pytest
import torch

from gate import sample
from one_of_two import RUNS, weights_after
from read_rows import count_rows
from side_by_side import run_by_two
from tiny_world import PROMPTS, run_of
from unequal.errors import ConfigError
from unequal.models import FAMILIES
from unequal.models.layers import _PARTS, decoder_layers, last_layer_at
from unequal.models.load import scratch_model
from unequal.models.shapes import ModelSettings, Shape, Vocabulary
from unequal.scoring.logits import logits_at
from unequal.training.recompute import recomputing
from unequal.unlearning.examples import FactEncoder, score_examples
from unequal.unlearning.method import Method
from unequal.unlearning.method_kinds import WithoutLoss
from unequal.unlearning.methods import METHODS
from unequal.unlearning.run import Run
from unequal.unlearning.sampler import BatchOrder
from unequal.unlearning.settings import UnlearnSettings
from unequal.unlearning.unlearn import make_objective, unlearn

WITH_LOSS = [kind for kind in METHODS if not issubclass(METHODS.get(kind), WithoutLoss)]
ADDITIVE = [kind for kind in WITH_LOSS if METHODS.get(kind).reduce is Method.reduce]
ONE_FAMILY = pytest.mark.parametrize("model", ["gpt2"], indirect=True)


@pytest.fixture
def forget(facts):
    return [fact for fact in facts if fact.role == "forget"][:9]


@pytest.fixture
def retain(facts):
    return [fact for fact in facts if fact.role == "retain"][:8]


def build(kind, **settings):
    return METHODS.get(kind).model_validate({"kind": kind, **settings})


def precise(model, seed=2):
    """Return a copy of the model in float64 with other weights."""
    copied, stream = copy.deepcopy(model).double(), torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in copied.parameters():
            weight += 0.05 * torch.randn(weight.shape, generator=stream)
    return copied


def objective_of(method, model, tokenizer, forget, retain, micro_batch=None, weights=None):
    run = run_of(model, tokenizer, method, forget, retain, batch_size=8, micro_batch=micro_batch)
    return make_objective(run, weights)


def step_of(method, model, tokenizer, forget, retain, micro_batch=None, weights=None):
    """Return the first step's number of passes, loss and gradient, and the next retain weight."""
    own = precise(model)
    objective = objective_of(method, own, tokenizer, forget, retain, micro_batch, weights)
    own.load_state_dict(precise(model, seed=3).state_dict())
    total, passes = torch.zeros(()), []
    own.base_model.register_forward_pre_hook(lambda *_: passes.append(1))
    for loss in objective.losses(0):
        loss.backward()
        total = total + loss.detach()
    objective.after_step(0, 10)
    gradient = torch.cat([weight.grad.flatten() for weight in objective.trained if weight.grad is not None])
    return len(passes), total, gradient, getattr(objective, "_multiplier", 0.0)


def assert_same(one, other):
    torch.testing.assert_close(one[1], other[1], rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(one[2], other[2], rtol=1e-7, atol=1e-10)
    assert one[3] == pytest.approx(other[3], rel=1e-9)


# --- micro-batches


@ONE_FAMILY
@pytest.mark.parametrize("kind", sample(ADDITIVE, 8))
def test_eight_passes_of_one_fact_are_one_of_eight(kind, model, tokenizer, forget, retain):
    method = build(kind, question_weight=0.0 if kind in ("rmu", "adaptive_rmu") else 0.3)
    weights = [0.2 * (index + 1) for index in range(len(forget))]
    whole, by_three, by_one = (
        step_of(method, model, tokenizer, forget, retain, size, weights) for size in (None, 3, 1)
    )
    assert whole[2].abs().max() > 0
    assert (by_three[0], by_one[0]) == (3 * whole[0], 8 * whole[0])
    assert_same(by_three, whole)
    assert_same(by_one, whole)


@ONE_FAMILY
def test_a_retain_weight_learns_from_the_whole_step(model, tokenizer, forget, retain):
    method = build("ga", retain_weight=1.0, dual={"rate": 0.5, "budget": 0.1})
    whole, by_three = (step_of(method, model, tokenizer, forget, retain, size) for size in (None, 3))
    assert whole[3] > 1.1
    assert_same(by_three, whole)


@ONE_FAMILY
def test_a_loss_of_a_whole_batch_is_not_cut(model, tokenizer, forget, retain):
    assert sorted(set(WITH_LOSS) - set(ADDITIVE)) == ["baldro"]

    def run(micro_batch):
        settings = UnlearnSettings(steps=1, batch_size=4, micro_batch=micro_batch)
        own = copy.deepcopy(model)
        unlearn(Run(own, tokenizer, build("baldro"), forget, retain, settings, PROMPTS))

    with pytest.raises(ConfigError, match="baldro is of a batch as a whole"):
        run(2)
    run(4)


@pytest.mark.parametrize("kind", ["npo", "rmu", "idk", "npo_sam"])
def test_the_order_of_facts_within_a_step_does_not_change_it(
    kind, model, tokenizer, forget, retain, monkeypatch
):
    plain = step_of(build(kind), model, tokenizer, forget, retain)
    at = BatchOrder.at
    monkeypatch.setattr(BatchOrder, "at", lambda self, step: at(self, step)[::-1])
    assert_same(step_of(build(kind), model, tokenizer, forget, retain), plain)


@ONE_FAMILY
@pytest.mark.parametrize("kind", ["npo", "rmu"])
def test_a_run_in_parts_ends_where_a_whole_one_does(kind, model, tokenizer, forget, retain):
    def run(**settings):
        own = precise(model)
        chosen = UnlearnSettings(steps=5, batch_size=8, **settings)
        method = build(kind, learning_rate=1e-3)
        unlearn(Run(own, tokenizer, method, forget, retain, chosen, PROMPTS))
        return torch.cat([weight.detach().flatten() for weight in own.parameters()])

    start = torch.cat([weight.detach().flatten() for weight in precise(model).parameters()])
    whole = run()
    assert (whole - start).abs().max() > 1e-3
    for settings in ({"micro_batch": 3}, {"gradient_checkpointing": True}):
        torch.testing.assert_close(run(**settings), whole, rtol=0, atol=1e-8)


@ONE_FAMILY
@pytest.mark.parametrize("micro_batch", [None, 3])
def test_no_pass_is_made_over_facts_that_are_done_and_the_others_pull_as_before(
    micro_batch, model, tokenizer, forget
):
    own, rows = precise(model), []
    method = build("ga", retain_weight=0.0)
    alone = [next(objective_of(method, own, tokenizer, [fact], []).losses(0)).item() for fact in forget]
    weights = [0.2 * (index + 1) for index in range(9)]  # of mean 1
    objective = objective_of(method, own, tokenizer, forget, [], micro_batch, weights)
    own.base_model.register_forward_pre_hook(count_rows(rows), with_kwargs=True)
    objective.weights.exclude(torch.tensor([True, True, True, *[False] * 6]))
    kept = set(BatchOrder(9, 8, 0, "forget").at(0)) - {0, 1, 2}
    total = sum(loss.item() for loss in objective.losses(0))
    assert sum(rows) == len(kept)
    assert total == pytest.approx(sum(weights[index] * alone[index] for index in kept) / 8, rel=1e-6)


@ONE_FAMILY
@pytest.mark.parametrize(("kind", "n_scored"), [("npo", 0), ("whp", 0), ("rmu", 8), ("ga_kl", 8)])
def test_nothing_frozen_is_scored_for_a_forget_term_of_weight_0(
    kind, n_scored, model, tokenizer, forget, retain
):
    """What remains are the retain items that some methods compare with."""
    own, rows = precise(model), []
    own.base_model.register_forward_pre_hook(count_rows(rows), with_kwargs=True)
    method = build(kind, forget_weight=0.0, retain_weight=1.0)
    objective_of(method, own, tokenizer, forget, retain)
    assert sum(rows) == n_scored == (len(retain) if rows else 0)


# --- recomputed layers


@pytest.mark.parametrize("frozen", [False, True], ids=["all", "embeddings frozen"])
@pytest.mark.parametrize("kind", ["npo", "ga_kl", "rmu"])
def test_recomputing_layers_gives_the_same_gradient(kind, frozen, model, tokenizer, forget, retain):
    found = []
    for wanted in (False, True):
        own = precise(model)
        objective = objective_of(
            build(kind, layer=0.6) if kind == "rmu" else build(kind), own, tokenizer, forget, retain
        )
        own.load_state_dict(precise(model, seed=3).state_dict())
        own.get_input_embeddings().requires_grad_(not frozen)
        calls = []
        decoder_layers(own)[0].mlp.register_forward_pre_hook(lambda *_, calls=calls: calls.append(1))
        with recomputing(own.train(), wanted):
            for loss in objective.losses(0):
                loss.backward()
        assert len(calls) == 1 + wanted
        assert not any(getattr(layer, "gradient_checkpointing", False) for layer in decoder_layers(own))
        found.append([weight.grad for weight in own.parameters()])
    assert any(gradient is not None and gradient.any() for gradient in found[0])
    # Llama's norms are worked out in float32, once for a beginning that rows share and else for each.
    rtol, atol = (1e-9, 1e-12) if model.config.model_type == "gpt2" else (1e-4, 1e-7)
    for plain, again in zip(*found, strict=True):
        assert (plain is None) == (again is None)
        if plain is not None:
            torch.testing.assert_close(again, plain, rtol=rtol, atol=atol)


# --- the last layer


def made(family):
    settings = ModelSettings(family=family, size="tiny", shape=Shape(width=32, layers=2, heads=4))
    return scratch_model(
        settings, Vocabulary(size=50, window_tokens=24, end_token_id=0, padding_token_id=1), 0
    )


@pytest.mark.parametrize("family", list(FAMILIES))
def test_the_last_layer_at_some_positions_gives_the_same_logits_there(family):
    model = made(family).eval()
    ids = torch.randint(2, 50, (4, 20), generator=torch.Generator().manual_seed(3))
    rows, places = torch.tensor([0, 0, 1, 3]), torch.tensor([0, 7, 19, 4])
    plain = logits_at(model, ids, rows, places)
    with last_layer_at(model, rows, places):
        found = logits_at(model, ids, rows, places)
    torch.testing.assert_close(found, plain, rtol=1e-4, atol=1e-5)
    assert torch.equal(logits_at(model, ids, rows, places), plain)


@pytest.mark.parametrize("family", [name for name in FAMILIES if made(name).config.model_type in _PARTS])
def test_the_last_layer_is_spared_elsewhere_and_the_gradient_is_the_same(family):
    """At the first position of the first row too, with which what is short of a round number is filled up."""
    model = made(family).double()
    ids = torch.randint(2, 50, (4, 20), generator=torch.Generator().manual_seed(3))
    rows, places = torch.tensor([0, 0, 1, 3]), torch.tensor([0, 7, 19, 4])
    seen = []
    for name in _PARTS[model.config.model_type]:
        decoder_layers(model)[-1].get_submodule(name).register_forward_hook(
            lambda _m, given, _out: seen.append(given[0].shape[:2])
        )
    gradients = []
    for spare in (False, True):
        model.zero_grad()
        if spare:
            with last_layer_at(model, rows, places):
                loss = logits_at(model, ids, rows, places).log_softmax(1)[:, 3].sum()
        else:
            loss = logits_at(model, ids, rows, places).log_softmax(1)[:, 3].sum()
        loss.backward()
        gradients.append(torch.cat([weight.grad.flatten() for weight in model.parameters()]))
    assert seen == [(4, 20)] * 2 + [(1, 64)] * 2
    torch.testing.assert_close(gradients[1], gradients[0], rtol=1e-7, atol=1e-10)


def test_scored_rows_have_the_gradient_of_all_logits(model, tokenizer, forget):
    """One tensor as wide as the vocabulary holds logits and then their gradient."""
    rows = FactEncoder(tokenizer, PROMPTS).own_answers(forget, end=True)
    pull = torch.linspace(-1, 2, len(rows), dtype=torch.float64)
    gradients = []
    for whole in (False, True):
        own = precise(model)
        (pull * score_examples(own, rows, 1, whole).nll).sum().backward()
        gradients.append(torch.cat([weight.grad.flatten() for weight in own.parameters()]))
    torch.testing.assert_close(gradients[0], gradients[1], rtol=1e-7, atol=1e-9)


@ONE_FAMILY
def test_scored_rows_cannot_be_differentiated_twice_by_mistake(model, tokenizer, forget):
    rows = FactEncoder(tokenizer, PROMPTS).own_answers(forget, end=True)
    loss = score_examples(precise(model), rows, 1).nll.sum()
    loss.backward(retain_graph=True)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


# --- processes


@pytest.mark.full
@pytest.mark.parametrize("how", ["whole", "sharded"])
def test_two_processes_end_where_one_does(how, alone, corpus, tmp_path):
    """Runs of unlearning and pre-training whose losses and gradients two processes add up."""
    run_by_two("one_of_two.py", tmp_path / "meeting", corpus, tmp_path, how)
    first, second = (torch.load(tmp_path / f"weights-{rank}.pt") for rank in range(2))
    for kind in RUNS:
        assert torch.equal(first[kind], second[kind]), kind
        torch.testing.assert_close(first[kind], alone[kind], rtol=1e-6, atol=1e-6, msg=kind)
    assert not (tmp_path / "pretrained" / "checkpoints").exists()


@pytest.fixture(scope="module")
def alone(corpus, tmp_path_factory):
    """The weights of all runs in one process."""
    return {kind: weights_after(kind, corpus, tmp_path_factory.mktemp("alone")) for kind in RUNS}
