"""Fact weighting: how much each fact to forget counts, by exposure, confidence or at random.

The controls stand beside the rule they control: `shuffled_counts` gives the same weights to the wrong facts,
`random` gives weights that know nothing, `confidence` lets starting confidence stand in for the count.
"""

import math
from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from unequal.errors import DataError
from unequal.facts.schema import Fact
from unequal.seeds import random_stream
from unequal.strict import StrictModel
from unequal.unlearning.method import Method
from unequal.unlearning.methods import METHODS

WeightingKind = Literal["uniform", "count", "shuffled_counts", "confidence", "random"]
ActsOn = Literal["loss", "sampling", "beta", "margin"]


class Weighting(StrictModel):
    """A rule for the weights of facts, and what they act on.

    A fact's score is log2(1 + count) for ``count`` and ``shuffled_counts``, its starting answer probability
    for ``confidence``, a uniform draw for ``random``; its weight is (1 + score) to the power ``strength``,
    scaled to a mean of 1. A strength below 0 favours the rare.

    On ``beta`` or ``margin`` each fact has that setting of the method times its weight. There is no learning
    rate of each fact: within a step it would be a weight of the loss, which is here, and over the steps it is
    the run's schedule and warm-up.
    """

    by: WeightingKind = Field(default="uniform", description="rule for the weights of facts")
    strength: float = Field(default=1.0, description="power of the weights; below 0 rare facts weigh more")
    acts_on: ActsOn = Field(
        default="loss",
        description="what the weights scale: a fact's loss, how often a step draws it, or the method's β or"
        " margin for it",
    )

    @property
    def name(self) -> str:
        """The rule's name in tables, such as ``count``, ``count-sampling`` or ``count^-1``."""
        if self.by == "uniform":
            return self.by
        power = "" if self.strength == 1 else f"^{self.strength:g}"
        return f"{self.by}{power}" + ("" if self.acts_on == "loss" else f"-{self.acts_on}")

    @property
    def needs_confidence(self) -> bool:
        """Whether the starting answer probabilities must be known."""
        return self.by == "confidence"


def schedule_problem(method: Method, rule: Weighting) -> str | None:
    """Return why the weights cannot act on what they should in this method, None when they can."""
    if rule.by == "uniform" or rule.acts_on == "loss" or rule.acts_on == "sampling":
        return None
    field = method.scheduled.get(rule.acts_on)
    if field is None:
        having = [kind for kind in METHODS if rule.acts_on in METHODS.get(kind).scheduled]
        return (
            f"method {method.kind} has no {rule.acts_on} for weights to act on (methods that have one:"
            f" {', '.join(having)}); let them act on loss or sampling"
        )
    if not getattr(method, field):
        return f"weights act on {field} of method {method.kind}, which is 0 for every fact; set it above 0"
    return None


def fact_weights(
    rule: Weighting, facts: Sequence[Fact], seed: int, confidence: Sequence[float] | None = None
) -> list[float]:
    """Return the weight of each fact, with mean 1.

    ``confidence`` are the answer probabilities per token under the starting model, in [0, 1]. Raises
    `DataError` for a fact without exposure and count where they are needed.
    """
    if rule.by == "uniform":
        return [1.0] * len(facts)
    if rule.by == "confidence":
        if confidence is None:
            raise ValueError("weights by confidence need the starting probabilities")
        scores = list(confidence)
    elif rule.by == "random":
        scores = [random_stream(seed, "weight", fact.fact_id).random() for fact in facts]
    else:
        scores = [math.log2(1 + occurrences(fact)) for fact in facts]
        if rule.by == "shuffled_counts":
            scores = random_stream(seed, "shuffled counts").sample(scores, len(scores))
    weights = [(1 + score) ** rule.strength for score in scores]
    return [weight * len(weights) / sum(weights) for weight in weights]


def occurrences(fact: Fact) -> int:
    """Return how often the fact stood in training: its exposure where that is known, else its count."""
    known = fact.exposure if fact.exposure is not None else fact.count
    if known is None:
        raise DataError(
            f"fact '{fact.fact_id}' has neither exposure nor count, by which it would be weighted;"
            " add a column count (unequal count, unequal facts bucket) or weight by something else"
        )
    return known
