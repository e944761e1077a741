"""Margin: how far the right answer is ahead of the best wrong one."""

from math import isnan

from unequal.evaluation.metrics.chance import always
from unequal.evaluation.metrics.contract import (
    Chance,
    Metric,
    NoValueError,
    ProbeRecord,
    choices,
    mean_log_prob,
)


def margin(record: ProbeRecord) -> float:
    """Return log p(y) − max log p(y_j) over the distractors j, with p = exp(−S/n), in nats per token.

    Positive where `choice_accuracy` is 1, negative where it is 0.
    """
    right, wrong = choices(record)
    ahead = mean_log_prob(right) - max(mean_log_prob(answer) for answer in wrong)
    if isnan(ahead):  # both are −∞
        raise NoValueError("every choice has probability 0")
    return ahead


METRIC = Metric(
    name="margin",
    kind="probability",
    direction="higher means known",
    low=float("-inf"),
    high=float("inf"),
    formula="log p(y) − max_j log p(y_j), p = exp(−S/n)",
    chance=Chance("0 under uniform logits; below 0 for any other model without knowledge", always(0.0)),
    source="ours, on the choices of TOFU (Maini et al., 2024, section 2.2)",
    value=margin,
    needs=("scores",),
)
