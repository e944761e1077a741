"""Gradient norm: how strongly the model would still have to change to learn the answer."""

from unequal.evaluation.metrics.contract import Chance, Metric, NoValueError, ProbeRecord, number
from unequal.evaluation.metrics.loss import BY_AUC


def gradient_norm(record: ProbeRecord) -> float:
    """Return ‖∇(S/n)‖₂ over all weights, in nats: small where the answer was learned."""
    if record.gradient_norm is None:
        raise NoValueError("the gradient pass was not run")
    return number(record.gradient_norm)


METRIC = Metric(
    name="gradient_norm",
    kind="privacy",
    direction="lower means known",
    low=0.0,
    high=float("inf"),
    formula="‖∇_θ S/n‖₂",
    chance=Chance(BY_AUC),
    source="GradNorm attack of MIMIR (Duan et al., 2024), after Nasr et al. (2019)",
    value=gradient_norm,
    needs=("gradient_norm",),
)
