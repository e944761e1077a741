"""Choice probability: the right answer's share of the probability of all choices."""

from math import exp

from unequal.evaluation.metrics.chance import one_choice
from unequal.evaluation.metrics.contract import (
    Chance,
    Metric,
    NoValueError,
    ProbeRecord,
    choices,
    mean_log_prob,
)


def choice_prob(record: ProbeRecord) -> float:
    """Return p/(p + Σ p_j) over the distractors j, with p = exp(−S/n) for each answer, in [0, 1]."""
    right, wrong = choices(record)
    probability, *others = (exp(mean_log_prob(answer)) for answer in (right, *wrong))
    total = probability + sum(others)
    if total == 0.0:
        raise NoValueError("every choice has probability 0")
    return probability / total


METRIC = Metric(
    name="choice_prob",
    kind="probability",
    direction="higher means known",
    low=0.0,
    high=1.0,
    formula="p / (p + Σ p_j), p = exp(−S/n)",
    chance=Chance("1 / (1 + distractors)", one_choice),
    source="normalised multiple-choice probability, TOFU (Maini et al., 2024, section 2.2)",
    value=choice_prob,
    needs=("scores",),
)
