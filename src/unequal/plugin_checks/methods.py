"""Contract tests of an unlearning method: settings, a finite loss a fact with a gradient, forgetting."""

import copy
from typing import Any, get_args

import torch
from torch import Tensor
from transformers import PreTrainedModel

from unequal.facts.schema import Fact
from unequal.plugin_checks.contract import Check, require
from unequal.plugin_checks.people import PROMPTS, learning, people, tokenizer
from unequal.scoring.encoding import Encoder
from unequal.unlearning.examples import FactEncoder, score_in_batches
from unequal.unlearning.method import ForgetScores, Method, Need, TokenScores
from unequal.unlearning.method_kinds import WithoutLoss
from unequal.unlearning.run import Run
from unequal.unlearning.settings import UnlearnSettings
from unequal.unlearning.unlearn import unlearn

VOCABULARY, LENGTHS = 11, (1, 2, 4)
RATE = 3e-3
N_FACTS = 6


def made(kind: type[Method]) -> Method:
    """Return a method with the settings that it comes with."""
    if kind.model_fields["kind"].is_required():
        return kind(kind=f"{kind.__module__}:{kind.__qualname__}")
    return kind()  # type: ignore[call-arg]  # whose kind has a default


def has_defaults(kind: type[Method]) -> None:
    """Check that every setting has a default, and that settings are read as they are written."""
    lacking = [name for name, field in kind.model_fields.items() if field.is_required() and name != "kind"]
    require(not lacking, f"{', '.join(lacking)} has no default; give every setting one")
    method = made(kind)
    again = kind.model_validate(method.model_dump(mode="json"))
    require(
        again == method, "its settings are not read as they are written; use plain numbers, texts and lists"
    )


def describes_itself(kind: type[Method]) -> None:
    """Check that it says in a sentence what it does."""
    require((kind.__doc__ or "").strip(), "it has no docstring; say in a sentence what it does")
    unknown = kind.needs - set(get_args(Need))
    require(not unknown, f"needs names {', '.join(sorted(unknown))}; known: {', '.join(get_args(Need))}")


def has_a_loss_a_fact(kind: type[Method]) -> None:
    """Check that the loss is one finite value a fact, with a finite gradient and none at padding."""
    if kind.forget_loss is Method.forget_loss:
        return
    scores, logits = _scores(kind)
    losses = made(kind).forget_loss(scores)
    n_facts = len(LENGTHS)
    require(isinstance(losses, Tensor), f"forget_loss returned {type(losses).__name__}, not a tensor")
    require(
        losses.shape == (n_facts,),
        f"forget_loss returned {tuple(losses.shape)} for {n_facts} facts; return (batch,)",
    )
    require(losses.isfinite().all(), f"forget_loss returned {losses.tolist()}; keep it finite")
    require(
        losses.requires_grad,
        "the loss has no gradient; compute it from scores with differentiable operations",
    )
    torch.autograd.backward(losses.sum())
    found = [one.grad for one in logits if one.grad is not None]
    require(
        any(grad.any() for grad in found), "the gradient is zero for every answer; is the loss saturated?"
    )
    require(
        all(grad.isfinite().all() for grad in found), "the gradient is not finite; avoid log or division of 0"
    )
    mask = _mask()
    leaking = any(grad[~mask].any() for grad in found)
    require(not leaking, "the loss depends on padding; multiply by scores.policy.mask, or use its mean")


def keeps_facts_apart(kind: type[Method]) -> None:
    """Check that a fact's loss is the same whatever other facts are in its batch."""
    if kind.forget_loss is Method.forget_loss or kind.reduce is not Method.reduce:
        return  # a loss of a batch as a whole
    scores, _ = _scores(kind)
    together = made(kind).forget_loss(scores)
    for row in range(len(LENGTHS)):
        parts: dict[str, Any] = {
            name: _row(value, row) for name, value in vars(scores).items() if name != "factors"
        }
        alone = made(kind).forget_loss(ForgetScores(**parts))
        same = torch.isclose(alone[0], together[row], rtol=1e-4, atol=1e-6)
        require(
            same,
            "a fact's loss changes with the others of its batch; compute it row by row, or define reduce",
        )


def forgets_a_little(kind: type[Method]) -> None:
    """Check that a few steps make answers less probable, or refusals more so where these are taught."""
    if issubclass(kind, WithoutLoss):
        return
    forget, retain = (_of_role(role) for role in ("forget", "retain"))
    changes = {"learning_rate": RATE, "retain_weight": 0.0, "dual": None}
    method = made(kind).model_copy(update=changes)
    model = copy.deepcopy(learning())
    before = _probability(model, forget)
    settings = UnlearnSettings(steps=5, batch_size=N_FACTS, evaluate_at=(5,))
    unlearn(Run(model, Encoder(tokenizer()), method, forget, retain, settings, PROMPTS))
    after = _probability(model, forget)
    require(after == after, "the model is no longer finite after five steps; is the loss bounded?")
    require(
        after < before,
        f"after five steps answers have a probability of {after:.3f}, before {before:.3f}; is the sign of the"
        " loss right (lower means more forgotten)?",
    )


def keeps_a_retain_term(kind: type[Method]) -> None:
    """Check that it runs beside a retain term."""
    if issubclass(kind, WithoutLoss):
        return
    method = made(kind).model_copy(update={"learning_rate": RATE, "retain_weight": 1.0, "dual": None})
    settings = UnlearnSettings(steps=1, batch_size=N_FACTS, evaluate_at=(1,))
    model = copy.deepcopy(learning())
    forget, retain = (_of_role(role) for role in ("forget", "retain"))
    unlearn(Run(model, Encoder(tokenizer()), method, forget, retain, settings, PROMPTS))


METHOD_CHECKS = (
    Check("it says what it does", describes_itself),
    Check("every setting has a default and is read as it is written", has_defaults),
    Check("the loss is one finite value a fact, with a gradient", has_a_loss_a_fact),
    Check("the loss of a fact is its own", keeps_facts_apart),
    Check("it forgets a little in five steps", forgets_a_little),
    Check("it runs with a retain term", keeps_a_retain_term),
)


def _of_role(role: str) -> list[Fact]:
    return [fact for fact in people() if fact.role == role][:N_FACTS]


def _probability(model: PreTrainedModel, facts: list[Fact]) -> float:
    """Return the mean probability per token of the answers."""
    examples = FactEncoder(tokenizer(), PROMPTS).own_answers(facts, end=False)
    with torch.no_grad():
        scores = [one.mean_nll for one in score_in_batches(model, examples, int(tokenizer().pad_token_id))]
    return float(torch.stack(scores).neg().exp().mean())


def _mask() -> Tensor:
    return torch.arange(max(LENGTHS))[None] < torch.tensor(LENGTHS)[:, None]


def _scores(kind: type[Method]) -> tuple[ForgetScores, list[Tensor]]:
    """Return scores of random logits as the method asks for them, and the logits that depend on the model."""
    names = ["policy", *sorted(kind.needs - {"popularity"})]
    logits = {name: _logits(seed).requires_grad_(_is_now(name)) for seed, name in enumerate(names)}
    parts: dict[str, Any] = {
        name: _token_scores(values, name in kind.whole) for name, values in logits.items()
    }
    popularity = torch.tensor([0.0, 3.0, 40.0]) if "popularity" in kind.needs else None
    now = [values for name, values in logits.items() if _is_now(name)]
    return ForgetScores(**parts, popularity=popularity), now


def _is_now(name: str) -> bool:
    return name in ("policy", "refusal", "alternative")


def _logits(seed: int) -> Tensor:
    stream = torch.Generator().manual_seed(seed)
    return torch.randn(len(LENGTHS), max(LENGTHS), VOCABULARY, generator=stream)


def _token_scores(logits: Tensor, whole: bool) -> TokenScores:
    mask = _mask()
    targets = torch.arange(mask.numel()).reshape(mask.shape) % VOCABULARY
    logs = logits.log_softmax(-1)
    chosen = logs.gather(-1, targets[..., None])[..., 0].masked_fill(~mask, 0.0)
    if not whole:
        return TokenScores(chosen, mask)
    normalisers = logits.logsumexp(-1).masked_fill(~mask, 0.0)
    return TokenScores(
        chosen, mask, targets.masked_fill(~mask, 0), logs.masked_fill(~mask[..., None], 0.0), normalisers
    )


def _row(value: TokenScores | Tensor | None, row: int) -> TokenScores | Tensor | None:
    if isinstance(value, TokenScores):
        return value.part(row, row + 1)
    return None if value is None else value[row : row + 1]
