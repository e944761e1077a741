"""Learning-rate range test: the rate of a run from one short trial whose rate rises at every step.

Smith (2017), arXiv 1506.01186. AdamW moves a parameter by about its rate at a step, whatever the size of
the gradient, so what a run does depends above all on the sum of its rates. The trial finds the sum at which
the facts are forgotten or the utility budget is spent, in about eight steps; a run divides it among its own.
"""

import math
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import accumulate
from typing import NamedTuple, TypeVar

from transformers import PreTrainedModel

from unequal.errors import DivergedError
from unequal.facts.schema import Fact
from unequal.models.scratch_copy import copy_of
from unequal.progress import Progress, no_progress
from unequal.seeds import random_stream
from unequal.unlearning.examples import Example, answer_probabilities
from unequal.unlearning.run import Run
from unequal.unlearning.search import Look
from unequal.unlearning.stopping import Stopping
from unequal.unlearning.unlearn import unlearn

LOWEST, FACTOR, STEPS = 3e-7, 2.0, 16
"""The first rate, the factor from step to step, and the most steps: up to a rate of 1e-2."""
FORGOTTEN = 0.1
"""Share of its starting probability at which an answer counts as forgotten here."""
N_FACTS = 16
"""Facts of a role that the trial uses at most."""
FIRST_STEPS, HALVINGS = 2, 6
"""Steps at the whole rate that must not spend the budget, and how often the rate is halved at most."""
_Item = TypeVar("_Item")


class RateRange(NamedTuple):
    """A range test: the mean answer probabilities after each step, and the sum of rates a run may spend."""

    looks: tuple[Look, ...]
    total: float

    def rate(self, steps: int) -> float:
        """Return the learning rate of a run of so many steps."""
        return self.total / steps


def find_rate(run: Run, utility: Sequence[Fact], budget: float, progress: Progress = no_progress) -> float:
    """Return the learning rate of a run by a range test, checked on its first steps.

    A run begins with the whole rate, where the range test came to it slowly; so the rate is halved while two
    steps of it alone spend the budget.
    """
    rate = range_test(run, utility, budget, progress).rate(run.settings.steps)
    for _ in range(HALVINGS):
        looks = _trial(run, utility, [rate] * FIRST_STEPS, lambda looks: _is_spent(looks, budget))
        if not _is_spent(looks, budget):
            break
        rate /= 2
    return rate


def range_test(
    run: Run, utility: Sequence[Fact], budget: float, progress: Progress = no_progress
) -> RateRange:
    """Return the range test of a run's method, on a copy of its model, which stays as it is.

    It ends when the ``utility`` answers have lost the share ``budget`` of their probability, when the
    answers to forget have lost nine tenths of theirs, or when the loss is not a number.
    """
    rates = [LOWEST * FACTOR**step for step in range(STEPS)]

    def is_over(looks: Sequence[Look]) -> bool:
        return _is_spent(looks, budget) or looks[-1].forget <= FORGOTTEN * looks[0].forget

    looks = _trial(run, utility, rates, is_over, progress)
    return RateRange(tuple(looks), _total(rates, looks[-1].step))


def _trial(
    run: Run,
    utility: Sequence[Fact],
    rates: Sequence[float],
    is_over: Callable[[Sequence[Look]], bool],
    progress: Progress = no_progress,
) -> list[Look]:
    """Return the looks of a trial on some facts with these rates, one a step, up to where it is over."""
    forget, retain, untouched = (_some(facts, run.seed) for facts in (run.forget, run.retain, utility))
    n_steps = len(rates)
    settings = run.settings.model_copy(
        update={"steps": n_steps, "evaluate_at": tuple(range(n_steps + 1)), "stopping": Stopping()}
    )
    examples = [run.encoder.own_answers(facts) for facts in (forget, untouched)]
    looks: list[Look] = []

    def mean(model: PreTrainedModel, asked: Sequence[Example]) -> float:
        return answer_probabilities(model, asked, run.encoder.padding).mean().item() if asked else 1.0

    def look(model: PreTrainedModel, step: int, _last: bool) -> None:
        looks.append(Look(step, *(mean(model, asked) for asked in examples)))
        progress(step, n_steps)
        if step > 0 and is_over(looks):
            raise _OverError

    with copy_of(run.model) as model:
        trial = replace(
            run, model=model, forget=forget, retain=retain, settings=settings, evaluate=look,
            rate_at=rates.__getitem__,
        )  # fmt: skip
        with suppress(_OverError, DivergedError):
            unlearn(trial)
    progress(n_steps, n_steps)
    return looks


class _OverError(Exception):
    """Ends a trial that has shown what it can."""


def _some(facts: Sequence[_Item], seed: int) -> list[_Item]:
    return random_stream(seed, "rates").sample(list(facts), min(N_FACTS, len(facts)))


def _is_spent(looks: Sequence[Look], budget: float) -> bool:
    return looks[-1].utility < (1 - budget) * looks[0].utility


def _total(rates: Sequence[float], last: int) -> float:
    """Return the sum of rates at which a trial was over: between those before and after its last step."""
    sums = [rates[0] / FACTOR, *accumulate(rates)]
    return math.sqrt(sums[max(last - 1, 0)] * sums[last])
