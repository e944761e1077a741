"""Answer probability: the geometric mean of the answer's token probabilities."""

from math import exp

from unequal.evaluation.metrics.contract import Metric, ProbeRecord, number, scored


def answer_prob(record: ProbeRecord) -> float:
    """Return exp(−S/n), the answer's probability per token, in [0, 1]."""
    return exp(number(float(scored(record).right.log_probs.mean())))


METRIC = Metric(
    name="answer_prob",
    kind="probability",
    direction="higher means known",
    low=0.0,
    high=1.0,
    chance="1 / vocabulary under uniform logits",
    source="length-normalised probability, TOFU (Maini et al., 2024, section 2.2)",
    value=answer_prob,
)
