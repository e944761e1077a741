"""Checkpoints of a training run: parameters, optimiser state and step in safetensors, whole or absent.

A checkpoint does not depend on the number of processes nor on sharding, so a run may be resumed with others.
"""

import logging
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, load_model, save_file, save_model
from torch import Tensor, nn

from unequal.checksums import verify_folder, write_checksums
from unequal.errors import DamagedError, DataError
from unequal.files import atomic_folder, read_json, write_json
from unequal.models.distributed import is_main_process
from unequal.models.fsdp import full_on_main, is_sharded, load_shards, sharded_like

logger = logging.getLogger(__name__)


class State(Protocol):
    """The state of a run besides its model and its optimiser."""

    def state(self) -> dict[str, Tensor]:
        """Return the state as tensors by name."""

    def restore(self, state: dict[str, Tensor]) -> None:
        """Restore the state."""


def save_checkpoint(
    folder: Path,
    step: int,
    model: nn.Module,
    optimiser: torch.optim.Optimizer,
    state: State | None = None,
) -> None:
    """Write ``step-N`` into the folder and then remove the older ones; all processes must come here."""
    target = folder / f"step-{step:07d}"
    parameters = _whole(_named_once(model)) if is_sharded(model) else None
    states, remembered = _whole(_optimiser_tensors(optimiser)), _whole(state.state() if state else {})
    if not is_main_process():
        return
    with atomic_folder(target) as beside:
        if parameters is None:
            save_model(model, str(beside / "model.safetensors"))
        else:
            save_file(parameters, beside / "model.safetensors")
        save_file(states, beside / "optimiser.safetensors")
        if state:
            save_file(remembered, beside / "memory.safetensors")
        write_json(beside / "state.json", {"step": step})
        write_checksums(beside)
    for older in folder.glob("step-*"):
        if older != target:
            shutil.rmtree(older)


def load_checkpoint(
    folder: Path, model: nn.Module, optimiser: torch.optim.Optimizer, state: State | None = None
) -> int:
    """Load the newest checkpoint that is as it was written, in place, and return its step, 0 without any.

    One that is damaged is noted and removed. Raises `DataError` for a checkpoint of another model.
    """
    newest = _newest_whole(folder)
    if newest is None:
        return 0
    try:
        if is_sharded(model):
            load_shards(model, newest / "model.safetensors")
        else:
            load_model(model, str(newest / "model.safetensors"))
        _restore_optimiser(optimiser, load_file(newest / "optimiser.safetensors"))
        if state:
            state.restore(load_file(newest / "memory.safetensors"))
        return int(read_json(newest / "state.json")["step"])
    except (DataError, OSError, SafetensorError, RuntimeError, LookupError, TypeError, ValueError) as error:
        reason = str(error).splitlines()[0].removesuffix(":")
        raise DataError(
            f"the checkpoint {newest} is not of this model ({reason}); delete it and run again"
        ) from error


def _newest_whole(folder: Path) -> Path | None:
    for newest in sorted(folder.glob("step-*"), reverse=True):
        try:
            verify_folder(newest, required=True)
        except DamagedError as error:
            logger.warning("the checkpoint %s is damaged (%s); training begins anew", newest, error.what)
            if is_main_process():
                shutil.rmtree(newest, ignore_errors=True)
            continue
        return newest
    return None


def _named_once(model: nn.Module) -> dict[str, Tensor]:
    """Return parameters and persistent buffers by name; tied parameters have one name here."""
    names = dict(model.named_parameters())
    tied = dict(model.named_parameters(remove_duplicate=False)).keys() - names.keys()
    return {name: value for name, value in model.state_dict().items() if name not in tied}


def _whole(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: full_on_main(tensor.detach()).contiguous() for name, tensor in tensors.items()}


def _optimiser_tensors(optimiser: torch.optim.Optimizer) -> dict[str, Tensor]:
    state: dict[int, dict[str, Tensor]] = optimiser.state_dict()["state"]
    return {f"{index}.{name}": tensor for index, tensors in state.items() for name, tensor in tensors.items()}


def _restore_optimiser(optimiser: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    weights = [weight for group in optimiser.param_groups for weight in group["params"]]
    state: dict[int, dict[str, Any]] = {}
    for key, tensor in tensors.items():
        index, name = key.split(".", 1)
        state.setdefault(int(index), {})[name] = sharded_like(tensor, weights[int(index)])
    groups = optimiser.state_dict()["param_groups"]
    optimiser.load_state_dict({"state": state, "param_groups": groups})
