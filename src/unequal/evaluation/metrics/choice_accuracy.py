"""Choice accuracy: whether the right answer is the most probable of the choices, per token or as a whole."""

from collections.abc import Sequence

from unequal.evaluation.metrics.chance import one_choice
from unequal.evaluation.metrics.contract import (
    Chance,
    Ignorance,
    Metric,
    ProbeRecord,
    choices,
    mean_log_prob,
    total_log_prob,
)


def choice_accuracy(record: ProbeRecord) -> float:
    """Return 1 if the right answer is the most probable per token, 1/k if it ties with k−1 others.

    Length-normalised by tokens; harnesses that normalise by characters or bytes may rank otherwise.
    """
    right, wrong = choices(record)
    return _won(mean_log_prob(right), [mean_log_prob(answer) for answer in wrong])


def choice_accuracy_sum(record: ProbeRecord) -> float:
    """Return 1 if the right answer is the most probable as a whole, 1/k if it ties with k−1 others.

    Not length-normalised, so that short choices are preferred.
    """
    right, wrong = choices(record)
    return _won(total_log_prob(right), [total_log_prob(answer) for answer in wrong])


def _won(right: float, wrong: Sequence[float]) -> float:
    if right < max(wrong):
        return 0.0
    return 1.0 / (1 + sum(value == right for value in wrong))


def _shortest(record: ProbeRecord, _model: Ignorance) -> float:
    """Return what uniform logits score: the choices of the fewest tokens tie."""
    right, wrong = choices(record)
    return _won(-len(right.log_probs), [-len(answer.log_probs) for answer in wrong])


PER_TOKEN = Metric(
    name="choice_accuracy",
    kind="probability",
    direction="higher means known",
    low=0.0,
    high=1.0,
    formula="1 if p(y) > max_j p(y_j), 1/k in a tie of k, else 0, p = exp(−S/n)",
    chance=Chance("1 / (1 + distractors)", one_choice),
    source="length-normalised multiple-choice accuracy (Brown et al., 2020, section 2.4)",
    value=choice_accuracy,
    needs=("scores",),
)

SUM = Metric(
    name="choice_accuracy_sum",
    kind="probability",
    direction="higher means known",
    low=0.0,
    high=1.0,
    formula="1 if S(y) < min_j S(y_j), 1/k in a tie of k, else 0",
    chance=Chance("1 / (1 + distractors) where right answers are as long as wrong ones", _shortest),
    source="multiple-choice accuracy without normalisation, `acc` of lm-eval (Gao et al., 2021)",
    value=choice_accuracy_sum,
    needs=("scores",),
)
