"""A model whose weights, gradients and optimiser states are spread over processes (FSDP 2).

``accelerate launch --use_fsdp`` asks for it. Each layer's weights are gathered when it runs and given back
after, so that no process holds the whole model; what stands in no layer (embeddings, last norm, head) is
gathered for as long as a pass takes. All processes must make the same number of passes in the same order.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from types import MethodType
from typing import Any, TypeVar

import torch
from accelerate.utils import FullyShardedDataParallelPlugin, parse_flag_from_env
from torch import Tensor, distributed, nn
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.fsdp import CPUOffloadPolicy, FSDPModule, fully_shard, register_fsdp_forward_method
from torch.distributed.tensor import DTensor, distribute_tensor
from transformers import AutoModelForCausalLM, PreTrainedModel

from unequal.errors import ConfigError
from unequal.models.device import process_state
from unequal.models.distributed import is_main_process, n_processes
from unequal.models.layers import decoder_layers

Found = TypeVar("Found")

_WHOLE = "_run_whole"
_IN_STEP: ContextVar[bool] = ContextVar("processes meet before each pass", default=False)


def sharding_is_asked() -> bool:
    """Return whether the launcher asked for sharded models and there are processes to shard over."""
    return parse_flag_from_env("ACCELERATE_USE_FSDP") and n_processes() > 1


def is_sharded(model: nn.Module) -> bool:
    """Return whether the model's weights are spread over processes."""
    return isinstance(model, FSDPModule)


def skeleton(config: Any, dtype: torch.dtype = torch.float32) -> PreTrainedModel:
    """Return a model without values, on the device ``meta``."""
    with torch.device("meta"):
        model: PreTrainedModel = AutoModelForCausalLM.from_config(config, dtype=dtype)
    return model


def shard(model: PreTrainedModel) -> None:
    """Spread the weights of the first process's model over all processes, in place.

    In the others it may be a `skeleton`. Raises `ConfigError` for launch options that are not supported.
    """
    reshard = _reshard_after_forward()
    weights = dict(model.state_dict()) if is_main_process() else {}
    buffers = dict(model.named_buffers()) if is_main_process() else {}
    model.to("meta").tie_weights()
    mesh = init_device_mesh(process_state().device.type, (n_processes(),))
    for part in (*decoder_layers(model), model):
        fully_shard(part, mesh=mesh, reshard_after_forward=reshard)
        part.set_gradient_divide_factor(1.0)  # gradients are sums over processes, here as everywhere
        part.set_force_sum_reduction_for_comms(True)  # gloo knows no other that is scaled
    empty = {name: value for name, value in model.state_dict().items() if isinstance(value, DTensor)}
    spread = {name: _from_first(weights.get(name), value, mesh) for name, value in empty.items()}
    model.load_state_dict(spread, strict=False, assign=True)
    model.tie_weights()
    for name, value in list(model.named_buffers()):
        parent, _, last = name.rpartition(".")
        model.get_submodule(parent)._buffers[last] = _sent_by_first(buffers.get(name), value)
    setattr(model, _WHOLE, MethodType(lambda _, work: work(), model))
    register_fsdp_forward_method(model, _WHOLE)


def _from_first(value: Tensor | None, empty: DTensor, mesh: DeviceMesh) -> Tensor:
    """Return this process's part of a weight that the first process has."""
    device = process_state().device
    full = torch.empty(empty.shape, dtype=empty.dtype, device=device) if value is None else value.to(device)
    return distribute_tensor(full, mesh, empty.placements)


def _sent_by_first(value: Tensor | None, empty: Tensor) -> Tensor:
    device = process_state().device
    here = torch.empty_like(empty, device=device) if value is None else value.to(device).clone()
    distributed.broadcast(here, 0)
    return here


def _reshard_after_forward() -> bool:
    """Return whether layers give their weights back after the forward pass already, as the launcher says."""
    plugin = FullyShardedDataParallelPlugin()
    refused = {
        "FSDP 1 (say --fsdp_version 2)": plugin.fsdp_version != 2,
        "--fsdp_offload_params": isinstance(plugin.cpu_offload, CPUOffloadPolicy),
        "--fsdp_activation_checkpointing (set gradient_checkpointing)": plugin.activation_checkpointing,
    }
    for option, is_set in refused.items():
        if is_set:
            raise ConfigError(f"sharded models do not go with {option}; change the options of the launcher")
    return bool(plugin.reshard_after_forward)


def whole(model: PreTrainedModel, work: Callable[[], Found]) -> Found:
    """Return what ``work`` does with the model, as one forward pass of it.

    Of a sharded model, weights outside of layers are at hand only in here; so it stands around all code that
    calls a model or its parts. Where gradients are wanted what comes back must be tensors.
    """
    if not is_sharded(model):
        return work()
    if _IN_STEP.get():
        _meet(model, has_work=True)
    found: Found = getattr(model, _WHOLE)(work)
    if not torch.is_grad_enabled():  # else the backward pass does it
        for module in model.modules():
            if isinstance(module, FSDPModule):
                module.reshard()
    return found


def without_gradients(model: PreTrainedModel) -> AbstractContextManager[Any]:
    """Return the cheapest context in which a model may be run without gradients."""
    return torch.no_grad() if is_sharded(model) else torch.inference_mode()


@contextmanager
def in_step(model: PreTrainedModel) -> Iterator[None]:
    """Let each process run a sharded model as often as it likes in the block, without gradients.

    Before each pass all processes meet; one that is through makes idle passes until all are.
    """
    if not is_sharded(model):
        yield
        return
    token = _IN_STEP.set(True)
    try:
        yield
    finally:
        _IN_STEP.reset(token)
    nothing = torch.zeros((1, 1), dtype=torch.long, device=model.device)
    with torch.no_grad():
        while _meet(model, has_work=False):
            whole(model, lambda: model(input_ids=nothing, use_cache=False))


def _meet(model: PreTrainedModel, has_work: bool) -> bool:
    """Return whether any process has a pass to make."""
    flag = torch.tensor([int(has_work)], device=model.device)
    distributed.all_reduce(flag)
    return bool(flag.item())


def local(tensor: Tensor) -> Tensor:
    """Return the part of a tensor that this process holds, which is all of it unless it is sharded."""
    part: Tensor = tensor.to_local() if isinstance(tensor, DTensor) else tensor
    return part


def everywhere(tensor: Tensor) -> Tensor:
    """Return the whole of a tensor in every process; all must ask for it."""
    found: Tensor = tensor.full_tensor() if isinstance(tensor, DTensor) else tensor
    return found


def full(tensor: Tensor) -> Tensor:
    """Return the whole of a tensor, on the CPU in the first process if it is sharded; all must ask for it."""
    if not isinstance(tensor, DTensor):
        return tensor
    found = everywhere(tensor)
    return found.cpu() if is_main_process() else found[:0]


def parted(tensor: Tensor, like: Tensor) -> Tensor:
    """Return a tensor that every process has as a whole, spread as another is."""
    if not isinstance(like, DTensor) or tensor.shape != like.shape:
        return tensor
    tensor = tensor.detach().to(like.device, like.dtype)
    return distribute_tensor(tensor, like.device_mesh, like.placements, src_data_rank=None)


def norm(tensors: Iterable[Tensor]) -> Tensor:
    """Return the Euclidean norm of all tensors together, over all processes."""
    parts = list(tensors)
    lengths: Tensor = torch.stack([torch.linalg.vector_norm(local(part)) for part in parts])
    if not any(isinstance(part, DTensor) for part in parts):
        length: Tensor = torch.linalg.vector_norm(lengths)
        return length
    total = lengths.square().sum()
    distributed.all_reduce(total)
    return total.sqrt()


def gathered_state(model: PreTrainedModel) -> Mapping[str, Tensor]:
    """Return all weights and kept buffers by name, whole in the first process; all must ask for them."""
    return {name: full(value) for name, value in model.state_dict().items()}
