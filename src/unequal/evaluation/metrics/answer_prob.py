"""Answer probability: the geometric mean of the answer's token probabilities."""

from math import exp

from unequal.evaluation.metrics.chance import one_token
from unequal.evaluation.metrics.contract import Chance, Metric, ProbeRecord, mean_log_prob, scored


def answer_prob(record: ProbeRecord) -> float:
    """Return exp(−S/n), the answer's probability per token, in [0, 1]."""
    return exp(mean_log_prob(scored(record).right))


METRIC = Metric(
    name="answer_prob",
    kind="probability",
    direction="higher means known",
    low=0.0,
    high=1.0,
    formula="exp(−S/n)",
    chance=Chance("1 / vocabulary under uniform logits", one_token),
    source="length-normalised probability, TOFU (Maini et al., 2024, section 2.2)",
    value=answer_prob,
    needs=("scores",),
)
