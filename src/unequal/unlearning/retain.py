"""Retain losses: cross-entropy, KL or Jensen-Shannon divergence from the start, or preference."""

import math

from torch import Tensor
from torch.nn.functional import logsigmoid

from unequal.unlearning.method import Method, TokenScores

PREFERENCE_BETA = 0.1
"""β of the preference for the answer over a refusal (Yuan et al. 2024, arXiv 2410.08109)."""


def retain_losses(
    method: Method, now: TokenScores, start: TokenScores | None = None, declined: TokenScores | None = None
) -> Tensor:
    """Return the loss of each retain item, ``(batch,)``, in nats per answer token (``preference``: in nats).

    ``start`` holds the distributions of the starting model for ``kl`` and ``jsd``; ``declined`` a refusal in
    place of each answer for ``preference``: −(1/β) log σ(β(S_refusal − S)).
    """
    if method.retain_loss == "nll":
        return now.mean_nll
    if method.retain_loss == "preference":
        assert declined is not None  # noqa: S101  made wherever the loss is asked for
        gain = declined.nll - now.nll
        return -logsigmoid(PREFERENCE_BETA * gain) / PREFERENCE_BETA
    assert start is not None  # noqa: S101
    p, q = start.distributions, now.distributions
    assert p is not None and q is not None  # noqa: S101
    per_token = kl(p, q) if method.retain_loss == "kl" else jsd(p, q)
    return now.mean(per_token)


def kl(p: Tensor, q: Tensor) -> Tensor:
    """Return KL(p‖q) of log-distributions ``(…, vocab)`` over the last axis, in nats."""
    return (p.exp() * (p - q)).sum(-1)


def jsd(p: Tensor, q: Tensor) -> Tensor:
    """Return the Jensen-Shannon divergence of log-distributions over the last axis, in nats, at most ln 2."""
    middle = p.logaddexp(q) - math.log(2)
    return (kl(p, middle) + kl(q, middle)) / 2
