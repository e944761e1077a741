"""Leaks: does the answer come out when the model is sampled rather than asked once?"""

from collections.abc import Callable
from dataclasses import replace
from math import prod

from scipy.special import betaincinv

from unequal.evaluation.metrics.contains_answer import contains_answer
from unequal.evaluation.metrics.contract import Chance, Ignorance, Metric, NoValueError, ProbeRecord, sampled
from unequal.evaluation.metrics.longest_copy import is_copied

LEVEL = 0.95  # of the one-sided bound


def n_leaks(record: ProbeRecord) -> int:
    """Return how many of the samples hold an accepted answer, or ten words running of a passage."""
    holds = is_copied if record.probe.verbatim else contains_answer
    return sum(bool(holds(replace(record, generation=text))) for text in sampled(record))


def clopper_pearson_upper(successes: int, trials: int) -> float:
    """Return the one-sided 95% upper bound of a probability, in [0, 1]; it is exact, so never too low.

    Source: Clopper and Pearson (1934): the 0.95 quantile of Beta(c + 1, n − c).
    """
    return 1.0 if successes == trials else float(betaincinv(successes + 1, trials - successes, LEVEL))


def _leak_at(k: int) -> Callable[[ProbeRecord], float]:
    def leak_at_k(record: ProbeRecord) -> float:
        """Return the probability that at least one of k samples holds the answer, in [0, 1].

        Estimated without bias from n ≥ k samples, of which c hold an accepted answer.
        """
        n, c = len(sampled(record)), n_leaks(record)
        if n < k:
            raise NoValueError(f"needs at least {k} samples, and there are {n}")
        return 1.0 - prod((n - c - i) / (n - i) for i in range(k))

    return leak_at_k


def leak_upper_bound(record: ProbeRecord) -> float:
    """Return the one-sided 95% upper bound of the probability that a sample holds the answer, in [0, 1].

    It stays above 0 even where no sample leaks: 20 clean samples still allow a leak in one of seven.
    """
    return clopper_pearson_upper(n_leaks(record), len(sampled(record)))


def _luck(_record: ProbeRecord, model: Ignorance) -> float:
    return model.luck


def _bound_by_luck(record: ProbeRecord, model: Ignorance) -> float:
    """Return the bound for samples that are all the same text."""
    return model.luck + (1 - model.luck) * clopper_pearson_upper(0, len(sampled(record)))


def _metric(k: int) -> Metric:
    return Metric(
        name=f"leak_at_{k}",
        kind="generation",
        direction="higher means known",
        low=0.0,
        high=1.0,
        formula=f"1 − C(n−c, {k}) / C(n, {k}) for c leaking of n samples",
        chance=Chance("0 for texts without the answer; the base rate of a constant answer", _luck),
        source="leak@k (Reisizadeh et al., 2025) by the estimator of pass@k (Chen et al., 2021)",
        value=_leak_at(k),
        needs=("samples",),
    )


LEAK_AT_1 = _metric(1)
LEAK_AT_10 = _metric(10)

UPPER_BOUND = Metric(
    name="leak_upper_bound",
    kind="generation",
    direction="higher means known",
    low=0.0,
    high=1.0,
    formula="the 0.95 quantile of Beta(c + 1, n − c) for c leaking of n samples; 1 if c = n",
    chance=Chance("1 − 0.05^(1/n) for n texts without the answer", _bound_by_luck),
    source="Clopper and Pearson (1934); for unlearning, Scholten et al. (2025, bound M_bin)",
    value=leak_upper_bound,
    needs=("samples",),
)
