"""The answer's first token: how probable it is, and how many tokens are more probable."""

from collections.abc import Callable
from math import exp

from unequal.evaluation.metrics.chance import one_token
from unequal.evaluation.metrics.contract import Chance, Ignorance, Metric, ProbeRecord, number, scored


def first_token_prob(record: ProbeRecord) -> float:
    """Return the probability of the answer's first token, in [0, 1]."""
    return exp(_first_log_prob(record))


def first_token_rank(record: ProbeRecord) -> float:
    """Return how many tokens are more probable than the answer's first one, from 0; ties count half.

    Low ranks with a wrong greedy answer are knowledge that hides. Under uniform logits every token ties
    with all others, so the rank is in the middle and not 0.
    """
    above, ties = _above_and_ties(record)
    return above + ties / 2


def _hits_at(k: int) -> Callable[[ProbeRecord], float]:
    def hits_at_k(record: ProbeRecord) -> float:
        """Return 1 if the answer's first token is among the k most probable, else 0.

        Where it ties with others it is the chance that a random order of these puts it there.
        """
        above, ties = _above_and_ties(record)
        return min(1.0, max(0.0, (k - above) / (1 + ties)))

    return hits_at_k


def _first_log_prob(record: ProbeRecord) -> float:
    return number(float(scored(record).right.log_probs[0]))


def _above_and_ties(record: ProbeRecord) -> tuple[int, int]:
    """Return how many tokens are more probable than the first one, and how many others as probable."""
    _first_log_prob(record)  # nothing is more or less probable than what is not a number
    right = scored(record).right
    return int(right.ranks[0]), int(right.ties[0])


def _hits_metric(k: int) -> Metric:
    def level(_record: ProbeRecord, model: Ignorance) -> float:
        return min(1.0, k / model.vocabulary)

    return Metric(
        name=f"hits_at_{k}",
        kind="probability",
        direction="higher means known",
        low=0.0,
        high=1.0,
        formula=f"clip(({k} − r) / (1 + t), 0, 1) for r tokens above and t others level",
        chance=Chance(f"{k} / vocabulary under uniform logits", level),
        source="hits@k of knowledge probing (Petroni et al., 2019, section 4.4), on the first token",
        value=_hits_at(k),
        needs=("scores",),
    )


PROB = Metric(
    name="first_token_prob",
    kind="probability",
    direction="higher means known",
    low=0.0,
    high=1.0,
    formula="p(y₁)",
    chance=Chance("1 / vocabulary under uniform logits", one_token),
    source="ours: the first factor of the answer's probability",
    value=first_token_prob,
    needs=("scores",),
)

RANK = Metric(
    name="first_token_rank",
    kind="probability",
    direction="lower means known",
    low=0.0,
    high=float("inf"),
    formula="r + t/2 for r tokens above the answer's first one and t others level with it",
    chance=Chance(
        "(vocabulary − 1) / 2 under uniform logits", lambda _record, model: (model.vocabulary - 1) / 2
    ),
    source="rank of knowledge probing (Petroni et al., 2019, section 4.4), from 0, on the first token",
    value=first_token_rank,
    needs=("scores",),
)

HITS_AT_1, HITS_AT_10, HITS_AT_100 = _hits_metric(1), _hits_metric(10), _hits_metric(100)
