"""d′ of true/false: can the model tell true statements from false ones, whichever word it prefers?"""

import numpy as np
from scipy.special import ndtri

from unequal.evaluation.aggregates.contract import Aggregate, Values


def d_prime(hits: Values, n_true: Values, false_alarms: Values, n_false: Values) -> Values:
    """Return d′ = z(H) − z(F): 0 is chance, higher tells true from false better.

    Log-linear correction H = (hits + ½)/(n + 1), so that rates of 0 and 1 stay finite (Hautus 1995).
    """
    hit_rate, alarm_rate = (hits + 0.5) / (n_true + 1), (false_alarms + 0.5) / (n_false + 1)
    return np.asarray(ndtri(hit_rate) - ndtri(alarm_rate), dtype=np.float64)


def true_false_dprime(hits: Values, false_alarms: Values) -> float:
    """Return d′ over facts: 0 where the model says True as often to false statements as to true ones.

    There are as many false statements as true ones, so saying always the same word scores 0.
    """
    counts = (hits.sum(), np.float64(len(hits)), false_alarms.sum(), np.float64(len(false_alarms)))
    return float(d_prime(*map(np.asarray, counts)))


DPRIME = Aggregate(
    name="true_false_dprime",
    metrics=("true_false_hit", "true_false_false_alarm"),
    direction="higher means known",
    low=float("-inf"),
    high=float("inf"),
    formula="z(H) − z(F), with H = (hits + ½)/(n + 1) and F alike",
    chance="0",
    chance_level=0.0,
    source="Green and Swets (1966); correction of Hautus (1995)",
    value=true_false_dprime,
)
