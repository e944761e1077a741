"""Fully sharded data parallelism (FSDP 2): parameters, gradients and optimiser states spread over processes.

``accelerate launch --use_fsdp`` requests it. Each layer's parameters are gathered while it runs, so that no
process holds the whole model; embeddings, the last norm and the head are gathered for a whole forward pass.
All processes must make the same number of passes in the same order.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from pathlib import Path
from types import MethodType
from typing import Any, TypeVar

import torch
from accelerate.utils import FullyShardedDataParallelPlugin, parse_flag_from_env
from safetensors import safe_open
from torch import Tensor, distributed, nn
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_model_state_dict,
    set_model_state_dict,
)
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import CPUOffloadPolicy, FSDPModule, fully_shard, register_fsdp_forward_method
from torch.distributed.tensor import DTensor, distribute_tensor
from transformers import AutoModelForCausalLM, PreTrainedModel

from unequal.errors import ConfigError
from unequal.models.device import process_state
from unequal.models.layers import decoder_layers

Found = TypeVar("Found")

_FORWARD = "_run_forward"
_IN_STEP: ContextVar[bool] = ContextVar("processes meet before each pass", default=False)


def sharding_is_requested() -> bool:
    """Return whether the launcher requested sharded models and there are processes to shard over."""
    return bool(parse_flag_from_env("ACCELERATE_USE_FSDP") and process_state().num_processes > 1)


def is_sharded(model: nn.Module) -> bool:
    """Return whether the model's parameters are sharded over processes."""
    return isinstance(model, FSDPModule)


def empty_model(config: Any, dtype: torch.dtype = torch.float32) -> PreTrainedModel:
    """Return a model without values, on the device ``meta``."""
    with torch.device("meta"):
        model: PreTrainedModel = AutoModelForCausalLM.from_config(config, dtype=dtype)
    return model


def shard(model: PreTrainedModel) -> None:
    """Shard the main process's model over all processes, in place.

    In the others it may be an `empty_model`. Raises `ConfigError` for unsupported launch options.
    """
    reshard, is_main = _reshard_after_forward(), process_state().is_main_process
    parameters = dict(model.state_dict()) if is_main else {}
    buffers = dict(model.named_buffers()) if is_main else {}
    model.to("meta").tie_weights()
    mesh = init_device_mesh(process_state().device.type, (process_state().num_processes,))
    for part in (*decoder_layers(model), model):
        fully_shard(part, mesh=mesh, reshard_after_forward=reshard)
        part.set_gradient_divide_factor(1.0)  # gradients are sums over processes, here as everywhere
        part.set_force_sum_reduction_for_comms(True)  # gloo knows no other that is scaled
    set_model_state_dict(
        model, parameters, options=StateDictOptions(full_state_dict=True, broadcast_from_rank0=True)
    )
    model.tie_weights()
    for name, value in list(model.named_buffers()):  # those that no state dict has too
        parent, _, last = name.rpartition(".")
        model.get_submodule(parent)._buffers[last] = _broadcast(buffers.get(name), value)
    setattr(model, _FORWARD, MethodType(lambda _, work: work(), model))
    register_fsdp_forward_method(model, _FORWARD)


def _broadcast(value: Tensor | None, empty: Tensor) -> Tensor:
    device = process_state().device
    here = torch.empty_like(empty, device=device) if value is None else value.to(device).clone()
    distributed.broadcast(here, 0)
    return here


def _reshard_after_forward() -> bool:
    """Return whether layers free their gathered parameters after the forward pass, as the launcher says."""
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


def run_forward(model: PreTrainedModel, work: Callable[[], Found]) -> Found:
    """Return what ``work`` returns, run as one forward pass of the model.

    Parameters of a sharded model outside its layers are gathered in here alone, so this stands around all
    code that calls a model or its parts. Where gradients are computed, ``work`` must return tensors.
    """
    if not is_sharded(model):
        return work()
    if _IN_STEP.get():
        _meet(model, has_work=True)
    found: Found = getattr(model, _FORWARD)(work)
    if not torch.is_grad_enabled():  # else the backward pass does it
        for module in model.modules():
            if isinstance(module, FSDPModule):
                module.reshard()
    return found


def without_gradients(model: PreTrainedModel) -> AbstractContextManager[Any]:
    """Return the cheapest context for forward passes without gradients."""
    return torch.no_grad() if is_sharded(model) else torch.inference_mode()


@contextmanager
def any_number_of_passes(model: PreTrainedModel) -> Iterator[None]:
    """Let each process run a sharded model as often as it likes in the block, without gradients.

    All processes meet before each pass; one that has finished makes idle passes until all have.
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
            run_forward(model, lambda: model(input_ids=nothing, use_cache=False))


def _meet(model: PreTrainedModel, has_work: bool) -> bool:
    """Return whether any process has a pass to make."""
    flag = torch.tensor([int(has_work)], device=model.device)
    distributed.all_reduce(flag)
    return bool(flag.item())


def replicated(parameters: Iterable[Tensor]) -> list[Tensor]:
    """Return the parameters that are not sharded, so that their gradients are not summed in the backward."""
    return [parameter for parameter in parameters if not isinstance(parameter, DTensor)]


def local(tensor: Tensor) -> Tensor:
    """Return the shard of a tensor in this process, which is all of it unless it is sharded."""
    part: Tensor = tensor.to_local() if isinstance(tensor, DTensor) else tensor
    return part


def full_tensor(tensor: Tensor) -> Tensor:
    """Return the whole of a tensor in every process; all must call this."""
    found: Tensor = tensor.full_tensor() if isinstance(tensor, DTensor) else tensor
    return found


def full_on_main(tensor: Tensor) -> Tensor:
    """Return the whole of a tensor, if sharded on the CPU and in the main process; all must call this."""
    if not isinstance(tensor, DTensor):
        return tensor
    found = full_tensor(tensor)
    return found.cpu() if process_state().is_main_process else found[:0]


def sharded_like(tensor: Tensor, like: Tensor) -> Tensor:
    """Return a tensor that every process has as a whole, sharded as another is."""
    if not isinstance(like, DTensor) or tensor.shape != like.shape:
        return tensor
    tensor = tensor.detach().to(like.device, like.dtype)
    return distribute_tensor(tensor, like.device_mesh, like.placements, src_data_rank=None)


def norm(tensors: Sequence[Tensor]) -> Tensor:
    """Return the Euclidean norm of all tensors together, over all processes."""
    return full_tensor(nn.utils.get_total_norm(tensors))


def unsharded(model: PreTrainedModel) -> PreTrainedModel:
    """Return the model, of a sharded one a whole copy on the CPU in the main process; all must call this."""
    if not is_sharded(model):
        return model
    state = get_model_state_dict(model, options=StateDictOptions(full_state_dict=True, cpu_offload=True))
    whole = empty_model(model.config, model.dtype)
    if process_state().is_main_process:
        whole.load_state_dict(state, assign=True)
        whole.tie_weights()
        whole.generation_config = model.generation_config
    return whole


@torch.no_grad()
def load_shards(model: nn.Module, path: Path) -> None:
    """Load this process's shards of the parameters in a safetensors file, one parameter after another."""
    targets = dict(model.named_parameters(remove_duplicate=False)) | dict(model.named_buffers())
    loaded = set()
    with safe_open(path, framework="pt") as file:
        for name in targets.keys() & set(file.keys()):
            targets[name].copy_(sharded_like(file.get_tensor(name), targets[name]))
            loaded.add(id(targets[name]))
    missing = [name for name, parameter in model.named_parameters() if id(parameter) not in loaded]
    if missing:
        raise LookupError(f"{len(missing)} parameters are missing, such as {missing[0]}")
