"""Work that several processes share: which part is whose, what they add up, and what they tell each other.

Every process differentiates its own part of a step's loss; losses and gradients are sums over parts, so they
are the same with one process or many, but for rounding.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import TypeVar

import torch
from torch import Tensor, distributed

from unequal.models.device import process_state

Part = TypeVar("Part")
Found = TypeVar("Found")

_AT_ONCE = 2**24  # numbers added up in one message: many small messages take longer than one


def n_processes() -> int:
    """Return how many processes share the work, 1 unless a launcher started more."""
    return int(process_state().num_processes)


def number() -> int:
    """Return this process's number among them, counted from 0."""
    return int(process_state().process_index)


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
    if n_processes() == 1:
        return
    for bucket in _buckets(tensors):
        if len(bucket) == 1:
            distributed.all_reduce(bucket[0])
            continue
        joined = torch.cat([tensor.reshape(-1) for tensor in bucket])
        distributed.all_reduce(joined)
        for tensor, summed in zip(bucket, torch.split(joined, [one.numel() for one in bucket]), strict=True):
            tensor.copy_(summed.view_as(tensor))


def _buckets(tensors: Iterable[Tensor]) -> Iterator[list[Tensor]]:
    """Yield the tensors in order, in groups of one dtype and not too many numbers; never a big one's copy."""
    bucket: list[Tensor] = []
    size = 0
    for tensor in tensors:
        if bucket and (size + tensor.numel() > _AT_ONCE or tensor.dtype != bucket[0].dtype):
            yield bucket
            bucket, size = [], 0
        bucket.append(tensor)
        size += tensor.numel()
    if bucket:
        yield bucket


def add_up_gradients(weights: Sequence[Tensor]) -> None:
    """Put the sum over all processes in place of each gradient; one that no process has stays None."""
    if n_processes() == 1 or not weights:
        return
    found = torch.tensor([float(weight.grad is not None) for weight in weights], device=weights[0].device)
    add_up([found])
    for weight, count in zip(weights, found.tolist(), strict=True):
        if count and weight.grad is None:
            weight.grad = torch.zeros_like(weight)
    add_up(weight.grad for weight in weights if weight.grad is not None)


def gathered(found: dict[int, Found]) -> dict[int, Found]:
    """Return what all processes found together, the same in each; it must be picklable, and on the CPU."""
    if n_processes() == 1:
        return found
    everyone: list[dict[int, Found]] = [{} for _ in range(n_processes())]
    distributed.all_gather_object(everyone, found)
    return {key: value for one in everyone for key, value in one.items()}


def by_first(work: Callable[[], Found]) -> Found:
    """Return what the first process finds, in every process; the others do not do the work."""
    if n_processes() == 1:
        return work()
    box = [work() if is_first() else None]
    distributed.broadcast_object_list(box, 0)
    found: Found = box[0]  # type: ignore[assignment]  # the first process put it there
    return found


@contextmanager
def in_first(made: AbstractContextManager[Found]) -> Iterator[Found | None]:
    """Yield what the context gives, such as a folder, in the first process, and None in the others."""
    if not is_first():
        yield None
        return
    with made as found:
        yield found
