"""Answer log-probability: the log-probability of the whole answer."""

from unequal.evaluation.metrics.contract import Metric, ProbeRecord, number, scored


def answer_log_prob(record: ProbeRecord) -> float:
    """Return −S, the summed natural log-probability of the answer's tokens, in (−∞, 0]."""
    return number(float(scored(record).right.log_probs.sum()))


METRIC = Metric(
    name="answer_log_prob",
    kind="probability",
    direction="higher means known",
    low=float("-inf"),
    high=0.0,
    chance="−n log(vocabulary) for n tokens under uniform logits",
    source="Carlini et al. (2021); S as in the methods' losses",
    value=answer_log_prob,
)
