"""The three ways in which truth ratios of facts become one number."""

import numpy as np

from unequal.evaluation.aggregates.contract import Aggregate, Values


def closer_to_1(ratios: Values) -> float:
    """Return the mean of min(R, 1/R), in [0, 1]: 1 where right and wrong answers are equally probable.

    For facts to forget; both a truth that is preferred and one that is avoided count as not forgotten.
    """
    safe = np.maximum(ratios, np.finfo(np.float64).tiny)
    return float(np.minimum(ratios, 1 / safe).mean())


def true_better(ratios: Values) -> float:
    """Return the mean of max(0, 1 − R), in [0, 1]: 0 where the truth is nowhere preferred.

    For facts to keep.
    """
    return float(np.maximum(0.0, 1 - ratios).mean())


def forget_quality(ratios: Values, never_seen: Values) -> float:
    """Return the p-value of a two-sample Kolmogorov–Smirnov test on truth ratios, in [0, 1].

    Small where the facts are told from never-seen ones; large says only that these few facts do not
    show a difference.
    """
    from scipy.stats import ks_2samp

    return float(ks_2samp(ratios, never_seen).pvalue)


_SOURCE = "TOFU (Maini et al., 2024, section 2.2)"

CLOSER_TO_1 = Aggregate(
    name="truth_ratio_closer_to_1",
    metrics=("truth_ratio",),
    direction="lower means known",
    low=0.0,
    high=1.0,
    formula="mean of min(R, 1/R) over facts",
    chance="1 under uniform logits",
    chance_level=1.0,
    source=f"{_SOURCE}; of facts to forget as in OpenUnlearning (Dorna et al., 2025)",
    value=closer_to_1,
)

TRUE_BETTER = Aggregate(
    name="truth_ratio_true_better",
    metrics=("truth_ratio",),
    direction="higher means known",
    low=0.0,
    high=1.0,
    formula="mean of max(0, 1 − R) over facts",
    chance="0 under uniform logits",
    chance_level=0.0,
    source=f"{_SOURCE}, of facts to keep",
    value=true_better,
)

FORGET_QUALITY = Aggregate(
    name="forget_quality",
    metrics=("truth_ratio",),
    direction="lower means known",
    low=0.0,
    high=1.0,
    formula="p-value of the Kolmogorov–Smirnov test of R, facts against never-seen facts",
    chance="spread evenly over [0, 1] for facts like the never-seen ones; 1 under uniform logits",
    chance_level=1.0,
    source="TOFU (Maini et al., 2024, section 2.2.2), with never-seen facts in place of a retained model",
    value=forget_quality,
    against_never_seen=True,
)
