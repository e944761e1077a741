"""Memorisation: how much of the answer greedy decoding gives, token by token and from how early on."""

import numpy as np
import numpy.typing as npt

from unequal.evaluation.metrics.chance import n_tokens, one_token
from unequal.evaluation.metrics.contract import Chance, Ignorance, Metric, ProbeRecord, mean_log_prob, scored


def exact_memorisation(record: ProbeRecord) -> float:
    """Return the share of the answer's tokens that are the most probable one, given those before, in [0, 1].

    A token that ties with k−1 others at the top counts 1/k.
    """
    return float(_matches(record).mean())


def extraction_strength(record: ProbeRecord) -> float:
    """Return 1 − k*/n, in [0, 1]: after k* of the answer's n tokens greedy decoding gives the rest.

    k* may be n, so that a model that misses the last token scores 0. A token that ties with k−1 others
    at the top counts as a match with probability 1/k.
    """
    return float(np.cumprod(_matches(record)[::-1]).mean())


def _matches(record: ProbeRecord) -> npt.NDArray[np.float64]:
    """Return for each token of the answer the probability that greedy decoding chooses it."""
    right = scored(record).right
    mean_log_prob(right)  # raises where a probability is not a number
    matches: npt.NDArray[np.float64] = np.where(right.ranks == 0, 1.0 / (1 + right.ties), 0.0)
    return matches


def _strength_of_luck(record: ProbeRecord, model: Ignorance) -> float:
    n = n_tokens(record)
    return float(sum(model.vocabulary**-length for length in range(1, n + 1))) / n


EXACT_MEMORISATION = Metric(
    name="exact_memorisation",
    kind="probability",
    direction="higher means known",
    low=0.0,
    high=1.0,
    formula="(1/n) Σ_i [argmax p(· | y_<i) = y_i]",
    chance=Chance("1 / vocabulary under uniform logits", one_token),
    source="memorisation score (Tirumala et al., 2022, section 3)",
    value=exact_memorisation,
    needs=("scores",),
)

EXTRACTION_STRENGTH = Metric(
    name="extraction_strength",
    kind="probability",
    direction="higher means known",
    low=0.0,
    high=1.0,
    formula="1 − k*/n, k* = min {k ≤ n : argmax p(· | y_<i) = y_i for all i > k}",
    chance=Chance("(1/n) Σ_j vocabulary^−j over j = 1 … n under uniform logits", _strength_of_luck),
    source="Wang et al. (2025), after the extraction of Carlini et al. (2021), with k* = n allowed",
    value=extraction_strength,
    needs=("scores",),
)
