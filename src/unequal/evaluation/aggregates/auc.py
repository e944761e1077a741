"""AUC of membership scores: is a fact told from one that the model never saw?"""

from collections.abc import Callable

import numpy as np

from unequal.evaluation.aggregates.contract import Aggregate, Values
from unequal.evaluation.metrics.contract import Direction


def auc(higher: Values, lower: Values) -> float:
    """Return the probability that a value of the first is above one of the second, ties counted half.

    The area under the receiver operating characteristic, which is U/(n m) (Mann and Whitney, 1947).
    """
    ordered = np.sort(lower)
    below, up_to = (np.searchsorted(ordered, higher, side=side) for side in ("left", "right"))
    return float((below + up_to).mean() / (2 * len(lower)))


def _of(metric: str, direction: Direction) -> Aggregate:
    value: Callable[[Values, Values], float]
    if direction == "higher means known":

        def value(facts: Values, never_seen: Values) -> float:
            """Return the probability that a fact scores above one that was never seen, ties counted half."""
            return auc(facts, never_seen)

        comparison = ">"
    else:

        def value(facts: Values, never_seen: Values) -> float:
            """Return the probability that a fact scores below one that was never seen, ties counted half."""
            return auc(never_seen, facts)

        comparison = "<"
    return Aggregate(
        name=f"{metric}_auc",
        metrics=(metric,),
        direction="higher means known",
        low=0.0,
        high=1.0,
        formula=f"P(fact {comparison} never seen) + ½ P(equal), of {metric}",
        chance="1/2: facts cannot be told from never-seen ones; far below 1/2 they can be, too",
        chance_level=0.5,
        source="AUC as U/(n m), Mann and Whitney (1947); on unlearning, MUSE (Shi et al., 2025, section 3.2)",
        value=value,
        against_never_seen=True,
    )


LOSS = _of("loss", "lower means known")
ZLIB = _of("zlib", "lower means known")
REFERENCE_LOSS = _of("reference_loss", "lower means known")
MIN_K = _of("min_k_40", "higher means known")
MIN_K_PLUS_PLUS = _of("min_k_plus_plus_40", "higher means known")
GRADIENT_NORM = _of("gradient_norm", "lower means known")
