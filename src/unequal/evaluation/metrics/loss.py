"""Membership scores from the loss: alone, against what compresses well, and against another model."""

import zlib as compression
from functools import lru_cache

from unequal.evaluation.metrics.chance import always, nats_per_token
from unequal.evaluation.metrics.contract import (
    Chance,
    Metric,
    NoValueError,
    ProbeRecord,
    mean_log_prob,
    scored,
)

BY_AUC = "by itself none; ½ as AUC against never-seen facts"


def loss(record: ProbeRecord) -> float:
    """Return S/n, the mean −log p of the answer's tokens, in nats."""
    return -mean_log_prob(scored(record).right)


def zlib(record: ProbeRecord) -> float:
    """Return the loss over the length in bytes of the answer as zlib compresses it.

    What is predictable for every model compresses well. zlib adds about eight bytes to any text, which
    weigh most in short answers.
    """
    return loss(record) / _compressed_bytes(record.probe.answer)


@lru_cache(maxsize=100_000)
def _compressed_bytes(text: str) -> int:
    return len(compression.compress(text.encode()))


def reference_loss(record: ProbeRecord) -> float:
    """Return the loss minus the loss under a reference model that never saw the fact, in nats per token."""
    if record.reference is None:
        raise NoValueError("the reference pass was not run")
    return loss(record) + mean_log_prob(record.reference.right)


LOSS = Metric(
    name="loss",
    kind="privacy",
    direction="lower means known",
    low=0.0,
    high=float("inf"),
    formula="S/n",
    chance=Chance(f"log(vocabulary) under uniform logits; {BY_AUC}", nats_per_token),
    source="Yeom et al. (2018)",
    value=loss,
    needs=("scores",),
)

ZLIB = Metric(
    name="zlib",
    kind="privacy",
    direction="lower means known",
    low=0.0,
    high=float("inf"),
    formula="(S/n) / |zlib(y)|",
    chance=Chance(BY_AUC),
    source="Carlini et al. (2021, section 5.2)",
    value=zlib,
    needs=("scores",),
)

REFERENCE = Metric(
    name="reference_loss",
    kind="privacy",
    direction="lower means known",
    low=float("-inf"),
    high=float("inf"),
    formula="S/n − S_ref/n",
    chance=Chance(f"0 where both models have uniform logits; {BY_AUC}", always(0.0)),
    source="Carlini et al. (2021, section 5.2), as a difference of losses as in Watson et al. (2022)",
    value=reference_loss,
    needs=("scores", "reference"),
)
