"""Passes over a model, dealt out over processes that then all have what was found."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from transformers import PreTrainedModel

from unequal.models.fsdp import in_step
from unequal.models.heads import has_plain_head
from unequal.models.kv_cache import keeps_what_it_read
from unequal.models.processes import gathered, own

Part = TypeVar("Part")
Found = TypeVar("Found")


def dealt_out(
    model: PreTrainedModel, parts: Sequence[Part], work: Callable[[Part], dict[int, Found]]
) -> dict[int, Found]:
    """Return what ``work`` finds by index, over all parts, each of which one process has worked on.

    All processes must come here with the same parts, such as batches, without gradients, and have the same in
    the end. What is found must be picklable and on the CPU.
    """
    found: dict[int, Found] = {}
    for ask in (has_plain_head, keeps_what_it_read):  # now, by all processes at once
        ask(model)
    with in_step(model):
        for part in own(parts):
            found.update(work(part))
    return gathered(found)
