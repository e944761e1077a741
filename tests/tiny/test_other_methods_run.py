"""Methods of other forms in real runs: which passes are made, which weights change, and what comes out."""

import copy
from contextlib import contextmanager

import polars as pl
import pytest
import torch
from torch.nn.functional import logsigmoid

from gate import of_families, sample
from read_rows import count_rows
from tiny_world import PROMPTS, run_of, vocabulary_of
from unequal.errors import ConfigError
from unequal.evaluation.evaluate import Evaluator
from unequal.evaluation.score_table import read_generations, read_scores
from unequal.facts.probes import ProbeMaker
from unequal.facts.table import facts_frame
from unequal.models.load import scratch_model
from unequal.models.shapes import ModelSettings, Shape
from unequal.study.stages.unlearn import UnlearnCommand, run_unlearn
from unequal.training.optimiser import build_optimiser
from unequal.unlearning.answer_objective import AnswerObjective
from unequal.unlearning.examples import FactEncoder
from unequal.unlearning.hidden_state_objective import (
    HiddenStateObjective,
    decoder_layers,
    random_direction,
)
from unequal.unlearning.methods import METHODS
from unequal.unlearning.objective import training_only
from unequal.unlearning.reference_scores import reinforced
from unequal.unlearning.run import Run
from unequal.unlearning.sam_objective import SharpnessAwareObjective
from unequal.unlearning.settings import UnlearnSettings
from unequal.unlearning.unlearn import unlearn

KINDS = ("rmu", "adaptive_rmu", "npo_sam", "baldro", "pdu", "whp", "elm", "task_vector", "icu")
HIDDEN = ("rmu", "adaptive_rmu")
DEPTH = 5
SIX = UnlearnSettings(steps=6, batch_size=3)


@pytest.fixture(scope="module", params=of_families(["gpt2", "llama"], "gpt2"))
def deep(request, corpus):
    """A random model of five layers; no test may change it."""
    shape = Shape(width=32, layers=DEPTH, heads=4)
    settings = ModelSettings(family=request.param, size="tiny", shape=shape)
    return scratch_model(settings, vocabulary_of(corpus), seed=1).eval()


@pytest.fixture
def forget(facts):
    chosen = [fact for fact in facts if fact.role == "forget"]
    by_relation = {fact.relation: fact for fact in chosen}
    return [*by_relation.values(), chosen[0]][:5]


@pytest.fixture
def retain(facts):
    return [fact for fact in facts if fact.role == "retain"][:7]


def build(kind, **settings):
    return METHODS.get(kind).model_validate({"kind": kind, **settings})


def moved(model, seed=2):
    """Return a copy of the model with other weights."""
    copied = copy.deepcopy(model)
    stream = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in copied.parameters():
            weight += 0.05 * torch.randn(weight.shape, generator=stream)
    return copied


def row_of(tokenizer, fact, end):
    """Return the token ids of a question with its answer, and how many of them are the question's."""
    prompt = tokenizer(PROMPTS.ask(fact.question))["input_ids"]
    answer = tokenizer(f" {fact.answer}", add_special_tokens=False)["input_ids"]
    return prompt + answer + [tokenizer.eos_token_id] * end, len(prompt)


def weights_of(model):
    return {name: weight.detach().clone() for name, weight in model.named_parameters()}


def changed_names(before, model):
    return {name for name, weight in model.named_parameters() if not torch.equal(before[name], weight)}


class Calls:
    """Counts the rows of each pass, and how often each layer and the head are begun."""

    def __init__(self, model):
        self.layers = [0] * len(decoder_layers(model))
        self.rows = []
        self.heads = 0
        for index, layer in enumerate(decoder_layers(model)):
            layer.register_forward_pre_hook(lambda *_, index=index: self._layer(index))
        model.base_model.register_forward_pre_hook(count_rows(self.rows), with_kwargs=True)
        model.get_output_embeddings().register_forward_pre_hook(self._head)

    def _layer(self, index):
        self.layers[index] += 1

    def _head(self, *_):
        self.heads += 1


def run(model, tokenizer, method, forget, retain, settings=SIX, seed=0):
    """Unlearn a copy of the model and return it with the judged steps."""
    model, steps = copy.deepcopy(model), []
    kept = retain if method.retain_weight or method.dual else []
    unlearn(
        Run(
            model,
            tokenizer,
            method,
            forget,
            kept,
            settings,
            PROMPTS,
            seed,
            evaluate=lambda _m, step, _last: steps.append(step),
        )
    )
    return model, steps


# --- hidden states


def naive_hidden(method, layer, model, start, tokenizer, forget, retain):
    """Return γ·mean L_f + α·mean L_r from all hidden states that the models return, fact by fact."""
    direction = random_direction(32, 0)

    def states(of, fact, end):
        ids, n_prompt = row_of(tokenizer, fact, end)
        every = of(input_ids=torch.tensor([ids]), output_hidden_states=True).hidden_states
        return every[layer + 1][0, n_prompt - 1 : len(ids) - 1]

    total = 0.0
    for fact in forget:
        now, before = states(model, fact, False), states(start, fact, False)
        for one, old in zip(now, before, strict=True):
            length = method.steering if method.kind == "rmu" else method.scale * old.norm()
            target = (length * direction).detach()
            total = total + ((one - target) ** 2).sum() / 32 / len(now) / len(forget)
    for fact in retain:
        now, before = states(model, fact, True), states(start, fact, True).detach()
        total = total + method.retain_weight * ((now - before) ** 2).sum() / 32 / len(now) / len(retain)
    return total


@pytest.mark.parametrize("layer", [0, 2])
@pytest.mark.parametrize("kind", HIDDEN)
def test_the_hidden_loss_and_its_gradient_are_the_printed_ones(kind, layer, deep, tokenizer, forget, retain):
    method = build(kind, layer=layer, retain_weight=3.0)
    model, start = moved(deep), deep
    begun = copy.deepcopy(deep)
    objective = HiddenStateObjective(run_of(begun, tokenizer, method, forget, retain))
    begun.load_state_dict(model.state_dict())
    (found,) = objective.losses(0)
    expected = naive_hidden(method, layer, model, start, tokenizer, forget, retain)
    assert found.item() == pytest.approx(expected.item(), rel=1e-4)
    found.backward()
    expected.backward()
    for (name, one), other in zip(begun.named_parameters(), model.parameters(), strict=True):
        if other.grad is None:
            assert one.grad is None
        else:
            torch.testing.assert_close(one.grad, other.grad, rtol=1e-3, atol=2e-5, msg=name)


@pytest.mark.parametrize("kind", HIDDEN)
def test_layers_after_the_chosen_one_are_never_run(kind, deep, tokenizer, forget, retain):
    model = copy.deepcopy(deep)
    calls, seen = Calls(model), torch.tensor([[1, 2, 3]])
    hooks = [len(layer._forward_hooks) for layer in decoder_layers(model)]
    method = build(kind, layer=2)
    objective = HiddenStateObjective(run_of(model, tokenizer, method, forget, retain))
    assert calls.rows == [len(forget), len(retain)]  # of the starting model, once
    for step in range(3):
        list(objective.losses(step))
    assert calls.rows[2:] == [len(forget) + len(retain)] * 3
    assert (calls.layers, calls.heads) == ([5, 5, 5, 0, 0], 0)
    assert [len(layer._forward_hooks) for layer in decoder_layers(model)] == hooks  # none is left behind
    assert torch.equal(model.eval()(input_ids=seen).logits, deep(input_ids=seen).logits)


@pytest.mark.parametrize(
    ("layer", "n_trained", "expected"), [(3, 3, {1, 2, 3}), (1, 3, {0, 1}), (4, 1, {4}), (0.25, 3, {0})]
)
@pytest.mark.parametrize("kind", HIDDEN)
def test_only_the_layers_up_to_the_chosen_one_change(
    kind, layer, n_trained, expected, deep, tokenizer, forget, retain
):
    before = weights_of(deep)
    method = build(kind, layer=layer, n_trained=n_trained, learning_rate=1e-3)
    settings = UnlearnSettings(steps=3, batch_size=3, weight_decay=0.1, evaluate_at=(1, 2))
    model, _ = run(deep, tokenizer, method, forget, retain, settings)
    layers = decoder_layers(model)
    allowed = {id(weight) for index in expected for weight in layers[index].parameters()}
    names = {name for name, weight in model.named_parameters() if id(weight) in allowed}
    changed = changed_names(before, model)
    assert changed <= names
    assert {name for name in names if before[name].ndim == 2} <= changed
    assert all(weight.requires_grad for weight in model.parameters())


def test_weights_that_were_frozen_before_stay_frozen(deep):
    model = copy.deepcopy(deep)
    first, *others = model.parameters()
    first.requires_grad_(False)
    with training_only(model, others[:2]):
        assert sum(weight.requires_grad for weight in model.parameters()) == 2
    assert not first.requires_grad and all(weight.requires_grad for weight in others)


@pytest.mark.parametrize("kind", HIDDEN)
def test_states_move_towards_the_target(kind, deep, tokenizer, forget, retain):
    method = build(kind, layer=2, learning_rate=3e-3, retain_weight=0.0)
    settings = UnlearnSettings(steps=30, batch_size=9)
    model, _ = run(deep, tokenizer, method, forget, [], settings)
    with torch.no_grad():
        before, after = (
            naive_hidden(method, 2, of, deep, tokenizer, forget, []).item() for of in (deep, model)
        )
    assert after < 0.7 * before


def test_weights_of_facts_count_in_hidden_losses(deep, tokenizer, forget):
    method = build("rmu", layer=1, retain_weight=0.0)

    def loss(facts, weights=None):
        objective = HiddenStateObjective(run_of(deep, tokenizer, method, facts, []), weights)
        with torch.no_grad():
            return next(objective.losses(0)).item()

    one, two = loss(forget[:1]), loss(forget[1:2])
    assert loss(forget[:2], [3.0, 1.0]) == pytest.approx((3 * one + two) / 4, rel=1e-5)
    assert loss(forget[:2], [3.0, 0.0]) == pytest.approx(one, rel=1e-5)


# --- npo_sam


def npo_and_rest(method, model, start, tokenizer, forget, retain):
    """Return γ·mean L_npo and α·mean NLL from the models' own logits, fact by fact."""

    def log_prob(of, fact, end):
        ids, n_prompt = row_of(tokenizer, fact, end)
        every = of(input_ids=torch.tensor([ids])).logits[0, :-1].log_softmax(1)
        return every.gather(1, torch.tensor(ids[1:])[:, None])[n_prompt - 1 :, 0]

    gains = [
        log_prob(start, fact, False).sum().detach() - log_prob(model, fact, False).sum() for fact in forget
    ]
    forgotten = torch.stack([-2 / method.beta * logsigmoid(method.beta * gain) for gain in gains]).mean()
    kept = [-log_prob(model, fact, True).mean() for fact in retain]
    return forgotten, method.retain_weight * torch.stack(kept).mean() if kept else None


def gradients(loss, model):
    return torch.autograd.grad(loss, list(model.parameters()))


@pytest.mark.parametrize("retain_weight", [0.0, 0.7])
def test_a_sharpness_aware_step_is_the_one_done_by_hand(retain_weight, model, tokenizer, forget, retain):
    method = build("npo_sam", radius=0.5, retain_weight=retain_weight, learning_rate=1e-3)
    kept = retain if retain_weight else []
    once = UnlearnSettings(steps=1, batch_size=99)
    found, _ = run(model, tokenizer, method, forget, kept, once)

    by_hand = copy.deepcopy(model)
    forgotten, rest = npo_and_rest(method, by_hand, model, tokenizer, forget, kept)
    uphill = gradients(forgotten, by_hand)
    norm = sum(float(part.square().sum()) for part in uphill) ** 0.5
    nearby = copy.deepcopy(model)
    with torch.no_grad():
        for weight, part in zip(nearby.parameters(), uphill, strict=True):
            weight += 0.5 * part / norm
    total = gradients(npo_and_rest(method, nearby, model, tokenizer, forget, [])[0], nearby)
    if rest is not None:
        total = [one + other for one, other in zip(total, gradients(rest, by_hand), strict=True)]
    for weight, gradient in zip(by_hand.parameters(), total, strict=True):
        weight.grad = gradient.contiguous()
    torch.nn.utils.clip_grad_norm_(by_hand.parameters(), once.clip_norm)
    optimiser = build_optimiser(by_hand, once.optimiser(1e-3))
    optimiser.param_groups[0]["lr"] = 1e-3
    optimiser.step()
    for name, weight in found.named_parameters():
        other = by_hand.get_parameter(name)
        # Adam's first step is the gradient's sign; where that is about 0, rounding decides
        clear = other.grad.abs() > 1e-3 * other.grad.abs().max()
        torch.testing.assert_close(weight[clear], other[clear], rtol=1e-4, atol=1e-6)


def test_the_gradient_that_a_sharpness_aware_step_leaves_is_the_one_by_hand(model, tokenizer, forget, retain):
    """At a radius that matters: it differs from the plain gradient by far more than it does from this one."""
    method = build("npo_sam", radius=2.0)
    changed = moved(model)
    objective = SharpnessAwareObjective(run_of(copy.deepcopy(model), tokenizer, method, forget, retain))
    objective._model.load_state_dict(changed.state_dict())
    for loss in objective.losses(0):
        loss.backward()
    forgotten, _ = npo_and_rest(method, changed, model, tokenizer, forget, [])
    uphill = gradients(forgotten, changed)
    norm = sum(float(part.square().sum()) for part in uphill) ** 0.5
    nearby = copy.deepcopy(changed)
    with torch.no_grad():
        for weight, part in zip(nearby.parameters(), uphill, strict=True):
            weight += 2.0 * part / norm
    there = gradients(npo_and_rest(method, nearby, model, tokenizer, forget, [])[0], nearby)
    here = gradients(npo_and_rest(method, changed, model, tokenizer, forget, retain)[1], changed)
    for weight, one, two in zip(objective.trained, there, here, strict=True):
        torch.testing.assert_close(weight.grad, one + two, rtol=2e-3, atol=1e-5)
    assert max(float((one - two).abs().max()) for one, two in zip(there, uphill, strict=True)) > 1e-2


def test_the_weights_come_back_bit_for_bit_even_when_a_step_is_broken_off(model, tokenizer, forget, retain):
    own = copy.deepcopy(model)
    objective = SharpnessAwareObjective(run_of(own, tokenizer, build("npo_sam"), forget, retain))
    before = weights_of(own)
    for loss in objective.losses(0):
        loss.backward()
    assert not changed_names(before, own)
    begun = objective.losses(1)
    next(begun).backward()
    next(begun)
    assert changed_names(before, own)
    begun.close()
    assert not changed_names(before, own)


def test_a_sharpness_aware_step_is_one_pass_over_what_to_keep_and_two_over_what_to_forget(
    model, tokenizer, forget, retain
):
    own = copy.deepcopy(model)
    calls = Calls(own)
    method = build("npo_sam", question_weight=0.1)
    objective = SharpnessAwareObjective(run_of(own, tokenizer, method, forget, retain))
    assert calls.rows == [len(forget)]
    for step in range(2):
        for loss in objective.losses(step):
            loss.backward()
    assert calls.rows[1:] == [len(forget), len(forget) + len(retain), len(forget)] * 2


def test_without_a_forget_term_a_sharpness_aware_step_is_an_ordinary_one(model, tokenizer, forget, retain):
    losses = [
        [loss.item() for loss in kind(run_of(model, tokenizer, method, forget, retain)).losses(0)]
        for kind, method in (
            (SharpnessAwareObjective, build("npo_sam", forget_weight=0.0)),
            (AnswerObjective, build("npo", forget_weight=0.0)),
        )
    ]
    assert losses[0] == losses[1]


# --- frozen models


@pytest.mark.parametrize(
    ("kind", "before", "copied"), [("whp", 1, 1), ("elm", 3, 0), ("pdu", 0, 0), ("baldro", 1, 0)]
)
def test_frozen_models_are_run_once_and_not_at_every_step(
    kind, before, copied, model, tokenizer, forget, monkeypatch
):
    own, of_copies = copy.deepcopy(model), []

    @contextmanager
    def watched(*given):
        with reinforced(*given) as made:
            of_copies.append(Calls(made))
            yield made

    monkeypatch.setattr("unequal.unlearning.reference_scores.reinforced", watched)
    passes = []
    own.base_model.register_forward_pre_hook(count_rows(passes), with_kwargs=True)
    method = build(kind, retain_weight=0.0, dual=None)
    objective = AnswerObjective(run_of(own, tokenizer, method, forget, []))
    n_before = len(passes)
    for step in range(3):
        list(objective.losses(step))
    assert passes[n_before:] == [len(forget)] * 3
    if kind != "whp":  # whose copy is trained with the hook of the model that it is a copy of
        assert passes[:n_before] == [len(forget)] * before
    assert [calls.rows for calls in of_copies] == [[len(forget)]] * copied


def test_the_logits_that_whp_sees_are_the_models_own(model, tokenizer, forget):
    seen = []

    class Spy(METHODS.get("whp")):
        def forget_loss(self, scores):
            seen.append(scores)
            return super().forget_loss(scores)

    own = moved(model)
    objective = AnswerObjective(run_of(own, tokenizer, Spy(), forget[:1], []))
    list(objective.losses(0))
    answers = [FactEncoder(tokenizer, PROMPTS).answer(forget[0], forget[0].answer, end=False)]
    ids, n_prompt = row_of(tokenizer, forget[0], False)
    with reinforced(own, answers, int(tokenizer.pad_token_id), 0) as again:
        for of, scores in ((own, seen[0].reference), (again, seen[0].reinforced), (own, seen[0].policy)):
            with torch.no_grad():
                expected = of(input_ids=torch.tensor([ids])).logits[0, n_prompt - 1 : -1]
            torch.testing.assert_close(scores.logits[0].detach(), expected, rtol=1e-4, atol=1e-5)


def test_pdu_is_on_the_logits_that_predict_the_answer(model, tokenizer, forget):
    """And not one place late: what the published mask does gives another number."""
    own = moved(model)
    method = build("pdu", dual=None, retain_weight=0.0)
    (found,) = AnswerObjective(run_of(own, tokenizer, method, forget, [])).losses(0)
    expected, late = [], []
    for fact in forget:
        ids, n_prompt = row_of(tokenizer, fact, False)
        z = own(input_ids=torch.tensor([ids])).logits[0]
        squares = (z.amax(1) - z.mean(1)) ** 2
        expected.append(squares[n_prompt - 1 : -1].mean())
        late.append(squares[n_prompt:].mean())
    assert found.item() == pytest.approx(torch.stack(expected).mean().item(), rel=1e-5)
    assert abs(found.item() - torch.stack(late).mean().item()) > 1e-3


# --- without a loss


def test_a_task_vector_run_walks_from_the_start_to_the_formula(model, tokenizer, forget):
    own, found = copy.deepcopy(model), {}
    method = build("task_vector", scale=2.0, learning_rate=1e-3, rounds=3)
    whole = Run(
        own, tokenizer, method, forget, [], UnlearnSettings(steps=4), PROMPTS,
        evaluate=lambda of, step, _last: found.update({step: weights_of(of)}),
    )  # fmt: skip
    unlearn(whole)
    answers = FactEncoder(tokenizer, PROMPTS).own_answers(forget, end=False)
    padding = int(tokenizer.pad_token_id)
    with reinforced(model, answers, padding, 0, rounds=3, learning_rate=1e-3) as tuned:
        weights_of_tuned = weights_of(tuned)
    assert list(found) == [0, 1, 2, 4]
    assert not changed_names(found[0], model)
    assert changed_names(found[4], model)
    for step, weights in found.items():
        for name, start in model.named_parameters():
            expected = start - 2.0 * step / 4 * (weights_of_tuned[name] - start)
            torch.testing.assert_close(weights[name], expected.detach(), msg=name)
    assert not changed_names(found[4], own)


def test_a_prompt_method_leaves_the_model_as_it_is(model, tokenizer, forget):
    own, steps = run(model, tokenizer, build("icu"), forget, [])
    assert steps == [0, 6]
    assert not changed_names(weights_of(model), own)


def test_a_prefix_that_does_not_fit_is_refused_in_one_sentence(model, tokenizer, facts):
    method = build("icu", instruction="No {subjects}. " * 60)
    with pytest.raises(ConfigError, match=r"a question has \d+ tokens, .* window has 160; forget"):
        run(model, tokenizer, method, facts[:5], [])


def test_what_stands_before_prompts_is_part_of_what_is_scored(model, tokenizer, forget):
    before = build("icu", instruction="What was {subjects}?").prompt_prefix(forget)
    maker = ProbeMaker(forget, PROMPTS)
    found = Evaluator(tokenizer, forget, maker, ["question", "cloze"], before).run(model)
    plain = Evaluator(tokenizer, forget, maker, ["question", "cloze"]).run(model)
    assert found.generations["prompt"].to_list() == [
        before + prompt for prompt in plain.generations["prompt"].to_list()
    ]
    value = (pl.col("metric") == "answer_log_prob") & (pl.col("probe") == "question")
    scores, others = (tables.scores.filter(value)["value"].to_list() for tables in (found, plain))
    for fact, score, other in zip(forget[:4], scores, others, strict=False):
        prompt = tokenizer(before + PROMPTS.ask(fact.question))["input_ids"]
        answer = tokenizer(f" {fact.answer}", add_special_tokens=False)["input_ids"]
        with torch.no_grad():
            every = model(input_ids=torch.tensor([prompt + answer])).logits[0, :-1].log_softmax(1)
        chosen = every.gather(1, torch.tensor((prompt + answer)[1:])[:, None])[len(prompt) - 1 :]
        assert score == pytest.approx(chosen.sum().item(), abs=1e-4)
        assert score != other


# --- every method, the whole way


@pytest.mark.parametrize("kind", sample(KINDS, 3))
def test_a_run_depends_on_its_seed_and_on_nothing_that_ran_before(kind, model, tokenizer, forget, retain):
    """With dropout too, in the copy that is trained as in the model."""
    own = copy.deepcopy(model)
    for module in own.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.2
        if hasattr(module, "attention_dropout"):
            module.attention_dropout = 0.2
    method = build(kind, learning_rate=1e-3)
    first, steps = run(own, tokenizer, method, forget, retain)
    torch.manual_seed(99)
    torch.rand(7)
    again, _ = run(own, tokenizer, method, forget, retain)
    other, _ = run(own, tokenizer, method, forget, retain, seed=1)
    assert steps == ([0, 6] if kind == "icu" else [0, 1, 2, 5, 6])
    assert not changed_names(weights_of(first), again)
    assert bool(changed_names(weights_of(first), other)) == (kind != "icu")


@pytest.mark.parametrize("kind", ["npo_sam", "baldro", "task_vector", "whp"])
def test_answers_become_less_probable(kind, model, tokenizer, forget):
    settings = UnlearnSettings(steps=6, batch_size=9)
    after, _ = run(model, tokenizer, build(kind, learning_rate=3e-3, retain_weight=0.0), forget, [], settings)

    def mean_log_prob(of):
        found = []
        for fact in forget:
            ids, n_prompt = row_of(tokenizer, fact, False)
            with torch.no_grad():
                every = of(input_ids=torch.tensor([ids])).logits[0, :-1].log_softmax(1)
            found.append(every.gather(1, torch.tensor(ids[1:])[:, None])[n_prompt - 1 :].mean())
        return torch.stack(found).mean().item()

    assert mean_log_prob(after) < mean_log_prob(model)


@pytest.mark.parametrize("kind", ["pdu", "elm"])
def test_the_loss_of_a_run_falls(kind, model, tokenizer, forget):
    method = build(kind, learning_rate=3e-3, retain_weight=0.0, **({"dual": None} if kind == "pdu" else {}))
    own = copy.deepcopy(model)
    objective = AnswerObjective(run_of(own, tokenizer, method, forget, []))
    after, _ = run(model, tokenizer, method, forget, [], UnlearnSettings(steps=10, batch_size=9))
    before = next(objective.losses(0)).item()
    own.load_state_dict(after.state_dict())
    assert next(objective.losses(0)).item() < before


@pytest.mark.parametrize("kind", sample(KINDS, 3))
def test_every_method_goes_the_whole_way_from_files(kind, tmp_path, model, tokenizer, forget, retain):
    model.save_pretrained(tmp_path / "model")
    tokenizer.save_pretrained(tmp_path / "model")
    facts_frame(list(dict.fromkeys(forget))).write_parquet(tmp_path / "forget.parquet")
    facts_frame(retain).write_parquet(tmp_path / "retain.parquet")
    command = UnlearnCommand(
        model=str(tmp_path / "model"), forget=tmp_path / "forget.parquet", retain=tmp_path / "retain.parquet",
        out=tmp_path / "out", method=kind, unlearn=UnlearnSettings(steps=2, batch_size=3),
        probes=("question",), allow_unknown=True,
    )  # fmt: skip
    run_unlearn(command, lambda _done, _total: None)
    scores = read_scores(tmp_path / "out" / "scores.parquet")
    assert set(scores["step"]) == ({0, 2} if kind == "icu" else {0, 1, 2})
    assert scores["value"].is_finite().all()
    assert (tmp_path / "out" / "model" / "model.safetensors").is_file()
    prompts = read_generations(tmp_path / "out" / "generations.parquet")
    told = prompts.filter(pl.col("prompt").str.starts_with("Do not answer questions about"))
    assert set(told["step"]) == ({2} if kind == "icu" else set())
