"""Distributed data parallelism: how several processes split work, sum gradients and share results.

Every process differentiates its own part of a step's loss; losses and gradients are sums over processes, so
they are the same with one process or many, but for rounding.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import TYPE_CHECKING, TypeVar

import torch
from torch import Tensor, distributed
from torch.distributed.distributed_c10d import Store, _get_default_store

from unequal import distributed_env
from unequal.models.device import process_state
from unequal.progress import report_part

if TYPE_CHECKING:
    from transformers import PreTrainedModel

Part = TypeVar("Part")
Found = TypeVar("Found")

_BUCKET = 2**24  # numbers summed in one message: many small messages take longer than one
_FAILED = "unequal/failed"


def n_processes() -> int:
    """Return the number of processes, 1 unless a launcher started more."""
    return int(process_state().num_processes)


def process_index() -> int:
    """Return this process's index, counted from 0."""
    return int(process_state().process_index)


def is_main_process() -> bool:
    """Return whether this is the process that writes files, so that the others do not."""
    return bool(process_state().is_main_process)


def wait_for_everyone() -> None:
    """Wait until every process has come here (a barrier)."""
    process_state().wait_for_everyone()


def own_share(parts: Sequence[Part]) -> Sequence[Part]:
    """Return every n-th part, beginning with this process's index."""
    return parts[process_index() :: n_processes()]


def run_distributed(
    model: "PreTrainedModel", parts: Sequence[Part], work: Callable[[Part], dict[int, Found]]
) -> dict[int, Found]:
    """Return the results of ``work`` by index over all parts, such as batches, split over the processes.

    All processes must call this with the same parts and without gradients, and all get the same results,
    which must be picklable and on the CPU.
    """
    from unequal.models.capabilities import capabilities_of
    from unequal.models.fsdp import any_number_of_passes

    capabilities_of(model).check_passes()  # now, by all processes at once
    found: dict[int, Found] = {}
    with any_number_of_passes(model):
        own = own_share(parts)
        for done, part in enumerate(own):
            report_part("batch", done, len(own))
            found.update(work(part))
    return gather_results(found)


def gather_results(found: dict[int, Found]) -> dict[int, Found]:
    """Return the results of all processes together; they must be picklable and on the CPU."""
    if n_processes() == 1:
        return found
    everyone: list[dict[int, Found]] = [{} for _ in range(n_processes())]
    distributed.all_gather_object(everyone, found)
    return {key: value for one in everyone for key, value in one.items()}


def broadcast_from_main(work: Callable[[], Found]) -> Found:
    """Return what ``work`` returns in the main process, which alone does it, in every process."""
    if n_processes() == 1:
        return work()
    box = [work() if is_main_process() else None]
    distributed.broadcast_object_list(box, 0)
    found: Found = box[0]  # type: ignore[assignment]  # the main process put it there
    return found


@contextmanager
def on_main_process(context: AbstractContextManager[Found]) -> Iterator[Found | None]:
    """Yield the value of the context, such as a folder, in the main process, and None in the others."""
    if not is_main_process():
        yield None
        return
    with context as found:
        yield found


def sum_over_processes(tensors: Iterable[Tensor]) -> None:
    """Replace each tensor by its sum over all processes, each of which must have the same tensors."""
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


def sum_gradients(parameters: Sequence[Tensor]) -> None:
    """Replace each gradient by its sum over all processes; one that no process has stays None."""
    if n_processes() == 1 or not parameters:
        return
    device = parameters[0].device
    found = torch.tensor([float(parameter.grad is not None) for parameter in parameters], device=device)
    sum_over_processes([found])
    for parameter, count in zip(parameters, found.tolist(), strict=True):
        if count and parameter.grad is None:
            parameter.grad = torch.zeros_like(parameter)
    sum_over_processes(parameter.grad for parameter in parameters if parameter.grad is not None)


def _buckets(tensors: Iterable[Tensor]) -> Iterator[list[Tensor]]:
    """Yield the tensors in order, in groups of one dtype and not too many numbers; never a big one's copy."""
    bucket: list[Tensor] = []
    size = 0
    for tensor in tensors:
        if bucket and (size + tensor.numel() > _BUCKET or tensor.dtype != bucket[0].dtype):
            yield bucket
            bucket, size = [], 0
        bucket.append(tensor)
        size += tensor.numel()
    if bucket:
        yield bucket


def is_first_to_fail() -> bool:
    """Record that this process fails, and return whether none did before, so that one message is printed."""
    store = _store()
    return distributed_env.is_main_process() if store is None else int(store.add(_FAILED, 1)) == 1


def another_failed() -> bool:
    """Return whether a process has recorded a failure, of which connection errors are but a result."""
    store = _store()
    return store is not None and int(store.add(_FAILED, 0)) > 0


def _store() -> Store | None:
    """Return the key-value store of all processes, None when they have not met or the launcher is gone."""
    if not distributed.is_initialized():
        return None
    with suppress(RuntimeError):
        store: Store = _get_default_store()
        store.add(_FAILED, 0)
        return store
    return None
