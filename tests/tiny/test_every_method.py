"""Every method end to end on a tiny model: what it is told, what it does, and forms that others got wrong."""

import copy
from math import isfinite

import pytest
import torch

from gate import only_in_full, sample
from plain_losses import LOSSES, PlainFact, both_ways, divergence, mean, nll
from tiny_world import PROMPTS, run_of
from unequal.facts.refusals import REFUSALS
from unequal.unlearning import answer_objective as objective_module
from unequal.unlearning.answer_objective import AnswerObjective
from unequal.unlearning.method import Method
from unequal.unlearning.methods import METHODS
from unequal.unlearning.run import Run
from unequal.unlearning.settings import UnlearnSettings
from unequal.unlearning.unlearn import unlearn

REFUSAL = REFUSALS[1]
TRAINABLE = [kind for kind in METHODS if METHODS.get(kind).forget_loss is not Method.forget_loss]
pytestmark = pytest.mark.parametrize("model", ["gpt2"], indirect=True)


@pytest.fixture(autouse=True)
def one_refusal(monkeypatch):
    """Every refusal has the same words, so that a loss can be worked out without the seed."""
    monkeypatch.setattr(objective_module, "REFUSALS", (REFUSAL,))


@pytest.fixture(scope="module")
def forget(facts):
    """Answers of one, two and more tokens after questions of different length."""
    by_relation = {fact.relation: fact for fact in facts if fact.role == "forget"}
    return list(by_relation.values())[:5]


@pytest.fixture(scope="module")
def retain(facts):
    return [fact for fact in facts if fact.role == "retain"][:7]


@pytest.fixture
def changed(model):
    """Return a copy of the model, moved a little from where it started."""

    def change(seed):
        copied = copy.deepcopy(model)
        stream = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for weight in copied.parameters():
                weight += 0.05 * torch.randn(weight.shape, generator=stream)
        return copied

    return change


@pytest.fixture(scope="module")
def taught(model, tokenizer, forget, retain):
    """A copy of the model that has learnt the answers: most of their tokens are likelier than not."""
    copied = copy.deepcopy(model)
    teach = build("ga", forget_weight=0.0, retain_weight=1.0, learning_rate=1e-2)
    run(copied, tokenizer, teach, forget, [*forget, *retain], steps=40)
    assert mean_log_prob(copied, tokenizer, forget) > -0.7
    return copied


@pytest.fixture
def knowing(taught):
    """A copy of the model that has learnt the answers, for one test to unlearn them."""
    return copy.deepcopy(taught)


def build(kind, **settings) -> Method:
    return METHODS.get(kind).model_validate({"kind": kind, **settings})


def run(model, tokenizer, method, forget, retain, steps):
    settings = UnlearnSettings(steps=steps, batch_size=16, evaluate_at=(steps,))
    unlearn(Run(model, tokenizer, method, forget, retain, settings, PROMPTS))


def logits_of(model, tokenizer, fact, answer, end=False):
    """Return the logits before each answer token in float64, ``(n, vocabulary)``, and the tokens."""
    prompt = tokenizer(PROMPTS.ask(fact.question))["input_ids"]
    ids = tokenizer(f" {answer}", add_special_tokens=False)["input_ids"]
    ids = ids + [tokenizer.eos_token_id] * end
    with torch.no_grad():
        rows = model(input_ids=torch.tensor([prompt + ids])).logits[0, len(prompt) - 1 : -1]
    return rows.double(), ids


def mean_log_prob(model, tokenizer, facts, text=None, end=False):
    found = []
    for fact in facts:
        rows, ids = logits_of(model, tokenizer, fact, text or fact.answer, end)
        found.append(rows.log_softmax(1)[range(len(ids)), ids].mean().item())
    return sum(found) / len(found)


# --- what a method does


@pytest.mark.parametrize("holding", [True, *only_in_full(False)], ids=["retain", "alone"])
@pytest.mark.parametrize("kind", TRAINABLE)
def test_three_steps_forget_a_little(kind, holding, knowing, tokenizer, forget, retain):
    """The answers are less probable or, where a refusal is taught, refusals are more so; nothing crashes.

    A published loss without a retain term crashed; here one is a choice of every method.
    """
    method = build(kind)
    changes = {"learning_rate": 3e-3}
    if not holding:
        changes |= {"retain_weight": 0.0, "dual": None}
    elif not method.retain_weight:
        changes |= {"retain_weight": 1.0}
    towards = {"text": REFUSAL, "end": True} if "refusal" in method.needs else {}
    before = mean_log_prob(knowing, tokenizer, forget, **towards)
    run(knowing, tokenizer, build(kind, **changes), forget, retain if holding else [], steps=3)
    after = mean_log_prob(knowing, tokenizer, forget, **towards)
    assert isfinite(after)
    assert after > before if towards else after < before


# --- what a method is told


def plain_fact(now, start, tokenizer, fact, end_of_refusal=True):
    """Return a fact with the logits of the models themselves, row by row."""
    wrong = min(fact.distractors, key=lambda text: -mean_log_prob(start, tokenizer, [fact], text, end=True))
    texts = {
        "policy": (fact.answer, False),
        "refusal": (REFUSAL, end_of_refusal),
        "alternative": (wrong, True),
    }
    of_start = {"reference": "policy", "refusal_reference": "refusal", "alternative_reference": "alternative"}
    found = {role: logits_of(now, tokenizer, fact, *text) for role, text in texts.items()}
    found |= {name: logits_of(start, tokenizer, fact, *texts[role]) for name, role in of_start.items()}
    logits = {role: rows.tolist() for role, (rows, _) in found.items()}
    ids = {role: ids for role, (_, ids) in found.items()}
    return PlainFact(ids, logits, logits, float(fact.exposure))


def plain_retain(method, now, start, tokenizer, fact):
    """Return L_r of a retain item in plain numbers."""
    before, ids = logits_of(start, tokenizer, fact, fact.answer, end=True)
    after, _ = logits_of(now, tokenizer, fact, fact.answer, end=True)
    refused, refusal = logits_of(now, tokenizer, fact, REFUSAL, end=True)
    logits = {"now": after.tolist(), "start": before.tolist(), "refusal": refused.tolist()}
    one = PlainFact({"now": ids, "start": ids, "refusal": refusal}, logits, logits)
    if method.retain_loss == "nll":
        return nll(one, "now") / len(ids)
    if method.retain_loss == "preference":
        return float(-10 * torch.tensor(0.1 * (nll(one, "refusal") - nll(one, "now"))).sigmoid().log())
    measure = divergence if method.retain_loss == "kl" else both_ways
    pairs = zip(one.tokens("start"), one.tokens("now"), strict=True)
    return mean(measure(p, q) for (p, _), (q, _) in pairs)


def total_of(method, changed, tokenizer, forget, retain):
    """Return our total of a full batch, and the model before and after it moved."""
    model, start, now = changed(1), changed(1), changed(2)
    objective = AnswerObjective(run_of(model, tokenizer, method, forget, retain))
    model.load_state_dict(now.state_dict())
    with torch.no_grad():
        (found,) = objective.losses(0)
    return found.item(), now, start


@pytest.mark.parametrize("kind", sample(LOSSES, 4))
def test_the_total_is_the_printed_formula_on_the_models_own_logits(kind, changed, tokenizer, forget, retain):
    """γ·mean L_f + α·mean L_r with the paper's defaults, fact by fact, in plain numbers."""
    method = build(kind)
    found, now, start = total_of(method, changed, tokenizer, forget, retain)
    alpha = method.dual.start if method.dual else method.retain_weight
    expected = mean(
        method.forget_weight * LOSSES[kind](plain_fact(now, start, tokenizer, fact), method)
        for fact in forget
    ) + mean(alpha * plain_retain(method, now, start, tokenizer, fact) for fact in retain)
    assert found == pytest.approx(expected, rel=1e-4, abs=1e-6)


# --- forms that others got wrong


def padded_logits(model, tokenizer, facts, end):
    """Return logits and labels of whole rows, padded; labels are −100 at prompt and padding, as is usual."""
    rows = []
    for fact in facts:
        prompt = tokenizer(PROMPTS.ask(fact.question))["input_ids"]
        answer = tokenizer(f" {fact.answer}", add_special_tokens=False)["input_ids"]
        rows.append((prompt, answer + [tokenizer.eos_token_id] * end))
    longest = max(len(prompt) + len(answer) for prompt, answer in rows)
    ids = torch.full((len(rows), longest), tokenizer.pad_token_id)
    labels = torch.full((len(rows), longest), -100)
    for row, (prompt, answer) in enumerate(rows):
        ids[row, : len(prompt) + len(answer)] = torch.tensor(prompt + answer)
        labels[row, len(prompt) : len(prompt) + len(answer)] = torch.tensor(answer)
    with torch.no_grad():
        return model(input_ids=ids).logits[:, :-1].double(), labels[:, 1:]


def test_undial_is_not_averaged_over_prompt_and_padding(changed, tokenizer, forget):
    """The published form takes −100 as an index into the vocabulary and averages over every position."""
    found, now, start = total_of(build("undial"), changed, tokenizer, forget, [])
    student, labels = padded_logits(now, tokenizer, forget, end=False)
    teacher, _ = padded_logits(start, tokenizer, forget, end=False)
    lowered = torch.zeros_like(teacher).scatter(2, (labels % teacher.shape[2])[:, :, None], 10.0)
    per_token = -((teacher - lowered).softmax(2) * student.log_softmax(2)).sum(2)
    answers = labels != -100
    ours = ((per_token * answers).sum(1) / answers.sum(1)).mean().item()
    assert found == pytest.approx(ours, rel=1e-4)
    assert abs(per_token.mean().item() - found) > 1e-3 * found


@pytest.mark.parametrize("kind", ["ga_kl", "jensun"])
def test_a_retain_divergence_is_over_answer_tokens_alone(kind, changed, tokenizer, forget, retain):
    """The published form is over prompt and padding too."""
    method = build(kind, forget_weight=0.0)
    found, now, start = total_of(method, changed, tokenizer, forget, retain)
    q, labels = padded_logits(now, tokenizer, retain, end=True)
    p, _ = padded_logits(start, tokenizer, retain, end=True)
    p, q = p.softmax(2), q.softmax(2)
    middle = q if kind == "ga_kl" else (p + q) / 2
    per_token = (p * (p / middle).log()).sum(2)
    if kind == "jensun":
        per_token = per_token / 2 + (q * (q / middle).log()).sum(2) / 2
    answers = labels != -100
    ours = ((per_token * answers).sum(1) / answers.sum(1)).mean().item()
    assert found == pytest.approx(ours, rel=1e-4)
    assert abs(per_token.mean().item() - found) > 1e-2 * found  # averaged over all positions
    assert abs(per_token.sum(1).mean().item() - found) > 1e-2 * found  # "batchmean": summed over them


def test_satimps_weights_are_not_swapped(changed, tokenizer, forget, retain):
    """γ 1 belongs to what is forgotten and α 0.1 to what is kept."""
    method = build("satimp", beta1=0.5, beta2=0.5)  # large enough to tell the terms apart on a random model
    found, now, start = total_of(method, changed, tokenizer, forget, retain)
    forgotten = mean(LOSSES["satimp"](plain_fact(now, start, tokenizer, fact), method) for fact in forget)
    kept = mean(plain_retain(method, now, start, tokenizer, fact) for fact in retain)
    assert found == pytest.approx(1.0 * forgotten + 0.1 * kept, rel=1e-4)
    assert abs(0.1 * forgotten + 1.0 * kept - found) > 0.1


@pytest.mark.full
@pytest.mark.parametrize("kind", [kind for kind in LOSSES if "refusal" in METHODS.get(kind).needs])
def test_a_refusal_has_its_end_of_text(kind, changed, tokenizer, forget):
    method = build(kind, retain_weight=0.0)
    found, now, start = total_of(method, changed, tokenizer, forget, [])
    with_end, without = (
        mean(LOSSES[kind](plain_fact(now, start, tokenizer, fact, end), method) for fact in forget)
        for end in (True, False)
    )
    assert found == pytest.approx(with_end, rel=1e-4)
    assert abs(without - found) > 1e-4 * abs(found)
    assert abs(without - found) > 20 * abs(with_end - found)


def test_simnpo_is_of_log_probabilities_not_of_raw_logits(changed, tokenizer, forget):
    """A variant sums the raw logits of the answer's tokens, which any constant added to them changes."""
    method = build("simnpo", forget_weight=1.0, retain_weight=0.0, beta=0.1)
    found, now, _ = total_of(method, changed, tokenizer, forget, [])

    def loss(score):
        return -2 / method.beta * torch.sigmoid(torch.tensor(method.beta * -score)).log().item()

    proper, raw = [], []
    for fact in forget:
        rows, ids = logits_of(now, tokenizer, fact, fact.answer)
        proper.append(loss(rows.log_softmax(1)[range(len(ids)), ids].mean().item()))
        raw.append(loss(rows[range(len(ids)), ids].mean().item()))
    assert found == pytest.approx(sum(proper) / len(proper), rel=1e-4)
    assert abs(sum(raw) / len(raw) - found) > 0.1
