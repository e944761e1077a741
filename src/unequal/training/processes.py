"""Work that several processes share: which part is whose, and what they add up.

Every process holds the same weights and differentiates its own part of a step's loss; losses and gradients
are sums over parts, so they are the same with one process or many, but for rounding.
"""

from collections.abc import Iterable, Sequence
from typing import TypeVar

import torch
from torch import Tensor, distributed

from unequal.models.device import process_state

Part = TypeVar("Part")


def n_processes() -> int:
    """Return how many processes share the work, 1 unless a launcher started more."""
    return int(process_state().num_processes)


def is_first() -> bool:
    """Return whether this is the process that writes, so that the others do not."""
    return bool(process_state().is_main_process)


def wait_for_all() -> None:
    """Return once every process has come here."""
    process_state().wait_for_everyone()


def own(parts: Sequence[Part]) -> Sequence[Part]:
    """Return every n-th part, beginning with this process's number."""
    state = process_state()
    return parts[state.process_index :: state.num_processes]


def add_up(tensors: Iterable[Tensor]) -> None:
    """Put the sum over all processes in place of each tensor; the same tensors must be there in each."""
    if n_processes() > 1:
        for tensor in tensors:
            distributed.all_reduce(tensor)


def add_up_gradients(weights: Sequence[Tensor]) -> None:
    """Put the sum over all processes in place of each gradient; one that no process has stays None."""
    if n_processes() == 1:
        return
    found = torch.tensor([float(weight.grad is not None) for weight in weights], device=weights[0].device)
    add_up([found])
    for weight, count in zip(weights, found.tolist(), strict=True):
        if count and weight.grad is None:
            weight.grad = torch.zeros_like(weight)
    add_up(weight.grad for weight in weights if weight.grad is not None)
