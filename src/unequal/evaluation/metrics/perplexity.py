"""Perplexity: how many tokens the model hesitates between, for an answer."""

from unequal.evaluation.metrics.contract import (
    Chance,
    Metric,
    ProbeRecord,
    finite_exp,
    mean_log_prob,
    scored,
)


def perplexity(record: ProbeRecord) -> float:
    """Return exp(S/n), the inverse of `answer_prob`, in [1, ∞)."""
    return finite_exp(-mean_log_prob(scored(record).right))


METRIC = Metric(
    name="perplexity",
    kind="probability",
    direction="lower means known",
    low=1.0,
    high=float("inf"),
    formula="exp(S/n)",
    chance=Chance("the size of the vocabulary under uniform logits", lambda _record, model: model.vocabulary),
    source="Jelinek et al. (1977), per token",
    value=perplexity,
    needs=("scores",),
)
