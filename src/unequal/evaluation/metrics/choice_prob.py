"""Choice probability: the right answer's share of the probability of all choices."""

from math import exp

from unequal.evaluation.metrics.contract import Metric, NoValueError, ProbeRecord, number, scored


def choice_prob(record: ProbeRecord) -> float:
    """Return p/(p + Σ p_j) over the distractors j, with p = exp(−S/n) for each answer, in [0, 1]."""
    scores = scored(record)
    if not scores.wrong:
        raise NoValueError("the fact has no distractors")
    right, *wrong = (exp(number(float(answer.log_probs.mean()))) for answer in (scores.right, *scores.wrong))
    total = right + sum(wrong)
    if total == 0.0:
        raise NoValueError("every choice has probability 0")
    return right / total


METRIC = Metric(
    name="choice_prob",
    kind="probability",
    direction="higher means known",
    low=0.0,
    high=1.0,
    chance="1 / (1 + distractors)",
    source="normalised multiple-choice probability, TOFU (Maini et al., 2024, section 2.2)",
    value=choice_prob,
)
