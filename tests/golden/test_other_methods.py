"""Methods that need more than the answers' log-probabilities, on hand-made tensors, against plain numbers."""

from dataclasses import dataclass, field
from math import exp, log, sqrt

import pytest
import torch
from pydantic import ValidationError

from unequal.errors import ConfigError
from unequal.facts.schema import Fact
from unequal.unlearning.hidden_state_objective import distance, random_direction
from unequal.unlearning.method import ForgetScores, TokenScores
from unequal.unlearning.methods import METHODS

VOCABULARY = 5
ANSWERS = [[2], [0, 4, 1], [3, 3]]  # three facts, padded to three tokens
LONGEST = 3
ROLES = ("policy", "reference", "reinforced", "novice", "expert")


def logits():
    """Return logits ``(facts, tokens, vocabulary)`` of every role; at padding too, where they are noise."""
    stream = torch.Generator().manual_seed(7)
    shape = (len(ANSWERS), LONGEST, VOCABULARY)
    return {role: 2 * torch.randn(shape, generator=stream, dtype=torch.float64) for role in ROLES}


def scores_of(values):
    """Return scores as the contract says: 0 at padding, mask false there."""
    targets = torch.tensor([[*ids, *[0] * (LONGEST - len(ids))] for ids in ANSWERS])
    mask = torch.tensor([[place < len(ids) for place in range(LONGEST)] for ids in ANSWERS])
    every = values.log_softmax(2)
    chosen = every.gather(2, targets[:, :, None]).squeeze(2).masked_fill(~mask, 0.0)
    every = every.masked_fill(~mask[:, :, None], 0.0)
    return TokenScores(chosen, mask, targets, every, values.logsumexp(2).masked_fill(~mask, 0.0))


def build(kind, **settings):
    return METHODS.get(kind).model_validate({"kind": kind, **settings})


def loss_of(method, values):
    roles = {"policy"} | (method.needs & set(ROLES))
    return method.forget_loss(ForgetScores(**{role: scores_of(values[role]) for role in roles}))


# --- the formulas in plain numbers, one answer token at a time


def softmax(z):
    weights = [exp(x - max(z)) for x in z]
    return [weight / sum(weights) for weight in weights]


def cross_entropy(target, z):
    return -sum(q * log(p) for q, p in zip(target, softmax(z), strict=True))


def flatness(z):
    return (max(z) - sum(z) / len(z)) ** 2


def generic(z, start, reinforced, alpha=5.0):
    target = [a - alpha * max(b - a, 0.0) for a, b in zip(start, reinforced, strict=True)]
    return cross_entropy(softmax(target), z)


def novice(z, start, less, more, eta):
    target = [a + eta * (b - c) for a, b, c in zip(start, less, more, strict=True)]
    return cross_entropy(softmax(target), z)


@dataclass(frozen=True)
class Case:
    """A method with its settings; ``token(z, …)`` is the loss of one answer token from the roles' logits."""

    kind: str
    token: object = None
    roles: tuple = ("policy",)
    settings: dict = field(default_factory=dict)


CASES = [
    Case("pdu", flatness),
    Case("whp", generic, ("policy", "reference", "reinforced")),
    Case(
        "whp",
        lambda *z: generic(*z, alpha=0.3),
        ("policy", "reference", "reinforced"),
        {"strength": 0.3},
    ),
    Case("elm", lambda *z: novice(*z, 1000.0), ("policy", "reference", "novice", "expert")),
    Case(
        "elm",
        lambda *z: novice(*z, 0.7),
        ("policy", "reference", "novice", "expert"),
        {"strength": 0.7},
    ),
    *(Case(kind) for kind in ("npo_sam", "baldro", "rmu", "adaptive_rmu", "task_vector", "icu")),
]
by_token = pytest.mark.parametrize(
    "case", [case for case in CASES if case.token], ids=lambda case: f"{case.kind}-{case.settings}"
)


def plain_loss(case, values, row):
    """Return the mean over the row's answer tokens, from lists of numbers."""
    tokens = [
        [values[role][row, place].tolist() for role in case.roles] for place in range(len(ANSWERS[row]))
    ]
    return sum(case.token(*roles) for roles in tokens) / len(tokens)


@by_token
def test_the_loss_of_each_fact_is_the_printed_formula(case):
    values = logits()
    expected = [plain_loss(case, values, row) for row in range(len(ANSWERS))]
    assert loss_of(build(case.kind, **case.settings), values).tolist() == pytest.approx(expected, rel=1e-9)


@by_token
def test_its_gradient_is_the_slope_of_the_plain_formula_and_padding_has_none(case):
    values = logits()
    policy = values["policy"].clone().requires_grad_()
    loss_of(build(case.kind, **case.settings), values | {"policy": policy}).sum().backward()
    step, slopes = 1e-5, torch.zeros_like(values["policy"])
    for row, ids in enumerate(ANSWERS):
        for place in range(len(ids)):
            for token in range(VOCABULARY):
                around = []
                for sign in (1, -1):
                    moved = values["policy"].clone()
                    moved[row, place, token] += sign * step
                    around.append(plain_loss(case, values | {"policy": moved}, row))
                slopes[row, place, token] = (around[0] - around[1]) / (2 * step)
    torch.testing.assert_close(policy.grad, slopes, rtol=1e-6, atol=1e-8)
    assert not policy.grad[0, 1:].any()


@by_token
def test_what_stands_at_padding_does_not_matter(case):
    values = logits()
    method = build(case.kind, **case.settings)
    other = {role: tensor.clone() for role, tensor in values.items()}
    for tensor in other.values():
        tensor[0, 1:] = 50.0
        tensor[2, 2] = -3.0
    assert torch.equal(loss_of(method, values), loss_of(method, other))


def test_pdu_by_hand():
    """Logits 3, 1, 2 and 0, 0, 6: margins 1 and 4, squares 1 and 16, mean 8.5."""
    values = torch.tensor([[[3.0, 1.0, 2.0], [0.0, 0.0, 6.0]]])
    mask = torch.tensor([[True, True]])
    scores = TokenScores(torch.zeros(1, 2), mask, torch.zeros(1, 2).long(), values.log_softmax(2))
    assert build("pdu").forget_loss(ForgetScores(scores)).item() == pytest.approx(8.5, abs=1e-5)


def test_a_mask_that_is_shifted_by_one_would_show():
    """The published code's defect: places one late, so that a token is lost and padding comes in."""
    values = logits()
    after = torch.tensor([4.0, 0.0, 0.0, 0.0, 0.0], dtype=torch.float64).expand(3, 1, -1)
    shifted = values | {"policy": torch.cat([values["policy"][:, 1:], after], dim=1)}
    method = build("pdu")
    right, wrong = loss_of(method, values), loss_of(method, shifted)
    assert (right - wrong).abs().min() > 0.1


def test_pdu_starts_its_retain_weight_high_and_holds_it_for_half_the_run():
    dual = build("pdu").dual
    assert dual.after(50.0, 9.0, 0.0, 0.4) == 50.0
    assert dual.after(50.0, 0.1, 0.0, 0.6) == pytest.approx(49.8)  # 50 + 1·(0.1 − 0.3)
    assert dual.after(0.1, 0.0, 0.0, 1.0) == 0.0
    assert build("pdu", dual={"rate": 5.0, "budget": 1.5, "start": 100.0}).dual.start == 100.0


def test_a_constant_between_two_models_logits_matters_to_whp_and_not_to_elm():
    values = logits()
    whp, elm = build("whp"), build("elm", strength=0.7)
    for role in ("reinforced", "expert"):
        raised = values | {role: values[role] + 0.8}
        method = whp if role == "reinforced" else elm
        same = torch.allclose(loss_of(method, values), loss_of(method, raised), rtol=1e-9)
        assert same == (method is elm)


def test_whp_turns_down_only_what_the_reinforced_model_says_more():
    """One token of four: start uniform, the second token 1 higher when reinforced: its logit is −5 then."""
    start, mask = torch.zeros(1, 1, 4), torch.tensor([[True]])
    reinforced = torch.tensor([[[-2.0, 1.0, -2.0, -2.0]]])

    def scores(z):
        ids = torch.zeros(1, 1).long()
        return TokenScores(torch.zeros(1, 1), mask, ids, z.log_softmax(2), z.logsumexp(2))

    loss = build("whp").forget_loss(
        ForgetScores(scores(start), reference=scores(start), reinforced=scores(reinforced))
    )
    assert loss.item() == pytest.approx(log(4))  # the policy is uniform: cross-entropy to anything is ln 4
    sure = torch.tensor([[[0.0, 9.0, 0.0, 0.0]]])
    towards = build("whp").forget_loss(
        ForgetScores(scores(sure), reference=scores(start), reinforced=scores(reinforced))
    )
    share = exp(-5) / (3 + exp(-5))
    expected = log(3 + exp(9)) - 9 * share
    assert towards.item() == pytest.approx(expected, rel=1e-5)


def test_scores_without_logits_are_refused():
    values = logits()
    bare = [
        TokenScores(s.log_probs, s.mask, s.targets, s.distributions) for s in map(scores_of, values.values())
    ]
    with pytest.raises(KeyError, match="does not list in whole"):
        build("whp").forget_loss(ForgetScores(bare[0], reference=bare[1], reinforced=bare[2]))
    with pytest.raises(KeyError, match="does not list in whole"):
        build("pdu").forget_loss(ForgetScores(TokenScores(bare[0].log_probs, bare[0].mask)))


# --- npo_sam and baldro: the loss of npo


def sequence_nll(z, row):
    return -sum(log(softmax(z[row, place].tolist())[token]) for place, token in enumerate(ANSWERS[row]))


@pytest.mark.parametrize("kind", ["npo_sam", "baldro"])
@pytest.mark.parametrize("beta", [0.1, 1.5])
def test_the_loss_before_what_is_special_is_npos(kind, beta):
    values = logits()
    gains = [sequence_nll(values["policy"], row) - sequence_nll(values["reference"], row) for row in range(3)]
    expected = [2 / beta * log(1 + exp(-beta * gain)) for gain in gains]
    assert loss_of(build(kind, beta=beta), values).tolist() == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("beta", [0.5, 1.0, 4.0])
def test_baldro_is_the_printed_soft_minimum_and_its_gradient(beta):
    losses = torch.tensor([0.3, 2.0, 1.1], dtype=torch.float64, requires_grad=True)
    found = build("baldro", temperature=beta).reduce(losses, torch.ones(3, dtype=torch.float64))
    found.backward()
    pulls = [exp(-loss / beta) for loss in losses.tolist()]
    assert found.item() == pytest.approx(-beta * log(sum(pulls) / 3), rel=1e-12)
    assert losses.grad.tolist() == pytest.approx([pull / sum(pulls) for pull in pulls], rel=1e-12)
    assert losses.min().item() < found.item() < losses.mean().item()


def test_baldro_by_hand():
    """−ln((e^−0 + e^−ln 3) / 2) = −ln(2/3)."""
    found = build("baldro").reduce(torch.tensor([0.0, log(3)]), torch.ones(2))
    assert found.item() == pytest.approx(log(3 / 2), abs=1e-6)


def test_baldro_with_weights_has_the_weighted_mean_as_its_limit_and_survives_large_losses():
    losses = torch.tensor([0.3, 2.0, 1.1], dtype=torch.float64)
    weights = torch.tensor([2.0, 0.5, 1.1], dtype=torch.float64)
    flat = build("baldro", temperature=1e6).reduce(losses, weights)
    assert flat.item() == pytest.approx((weights * losses).mean().item(), rel=1e-5)
    twice = build("baldro").reduce(torch.tensor([0.3, 0.3, 2.0]), torch.ones(3))
    once = build("baldro").reduce(torch.tensor([0.3, 2.0]), torch.tensor([2.0, 1.0]) * 2 / 3)
    assert once.item() == pytest.approx(twice.item(), rel=1e-6)
    assert build("baldro").reduce(torch.tensor([1e4, 2e4]), torch.ones(2)).isfinite()


# --- hidden states


def test_rmu_targets_are_the_printed_ones():
    direction = torch.tensor([0.6, 0.0, 0.8])
    start = torch.tensor([[3.0, 0.0, 4.0], [0.0, 1.0, 0.0]])
    assert build("rmu", steering=10.0).target(direction, start).tolist() == [[6.0, 0.0, 8.0]] * 2
    adaptive = build("adaptive_rmu", scale=2.0).target(direction, start)
    torch.testing.assert_close(adaptive, torch.tensor([[6.0, 0.0, 8.0], [1.2, 0.0, 1.6]]))


def test_a_distance_is_the_mean_over_tokens_of_the_square_by_width():
    """(4 + 0 + 0)/3 and (0 + 9 + 1)/3, mean 7/3."""
    states = torch.tensor([[2.0, 0.0, 0.0], [0.0, 3.0, 1.0]])
    assert distance(states, torch.zeros(2, 3)).item() == pytest.approx(7 / 3)


def test_the_direction_is_a_unit_vector_of_the_seed():
    one, again, other = random_direction(64, 3), random_direction(64, 3), random_direction(64, 4)
    assert torch.equal(one, again) and not torch.equal(one, other)
    assert sqrt(sum(value**2 for value in one.tolist())) == pytest.approx(1.0, abs=1e-6)
    assert one.min() >= 0


@pytest.mark.parametrize(
    ("layer", "depth", "expected"),
    [(0.25, 32, 7), (0.25, 12, 2), (0.25, 2, 0), (1.0, 6, 5), (0.5, 1, 0), (0, 6, 0), (1, 6, 1), (5, 6, 5)],
)
def test_a_layer_is_a_number_or_a_share_of_the_depth(layer, depth, expected):
    assert build("rmu", layer=layer).layer_of(depth) == expected


def test_a_layer_that_is_not_there_is_refused():
    with pytest.raises(ConfigError, match="layer 6 of method rmu must be below the model's 6"):
        build("rmu", layer=6).layer_of(6)
    for layer in (-1, 1.5, 0.0, "deep"):
        with pytest.raises(ValidationError):
            build("rmu", layer=layer)


# --- without a loss


def test_a_task_vector_is_subtracted():
    start, tuned = torch.tensor([1.0, 2.0]), torch.tensor([1.5, 1.0])
    assert build("task_vector").weight(start, tuned, 1.0).tolist() == [0.5, 3.0]
    assert build("task_vector", scale=4.0).weight(start, tuned, 0.5).tolist() == [0.0, 4.0]
    assert torch.equal(build("task_vector").weight(start, tuned, 0.0), start)


def test_the_prompt_names_every_subject_once():
    def fact(subject, relation):
        return Fact(
            fact_id=f"{subject}-{relation}", subject=subject, relation=relation, object="x",
            question="?", answer="x",
        )  # fmt: skip

    forget = [fact("Ann Lee", "city"), fact("Bo Ray", "city"), fact("Ann Lee", "major")]
    expected = "Do not answer questions about Ann Lee, Bo Ray. Say that you do not know.\n"
    assert build("icu").prompt_prefix(forget) == expected
    assert build("icu", instruction="Say {nothing}.").prompt_prefix(forget) == "Say {nothing}.\n"
    assert {build(kind).prompt_prefix(forget) for kind in METHODS if kind != "icu"} == {""}


# --- settings


def test_defaults_are_the_sources():
    rmu, adaptive, sam, baldro, whp, elm = (
        build(kind) for kind in ("rmu", "adaptive_rmu", "npo_sam", "baldro", "whp", "elm")
    )
    assert (rmu.steering, rmu.retain_weight, rmu.layer, rmu.n_trained) == (6.5, 1200.0, 0.25, 3)
    assert (adaptive.scale, adaptive.retain_weight) == (5.0, 1200.0)
    assert (sam.radius, sam.beta, baldro.temperature, baldro.beta) == (0.01, 0.1, 1.0, 0.1)
    assert (whp.strength, elm.strength, elm.retain_loss) == (5.0, 1000.0, "kl")
    assert (build("pdu").dual.rate, build("task_vector").retain_weight) == (1.0, 0.0)


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        ("rmu", {"question_weight": 1.0}),
        ("adaptive_rmu", {"retain_loss": "kl"}),
        ("rmu", {"dual": {"rate": 1.0, "budget": 0.1}}),
        ("task_vector", {"retain_weight": 1.0}),
        ("icu", {"retain_weight": 0.5}),
        ("icu", {"question_weight": 0.5}),
    ],
)
def test_settings_that_would_do_nothing_are_refused(kind, settings):
    with pytest.raises(ValidationError, match=r"are for methods that score answers|must be 0"):
        build(kind, **settings)
