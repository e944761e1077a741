"""Min-K%: membership scores from the answer's least probable tokens, plain and normalised."""

import numpy as np
import numpy.typing as npt

from unequal.evaluation.metrics.chance import always, nats_per_token
from unequal.evaluation.metrics.contract import Chance, Metric, NoValueError, ProbeRecord, number, scored
from unequal.evaluation.metrics.loss import BY_AUC

SHARE = 0.4
SMALLEST_DEVIATION = 1e-3  # nats; a model that is certain has none


def min_k(record: ProbeRecord) -> float:
    """Return the mean log-probability of the 40% least probable of the answer's tokens, at least one."""
    return _mean_of_lowest(scored(record).right.log_probs)


def min_k_plus_plus(record: ProbeRecord) -> float:
    """Return the mean of the 40% lowest z_t = (log p_t − μ_t)/σ_t of the answer's tokens, at least one.

    μ and σ are mean and standard deviation of log p(v) over tokens v drawn from the model's own
    distribution at that place: a token is judged by what else could have stood there.
    """
    right = scored(record).right
    if right.means is None or right.deviations is None:
        raise NoValueError("the moments of the probability pass were not asked for")
    deviations = np.maximum(right.deviations, SMALLEST_DEVIATION)
    return _mean_of_lowest((right.log_probs - right.means) / deviations)


def _mean_of_lowest(values: npt.NDArray[np.float64]) -> float:
    n_lowest = max(1, int(SHARE * len(values)))
    return number(float(np.sort(values)[:n_lowest].mean()))


MIN_K = Metric(
    name="min_k_40",
    kind="privacy",
    direction="higher means known",
    low=float("-inf"),
    high=0.0,
    formula="mean of log p_t over the max(1, ⌊0.4 n⌋) tokens t with the lowest",
    chance=Chance(
        f"−log(vocabulary) under uniform logits; {BY_AUC}",
        lambda record, model: -nats_per_token(record, model),
    ),
    source="Min-K% Prob (Shi et al., 2024, equation 1) with k = 40%",
    value=min_k,
    needs=("scores",),
)

MIN_K_PLUS_PLUS = Metric(
    name="min_k_plus_plus_40",
    kind="privacy",
    direction="higher means known",
    low=float("-inf"),
    high=float("inf"),
    formula="mean of z_t = (log p_t − μ_t)/σ_t over the max(1, ⌊0.4 n⌋) tokens t with the lowest",
    chance=Chance(f"0 under uniform logits; {BY_AUC}", always(0.0)),
    source="Min-K%++ (Zhang et al., 2024, equation 3) with k = 40%; σ at least 0.001",
    value=min_k_plus_plus,
    needs=("scores", "moments"),
)
