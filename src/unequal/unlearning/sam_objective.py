"""The objective of sharpness-aware methods: forget where forgetting is, nearby, about worst."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor
from torch.distributed.tensor import DTensor

from unequal.models.distributed import sum_gradients
from unequal.models.fsdp import local, norm
from unequal.models.precision import differentiate
from unequal.unlearning.method_kinds import SharpnessAwareMethod
from unequal.unlearning.micro_batches import Share
from unequal.unlearning.objective import Objective


class SharpnessObjective(Objective):
    """Retain and question terms at θ; the forget term at θ + ρ g/‖g‖, g being its gradient at θ."""

    def losses(self, step: int) -> Iterator[Tensor]:
        """Yield the other terms and then the forget term, for which the weights are moved while it is out.

        Each must be differentiated before the next is asked for, as the training loop does.
        """
        assert isinstance(self._method, SharpnessAwareMethod)  # noqa: S101  made for such methods only
        shares, weights = self._shares.at(step), self.trained
        if self._method.forget_weight:
            uphill = self._uphill(step, shares, weights)
        yield from filter(_differentiable, (self.loss(step, share, forget=False) for share in shares))
        if self._method.forget_weight:
            with moved(weights, uphill, self._method.radius):
                yield from filter(_differentiable, (self.loss(step, share, keep=False) for share in shares))

    def _uphill(self, step: int, shares: Sequence[Share], weights: Sequence[Tensor]) -> list[Tensor]:
        """Return the gradient of the whole step's forget term by each weight, and leave none behind."""
        for to_forget in (self.loss(step, share, keep=False) for share in shares):
            if to_forget.requires_grad:
                differentiate(to_forget)
        sum_gradients([weight for weight in weights if not isinstance(weight, DTensor)])
        uphill = [torch.zeros_like(weight) if weight.grad is None else weight.grad for weight in weights]
        for weight in weights:
            weight.grad = None
        return uphill


def _differentiable(loss: Tensor) -> bool:
    return loss.requires_grad


@contextmanager
def moved(weights: Sequence[Tensor], direction: Sequence[Tensor], distance: float) -> Iterator[None]:
    """Hold the weights that far along a direction; afterwards they are, bit for bit, what they were."""
    before = [weight.detach().clone() for weight in weights]
    scale = distance / norm(direction).clamp_min(1e-12)
    with torch.no_grad():
        for weight, part in zip(weights, direction, strict=True):
            local(weight).add_(local(part) * scale)
    try:
        yield
    finally:
        with torch.no_grad():
            for weight, old in zip(weights, before, strict=True):
                weight.copy_(old)
