"""Fact weights: how much each fact to forget counts in a run; facts that are done count 0."""

from collections.abc import Sequence

import torch
from torch import Tensor

from unequal.facts.schema import Fact
from unequal.unlearning.method import Scheduled
from unequal.unlearning.weighting import ActsOn


class FactWeights:
    """The facts of weight above 0 (``facts``), and their weights scaled to a mean of 1.

    They act on the loss; on how often a step draws a fact (``draws``, else None); or on a setting of the
    method, which they multiply (`factors`).
    """

    def __init__(self, forget: Sequence[Fact], weights: Sequence[float] | None, acts_on: ActsOn) -> None:
        given = [1.0] * len(forget) if weights is None else weights
        self._kept = [index for index, weight in enumerate(given) if weight > 0]
        self.facts = [forget[index] for index in self._kept]
        kept = torch.tensor([given[index] for index in self._kept], dtype=torch.float32)
        scaled = kept / kept.mean()
        self.draws: list[float] | None = scaled.tolist() if acts_on == "sampling" else None
        self._weights = scaled if acts_on == "loss" else torch.ones_like(scaled)
        self._factors: dict[Scheduled, Tensor] = {}
        if (acts_on == "beta" or acts_on == "margin") and kept.min() < kept.max():
            self._factors[acts_on] = scaled

    def of(self, indices: Sequence[int]) -> Tensor:
        """Return the weights of some of the facts, ``(indices,)``, 0 for those that are done."""
        return self._weights[indices]

    def factors(self, indices: Sequence[int]) -> dict[Scheduled, Tensor]:
        """Return by what a setting is multiplied for some of the facts, ``(indices,)``; nothing if by 1."""
        return {setting: factors[indices] for setting, factors in self._factors.items()}

    def exclude(self, done: Tensor) -> None:
        """Give weight 0 to the facts flagged in ``done``, ``(facts to forget,)``."""
        self._weights = self._weights.masked_fill(done[self._kept], 0.0)
