"""Perplexity: how many tokens the model hesitates between, for an answer or the rest of a text."""

from collections.abc import Sequence

from unequal.evaluation.metrics.contract import (
    Chance,
    Metric,
    NoValueError,
    ProbeRecord,
    finite_exp,
    mean_log_prob,
    number,
    scored,
)


def perplexity(record: ProbeRecord) -> float:
    """Return exp(S/n), the inverse of `answer_prob`, in [1, ∞).

    For a slice of text the probe's prompt is its first word and its answer the rest.
    """
    return finite_exp(-mean_log_prob(scored(record).right))


def slice_perplexity(records: Sequence[ProbeRecord]) -> float:
    """Return the perplexity of several texts as one, exp(ΣS / Σn): every token counts the same.

    Raises `NoValueError` when there is no token, or a log-probability that is not a number.
    """
    answers = [scored(record).right for record in records]
    n_tokens = sum(len(answer.log_probs) for answer in answers)
    if not n_tokens:
        raise NoValueError("there is no token to score")
    return finite_exp(-number(sum(float(answer.log_probs.sum()) for answer in answers)) / n_tokens)


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
