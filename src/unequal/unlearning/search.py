"""Learning-rate search: successive halving for the best forgetting within a utility budget.

Every rate gets a share of the steps; the better third goes on with three times as many, and so on, until the
best few have had them all (Jamieson and Talwalkar 2016, arXiv 1502.07943). Stock rates destroy some models
and leave others as they were, so methods are compared fairly only after the same number of trials each.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field, model_validator

from unequal.strict import MOST, StrictModel

Rate = Annotated[float, Field(gt=0.0, allow_inf_nan=False)]


class SearchSettings(StrictModel):
    """Which rates are tried, and what a run may cost."""

    lowest: Rate = Field(default=1e-5, description="lowest learning rate to try")
    highest: Rate = Field(default=1e-1, description="highest learning rate to try")
    n_rates: int = Field(
        default=9, ge=2, le=MOST, description="learning rates to try, spaced evenly in the logarithm"
    )
    keep: float = Field(
        default=1 / 3, gt=0.0, lt=1.0, description="share of the learning rates that each round keeps"
    )
    utility_drop: float = Field(
        default=0.1,
        ge=0.0,
        le=1.0,
        description="utility budget: share of the probability of the answers in --utility that may be lost",
    )

    @model_validator(mode="after")
    def _rises(self) -> "SearchSettings":
        if self.highest <= self.lowest:
            raise ValueError(f"highest must be above lowest ({self.lowest:g}), not {self.highest:g}")
        return self

    def rates(self) -> list[float]:
        """Return the rates, rising."""
        ratio = math.log(self.highest / self.lowest) / (self.n_rates - 1)
        return [self.lowest * math.exp(ratio * index) for index in range(self.n_rates)]

    def rungs(self, steps: int) -> list[tuple[int, int]]:
        """Return how many rates each rung tries and with how many steps, the last with all of them."""
        counts = [self.n_rates]
        while counts[-1] > 1 and math.floor(counts[-1] * self.keep) >= 1:
            counts.append(math.floor(counts[-1] * self.keep))
        shares = [self.keep ** (len(counts) - 1 - index) for index in range(len(counts))]
        return [(count, max(1, round(steps * share))) for count, share in zip(counts, shares, strict=True)]


@dataclass(frozen=True)
class Look:
    """Mean answer probabilities per token at a step: of what to forget, and of untouched facts."""

    step: int
    forget: float
    utility: float


@dataclass(frozen=True)
class Trial:
    """One run of a method with one rate: its looks, the first at step 0.

    It ``diverged`` when a loss was not a number.
    """

    rate: float
    steps: int
    looks: Annotated[tuple[Look, ...], Field(min_length=1)]
    diverged: bool = False
    method: str = ""

    def best(self, utility_drop: float) -> Look:
        """Return the look with the most forgetting among those within the budget; step 0 always is."""
        start = self.looks[0]
        within = [look for look in self.looks if look.utility >= (1 - utility_drop) * start.utility]
        return min([start, *within], key=lambda look: (look.forget, look.step))

    def forgetting(self, utility_drop: float) -> float:
        """Return the share of the starting answer probability that is gone within the budget, at most 1."""
        start = self.looks[0].forget
        return 1 - self.best(utility_drop).forget / start if start > 0 else 0.0

    def kept(self, utility_drop: float) -> float:
        """Return the share of the starting utility that is left where most is forgotten within the budget."""
        start = self.looks[0].utility
        return self.best(utility_drop).utility / start if start > 0 else 1.0


def search(
    settings: SearchSettings, steps: int, run: Callable[[float, int], Trial]
) -> Iterator[tuple[int, Trial]]:
    """Yield every trial with the number of its rung; ``run(rate, steps)`` makes one.

    Ties go to the lower rate.
    """
    rates: Sequence[float] = settings.rates()
    for rung, (count, n_steps) in enumerate(settings.rungs(steps)):
        trials = []
        for rate in rates[:count]:
            trials.append(run(rate, n_steps))
            yield rung, trials[-1]
        trials.sort(key=lambda trial: (-trial.forgetting(settings.utility_drop), trial.rate))
        rates = [trial.rate for trial in trials]


def chosen_trial(trials: Sequence[tuple[int, Trial]], utility_drop: float) -> Trial:
    """Return the trial of the last rung that forgets most within the budget; ties go to the lower rate."""
    last = max(rung for rung, _ in trials)
    in_last = [trial for rung, trial in trials if rung == last]
    return min(in_last, key=lambda trial: (-trial.forgetting(utility_drop), trial.rate))
