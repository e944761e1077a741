"""Answer log-probability: the log-probability of the whole answer."""

from unequal.evaluation.metrics.chance import n_tokens, nats_per_token
from unequal.evaluation.metrics.contract import Chance, Metric, ProbeRecord, scored, total_log_prob


def answer_log_prob(record: ProbeRecord) -> float:
    """Return −S, the summed natural log-probability of the answer's tokens, in (−∞, 0]."""
    return total_log_prob(scored(record).right)


METRIC = Metric(
    name="answer_log_prob",
    kind="probability",
    direction="higher means known",
    low=float("-inf"),
    high=0.0,
    formula="−S = Σ log p(token)",
    chance=Chance(
        "−n log(vocabulary) for n tokens under uniform logits",
        lambda record, model: -n_tokens(record) * nats_per_token(record, model),
    ),
    source="Carlini et al. (2021); S as in the methods' losses",
    value=answer_log_prob,
    needs=("scores",),
)
