"""Choice accuracy: whether the right answer is the most probable of the choices."""

from unequal.evaluation.metrics.contract import Metric, NoValueError, ProbeRecord, number, scored


def choice_accuracy(record: ProbeRecord) -> float:
    """Return 1 if the right answer is the most probable per token, 1/k if it ties with k−1 others."""
    scores = scored(record)
    if not scores.wrong:
        raise NoValueError("the fact has no distractors")
    right, *wrong = (number(float(answer.log_probs.mean())) for answer in (scores.right, *scores.wrong))
    if right < max(wrong):
        return 0.0
    return 1.0 / (1 + sum(value == right for value in wrong))


METRIC = Metric(
    name="choice_accuracy",
    kind="probability",
    direction="higher means known",
    low=0.0,
    high=1.0,
    chance="1 / (1 + distractors)",
    source="length-normalised multiple-choice accuracy (Brown et al., 2020)",
    value=choice_accuracy,
)
