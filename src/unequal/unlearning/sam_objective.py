"""Sharpness-aware minimisation (SAM): the forget gradient is taken at the worst point near by."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor

from unequal.models.distributed import sum_gradients
from unequal.models.fsdp import local, norm, replicated
from unequal.models.precision import differentiate
from unequal.unlearning.answer_objective import AnswerObjective
from unequal.unlearning.method_kinds import SharpnessAwareMethod
from unequal.unlearning.micro_batches import MicroBatch


class SharpnessAwareObjective(AnswerObjective):
    """Retain and question terms at θ; the forget term at θ + ρ g/‖g‖, g being its gradient at θ."""

    def losses(self, step: int) -> Iterator[Tensor]:
        """Yield the other terms and then the forget term, during which the parameters are moved.

        Each must be differentiated before the next is asked for, as the training loop does.
        """
        assert isinstance(self._method, SharpnessAwareMethod)  # noqa: S101  made for such methods only
        batches, parameters = self._micro_batches.at(step), self.trained
        if self._method.forget_weight:
            uphill = self._uphill(step, batches, parameters)
        yield from filter(_differentiable, (self.loss(step, batch, forget=False) for batch in batches))
        if self._method.forget_weight:
            with moved(parameters, uphill, self._method.radius):
                yield from filter(_differentiable, (self.loss(step, batch, keep=False) for batch in batches))

    def _uphill(self, step: int, batches: Sequence[MicroBatch], parameters: Sequence[Tensor]) -> list[Tensor]:
        """Return the gradient of the whole step's forget term by each parameter, and leave none behind."""
        for forget_loss in (self.loss(step, batch, keep=False) for batch in batches):
            if forget_loss.requires_grad:
                differentiate(forget_loss)
        sum_gradients(replicated(parameters))
        uphill = [torch.zeros_like(one) if one.grad is None else one.grad for one in parameters]
        for one in parameters:
            one.grad = None
        return uphill


def _differentiable(loss: Tensor) -> bool:
    return loss.requires_grad


@contextmanager
def moved(parameters: Sequence[Tensor], direction: Sequence[Tensor], distance: float) -> Iterator[None]:
    """Hold the parameters that far along a direction; afterwards they are, bit for bit, what they were."""
    before = [parameter.detach().clone() for parameter in parameters]
    scale = distance / norm(direction).clamp_min(1e-12)
    with torch.no_grad():
        for parameter, part in zip(parameters, direction, strict=True):
            local(parameter).add_(local(part) * scale)
    try:
        yield
    finally:
        with torch.no_grad():
            for parameter, old in zip(parameters, before, strict=True):
                parameter.copy_(old)
