"""Truth ratio: how probable wrong answers are on average, compared with the right one."""

from math import isinf, log

import numpy as np

from unequal.evaluation.metrics.chance import always
from unequal.evaluation.metrics.contract import (
    Chance,
    Metric,
    NoValueError,
    ProbeRecord,
    choices,
    finite_exp,
    mean_log_prob,
)


def truth_ratio(record: ProbeRecord) -> float:
    """Return R = mean_j p(y_j) / p(y) over the distractors j, with p = exp(−S/n), in [0, ∞).

    Near 0 the truth is preferred, at 1 it is one of many. The mean is arithmetic, as in the paper;
    published code has also taken the geometric one. The wrong answers are distractors of the same type.
    """
    right, wrong = choices(record)
    logs = [mean_log_prob(answer) for answer in wrong]
    wrong_log = float(np.logaddexp.reduce(logs)) - log(len(logs))
    right_log = mean_log_prob(right)
    if isinf(wrong_log) and isinf(right_log):
        raise NoValueError("every choice has probability 0")
    return finite_exp(wrong_log - right_log)


METRIC = Metric(
    name="truth_ratio",
    kind="probability",
    direction="lower means known",
    low=0.0,
    high=float("inf"),
    formula="R = (1/J) Σ_j p(y_j) / p(y), p = exp(−S/n)",
    chance=Chance("1 under uniform logits", always(1.0)),
    source="TOFU (Maini et al., 2024, equation 1), with the right answer itself in place of its paraphrase",
    value=truth_ratio,
    needs=("scores",),
)
