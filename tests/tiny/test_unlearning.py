"""The objective and the run around every method: what is summed, what is trained on, and in which order."""

import copy
from math import inf, nan
from typing import Literal

import pytest
import torch

from read_rows import rows_read
from tiny_world import PROMPTS, run_of
from unequal.errors import ConfigError, DivergedError
from unequal.facts.refusals import REFUSALS
from unequal.unlearning import answer_objective as objective_module
from unequal.unlearning.answer_objective import AnswerObjective
from unequal.unlearning.method import Method
from unequal.unlearning.methods import METHODS
from unequal.unlearning.methods.ga import GradientAscent
from unequal.unlearning.run import Run
from unequal.unlearning.sampler import BatchOrder
from unequal.unlearning.settings import UnlearnSettings
from unequal.unlearning.unlearn import unlearn

REFUSAL = REFUSALS[1]
SIX = UnlearnSettings(steps=6, batch_size=3)
WORKED = ["ga", "graddiff", "npo", "simnpo", "idk"]
"""Methods whose loss `naive_total` works out; the others' are in test_every_method.py."""


@pytest.fixture
def forget(facts):
    """Answers of one, two and more tokens after questions of different length."""
    chosen = [fact for fact in facts if fact.role == "forget"]
    by_relation = {fact.relation: fact for fact in chosen}
    return [*by_relation.values(), chosen[0]][:5]


@pytest.fixture
def retain(facts):
    return [fact for fact in facts if fact.role == "retain"][:7]


@pytest.fixture
def changed(model):
    """Return a copy of the model that may be trained, moved a little from where it started."""

    def change(seed=0):
        copied = copy.deepcopy(model)
        stream = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for weight in copied.parameters():
                weight += 0.05 * torch.randn(weight.shape, generator=stream)
        return copied

    return change


@pytest.fixture(autouse=True)
def one_refusal(monkeypatch):
    """Every refusal has the same words, so that a loss can be worked out without the seed."""
    monkeypatch.setattr(objective_module, "REFUSALS", (REFUSAL,))


def build(kind, **settings) -> Method:
    return METHODS.get(kind).model_validate({"kind": kind, **settings})


def make(model, tokenizer, method, forget, retain, batch_size=99, seed=0):
    return AnswerObjective(run_of(model, tokenizer, method, forget, retain, batch_size=batch_size, seed=seed))


def token_log_probs(model, tokenizer, fact, answer, end=False):
    """Return log p of each answer token, ``(n, vocabulary)`` before it, and of the question's tokens.

    One row at a time from the model's own logits; the tokenizer is of whole words, so that a prompt's
    tokens are the same with and without what follows.
    """
    prompt = tokenizer(PROMPTS.ask(fact.question))["input_ids"]
    closing = [tokenizer.eos_token_id] if end else []
    ids = prompt + tokenizer(f" {answer}", add_special_tokens=False)["input_ids"] + closing
    everything = model(input_ids=torch.tensor([ids])).logits[0, :-1].float().log_softmax(1)
    chosen = everything.gather(1, torch.tensor(ids[1:])[:, None]).squeeze(1)
    start = len(prompt) - 1
    return chosen[start:], everything[start:], chosen[:start]


def naive_total(method, now, start, tokenizer, forget, retain):
    """Return γ·mean L_f + α·mean L_r + λ·mean L_q with the formulas of design/methods.md, fact by fact."""
    total = 0.0
    for fact in forget:
        answer, _, question = token_log_probs(now, tokenizer, fact, fact.answer)
        nll, n_tokens = -answer.sum(), len(answer)
        match method.kind:
            case "ga" | "graddiff":
                loss = -nll / n_tokens
            case "npo":
                nll_start = -token_log_probs(start, tokenizer, fact, fact.answer)[0].sum()
                loss = -2 / method.beta * torch.sigmoid(method.beta * (nll - nll_start)).log()
            case "simnpo":
                margin = nll / n_tokens - method.margin
                loss = -2 / method.beta * torch.sigmoid(method.beta * margin).log()
            case "idk":
                loss = -token_log_probs(now, tokenizer, fact, REFUSAL, end=True)[0].mean()
        total = total + method.forget_weight * loss / len(forget)
        total = total + method.question_weight * -question.mean() / len(forget)
    for fact in retain if method.retain_weight else []:
        answer, after, _ = token_log_probs(now, tokenizer, fact, fact.answer, end=True)
        loss = -answer.mean()
        if method.retain_loss == "kl":
            before = token_log_probs(start, tokenizer, fact, fact.answer, end=True)[1]
            loss = (before.exp() * (before - after)).sum(1).mean()
        total = total + method.retain_weight * loss / len(retain)
    return total


VARIANTS = [
    {},
    {"retain_weight": 0.7, "retain_loss": "kl", "forget_weight": 1.3},
    {"retain_weight": 2.0, "question_weight": 0.4},
    {"forget_weight": 0.0, "retain_weight": 1.5},
    {"forget_weight": 0.0, "retain_weight": 0.0, "question_weight": 1.0},
    {"forget_weight": 0.0, "retain_weight": 1.0, "retain_loss": "kl", "question_weight": 0.3},
]


@pytest.mark.parametrize("kind", WORKED)
@pytest.mark.parametrize("settings", VARIANTS, ids=str)
def test_the_total_is_the_weighted_sum_of_its_terms(kind, settings, changed, tokenizer, forget, retain):
    """A full batch equals the naive loss from the model's own logits, with the reference at the start."""
    method = build(kind, **settings)
    model = changed(1)
    start = copy.deepcopy(model)
    objective = make(model, tokenizer, method, forget, retain)
    model.load_state_dict(changed(2).state_dict())
    with torch.no_grad():
        (found,) = objective.losses(0)
        expected = naive_total(method, model, start, tokenizer, forget, retain)
    assert found.item() == pytest.approx(float(expected), abs=1e-5)


@pytest.mark.parametrize("kind", WORKED)
def test_its_gradient_is_the_naive_ones(kind, changed, tokenizer, forget, retain):
    method = build(kind, retain_weight=0.7, retain_loss="kl", question_weight=0.2)
    model = changed(1)
    start = copy.deepcopy(model)
    objective = make(model, tokenizer, method, forget, retain)
    model.load_state_dict(changed(2).state_dict())
    (found,) = objective.losses(0)
    found.backward()
    gradients = {name: weight.grad for name, weight in model.named_parameters()}
    model.zero_grad()
    naive_total(method, model, start, tokenizer, forget, retain).backward()
    for name, weight in model.named_parameters():
        torch.testing.assert_close(gradients[name], weight.grad, rtol=1e-3, atol=2e-6, msg=name)


def test_gamma_zero_leaves_only_the_retain_term(changed, tokenizer, forget, retain):
    model = changed(1)
    nothing_to_forget = build("npo", forget_weight=0.0, retain_weight=1.0)
    (found,) = make(model, tokenizer, nothing_to_forget, forget, retain).losses(0)
    (other,) = make(model, tokenizer, nothing_to_forget, forget[:2], retain).losses(0)
    expected = [
        -token_log_probs(model, tokenizer, fact, fact.answer, end=True)[0].mean().item() for fact in retain
    ]
    assert found.item() == other.item() == pytest.approx(sum(expected) / len(expected), abs=1e-5)


class Untouchable(list):
    """Facts that nobody may look at."""

    def __iter__(self):
        raise AssertionError("the retain facts were read")

    __getitem__ = __len__ = __iter__


class Watched:
    """Counts the rows of a model's forward passes, and keeps the states of those that train, row by row."""

    def __init__(self, model):
        self.rows = []
        self.hidden = []
        model.base_model.register_forward_hook(self._after, with_kwargs=True)

    def _after(self, _module, _inputs, named, output):
        rows = rows_read(named["input_ids"], named.get("position_ids"))
        self.rows.append(len(rows))
        hidden = output.last_hidden_state
        if hidden.requires_grad:
            hidden.retain_grad()
            self.hidden.append((hidden, named["input_ids"], rows))


@pytest.mark.parametrize("retain_loss", ["nll", "kl"])
def test_without_a_retain_weight_no_retain_work_is_done(retain_loss, changed, tokenizer, forget):
    model = changed(1)
    watched = Watched(model)
    method = build("simnpo", retain_weight=0.0, retain_loss=retain_loss)
    objective = make(model, tokenizer, method, forget, Untouchable())
    assert watched.rows == []
    list(objective.losses(0))
    assert watched.rows == [len(forget)]


def test_a_step_is_one_forward_pass_and_the_reference_is_never_recomputed(changed, tokenizer, forget, retain):
    model = changed(1)
    watched = Watched(model)
    method = build("npo", retain_loss="kl", question_weight=0.1)
    objective = make(model, tokenizer, method, forget, retain)
    assert watched.rows == [len(forget), len(retain)]  # of the starting model, once
    for step in range(3):
        list(objective.losses(step))
    assert watched.rows[2:] == [2 * len(forget) + len(retain)] * 3


def test_the_reference_is_the_frozen_models_own(changed, tokenizer, forget, retain):
    model = changed(1)
    start = copy.deepcopy(model)
    seen = []

    class Spy(type(build("npo"))):
        def forget_loss(self, scores):
            seen.append(scores)
            return super().forget_loss(scores)

    objective = make(model, tokenizer, Spy(kind="npo"), forget, retain)
    model.load_state_dict(changed(2).state_dict())
    list(objective.losses(0))
    list(objective.losses(1))
    order = [BatchOrder(len(forget), 99, 0, "forget").at(step) for step in (0, 1)]
    for scores, indices in zip(seen, order, strict=True):
        assert scores.refusal is None
        assert not scores.reference.log_probs.requires_grad
        for row, index in enumerate(indices):
            fact = forget[index]
            with torch.no_grad():
                expected = token_log_probs(start, tokenizer, fact, fact.answer)[0]
                now = token_log_probs(model, tokenizer, fact, fact.answer)[0]
            n_tokens = len(expected)
            assert scores.reference.mask[row].tolist() == [
                place < n_tokens for place in range(scores.reference.mask.shape[1])
            ]
            torch.testing.assert_close(scores.reference.log_probs[row, :n_tokens], expected)
            torch.testing.assert_close(scores.policy.log_probs[row, :n_tokens].detach(), now)
            assert not scores.policy.log_probs[row, n_tokens:].any()
            assert not scores.reference.log_probs[row, n_tokens:].any()


@pytest.mark.parametrize("kind", ["idk", "dpo"])
def test_refusals_end_the_text_and_forgotten_answers_do_not(kind, changed, tokenizer, forget, retain):
    """And where a method looks at refusals alone, no pass is spent on the answers."""
    seen = []

    class Spy(type(build(kind))):
        def forget_loss(self, scores):
            seen.append(scores)
            return super().forget_loss(scores)

    model = changed(1)
    objective = make(model, tokenizer, Spy(kind=kind), forget, retain)
    watched = Watched(model)
    list(objective.losses(0))
    (scores,) = seen

    def words(text):
        return len(tokenizer(f" {text}", add_special_tokens=False)["input_ids"])

    order = BatchOrder(len(forget), 99, 0, "forget").at(0)
    answers = [words(forget[index].answer) for index in order]
    assert scores.policy.n_tokens.tolist() == (answers if kind == "dpo" else [])
    assert scores.refusal.n_tokens.tolist() == [words(REFUSAL) + 1] * len(forget)
    n_retain = len(retain) if METHODS.get(kind)().retain_weight else 0
    assert watched.rows == [(2 if kind == "dpo" else 1) * len(forget) + n_retain]


def trained_positions(model, objective, padding):
    """Return, by the tokens of each row of a step, the positions whose last hidden state has a gradient."""
    watched = Watched(model)
    (loss,) = objective.losses(0)
    loss.backward()
    ((hidden, ids, rows),) = watched.hidden
    found = {}
    for row, places in rows:
        tokens = tuple(token for token in ids[row, places].tolist() if token != padding)
        found[tokens] = hidden.grad[row, places].any(1).nonzero().flatten().tolist()
    assert len(found) == len(rows)
    return found


@pytest.mark.parametrize("retain_loss", ["nll", "kl"])
@pytest.mark.parametrize("kind", ["ga", "npo", "simnpo", "idk"])
def test_only_answer_tokens_are_trained_on(kind, retain_loss, changed, tokenizer, forget, retain):
    """The hidden state before each answer token has a gradient, and no other: not prompt, not padding."""
    model = changed(1)
    method = build(kind, retain_weight=1.0, retain_loss=retain_loss)
    objective = make(model, tokenizer, method, forget, retain)
    model.load_state_dict(changed(2).state_dict())

    def places(fact, answer, end):
        prompt = tokenizer(PROMPTS.ask(fact.question))["input_ids"]
        text = tokenizer(f" {answer}", add_special_tokens=False)["input_ids"] + [tokenizer.eos_token_id] * end
        n_prompt = len(prompt)
        return tuple([*prompt, *text][:-1]), list(range(n_prompt - 1, n_prompt - 1 + len(text)))

    forgotten = [forget[i] for i in BatchOrder(len(forget), 99, 0, "forget").at(0)]
    retained = [retain[i] for i in BatchOrder(len(retain), 99, 0, "retain").at(0)]
    asked = (REFUSAL, 1) if kind == "idk" else None
    expected = [places(fact, *(asked or (fact.answer, 0))) for fact in forgotten]
    expected += [places(fact, fact.answer, 1) for fact in retained]
    assert trained_positions(model, objective, tokenizer.pad_token_id) == dict(expected)


def test_the_question_term_trains_on_the_question_alone(changed, tokenizer, forget):
    model = changed(1)
    method = build("ga", forget_weight=0.0, question_weight=1.0)
    found = trained_positions(model, make(model, tokenizer, method, forget, []), tokenizer.pad_token_id)
    prompts = [tokenizer(PROMPTS.ask(fact.question))["input_ids"] for fact in forget]
    assert found == {tuple(prompt[:-1]): list(range(len(prompt) - 1)) for prompt in prompts}


def test_the_kl_term_is_zero_at_the_start_and_positive_after(changed, tokenizer, forget, retain):
    model = changed(1)
    method = build("ga", forget_weight=0.0, retain_weight=1.0, retain_loss="kl")
    objective = make(model, tokenizer, method, forget, retain)
    (at_start,) = objective.losses(0)
    assert at_start.item() == pytest.approx(0.0, abs=1e-6)
    model.load_state_dict(changed(2).state_dict())
    (after,) = objective.losses(0)
    assert after.item() > 1e-3


def test_a_refusals_words_vary_over_steps_and_facts(changed, tokenizer, forget, retain, monkeypatch):
    monkeypatch.setattr(objective_module, "REFUSALS", REFUSALS)
    objective = make(changed(1), tokenizer, build("idk"), forget, retain)
    picks = {(step, index): objective._pick(step, index) for step in range(20) for index in range(5)}
    assert set(picks.values()) == set(range(len(REFUSALS)))
    assert len({tuple(picks[step, index] for index in range(5)) for step in range(20)}) > 10


# --- order


@pytest.mark.parametrize(("n", "batch_size"), [(10, 3), (7, 7), (5, 32), (1, 4), (12, 4)])
def test_every_fact_comes_once_a_round(n, batch_size):
    order = BatchOrder(n, batch_size, seed=3, purpose="forget")
    places = [index for step in range(6 * n) for index in order.at(step)]
    for start in range(0, len(places) - n + 1, n):
        assert sorted(places[start : start + n]) == list(range(n))
    assert {len(order.at(step)) for step in range(20)} == {min(batch_size, n)}


def test_the_order_depends_on_seed_purpose_and_round_and_on_nothing_else():
    def order(seed, purpose="forget", first=0):
        batches = BatchOrder(40, 8, seed, purpose)
        return [batches.at(step) for step in range(first, first + 5)]

    assert order(1) == order(1)
    assert len({str(order(*key)) for key in ((1,), (2,), (1, "retain"), (1, "forget", 5))}) == 4
    late = BatchOrder(40, 8, 1, "forget")
    assert late.at(13) == [BatchOrder(40, 8, 1, "forget").at(step) for step in range(14)][13]


# --- runs


def weights_after(model, tokenizer, forget, retain, method=None, seed=0, settings=SIX):
    steps = []
    run = Run(
        model, tokenizer, method or build("npo", learning_rate=1e-3), forget, retain, settings, PROMPTS, seed,
        evaluate=lambda _model, step, _last: steps.append(step),
    )  # fmt: skip
    unlearn(run)
    return torch.cat([weight.detach().flatten() for weight in model.parameters()]), steps


def test_a_run_is_judged_at_its_evaluated_steps(changed, tokenizer, forget, retain):
    assert weights_after(changed(1), tokenizer, forget, retain)[1] == [0, 1, 2, 5, 6]


def test_a_run_does_not_depend_on_what_ran_before(changed, tokenizer, forget, retain):
    first, _ = weights_after(changed(1), tokenizer, forget, retain)
    torch.manual_seed(99)
    weights_after(changed(2), tokenizer, forget[:2], retain, build("ga", learning_rate=1e-2), seed=5)
    torch.rand(7)
    again, _ = weights_after(changed(1), tokenizer, forget, retain)
    assert torch.equal(first, again)
    other, _ = weights_after(changed(1), tokenizer, forget, retain, seed=1)
    assert not torch.equal(first, other)


def test_dropout_depends_on_the_runs_seed_alone(changed, tokenizer, forget, retain):
    """Checkpoints from elsewhere often have dropout, which draws from torch's global generator."""

    def run(global_seed, seed=0):
        model = changed(1)
        for module in model.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = 0.2
            if hasattr(module, "attention_dropout"):
                module.attention_dropout = 0.2
        torch.manual_seed(global_seed)
        found, _ = weights_after(model, tokenizer, forget, retain, seed=seed)
        return found, torch.rand(1)

    (first, drawn), (again, _) = run(1), run(2)
    assert torch.equal(first, again)
    torch.manual_seed(1)
    assert torch.equal(drawn, torch.rand(1))  # the caller's generator is left as it was


def test_judging_a_model_does_not_change_what_it_becomes(changed, tokenizer, forget, retain):
    often = UnlearnSettings(steps=6, batch_size=3, evaluate_at=tuple(range(7)))
    rarely = UnlearnSettings(steps=6, batch_size=3, evaluate_at=(6,))
    runs = [weights_after(changed(1), tokenizer, forget, retain, settings=s) for s in (often, rarely)]
    assert torch.equal(runs[0][0], runs[1][0])
    assert [steps for _, steps in runs] == [[0, 1, 2, 3, 4, 5, 6], [0, 6]]


class Broken(GradientAscent):
    """Gradient ascent that is not a number from its second step on."""

    kind: Literal["broken"] = "broken"
    value: float = 0.0

    def forget_loss(self, scores):
        return super().forget_loss(scores) * self.value


@pytest.mark.parametrize("value", [nan, inf])
def test_a_loss_that_is_not_finite_stops_the_run_in_one_sentence(value, changed, tokenizer, forget):
    model = changed(1)
    before = copy.deepcopy(model.state_dict())
    broken = Broken.model_construct(**Broken().model_dump() | {"value": value})
    with pytest.raises(DivergedError, match=r"the loss is -?(nan|inf) at step 1; lower the learning rate"):
        weights_after(model, tokenizer, forget, [], broken)
    assert all(torch.equal(before[name], weight) for name, weight in model.state_dict().items())


def test_a_retain_term_needs_facts_to_retain(changed, tokenizer, forget):
    with pytest.raises(ConfigError, match=r"method npo has retain_weight 1\.0 .* no facts to retain"):
        weights_after(changed(1), tokenizer, forget, [])
    weights_after(changed(1), tokenizer, forget, [], build("npo", retain_weight=0.0))
