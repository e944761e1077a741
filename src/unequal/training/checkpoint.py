"""Checkpoints of a training run: weights, optimiser state and step in safetensors, whole or absent."""

import shutil
from pathlib import Path
from typing import Any, Protocol

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, load_model, save_file, save_model
from torch import Tensor, nn

from unequal.errors import DamagedError, DataError
from unequal.files import atomic_folder, read_json, write_json
from unequal.seals import check_seal, seal


class Memory(Protocol):
    """What a run remembers besides its weights and its optimiser."""

    def state(self) -> dict[str, Tensor]:
        """Return it as tensors by name."""

    def restore(self, state: dict[str, Tensor]) -> None:
        """Take it up again."""


def save_checkpoint(
    folder: Path,
    step: int,
    model: nn.Module,
    optimiser: torch.optim.Optimizer,
    memory: Memory | None = None,
) -> None:
    """Write ``step-N`` into the folder and then remove the older ones."""
    target = folder / f"step-{step:07d}"
    with atomic_folder(target) as beside:
        save_model(model, str(beside / "model.safetensors"))
        save_file(_optimiser_tensors(optimiser), beside / "optimiser.safetensors")
        if memory:
            save_file(memory.state(), beside / "memory.safetensors")
        write_json(beside / "state.json", {"step": step})
        seal(beside)
    for older in folder.glob("step-*"):
        if older != target:
            shutil.rmtree(older)


def load_checkpoint(
    folder: Path, model: nn.Module, optimiser: torch.optim.Optimizer, memory: Memory | None = None
) -> int:
    """Load the newest checkpoint in place and return its step, or 0 when there is none.

    Raises `DamagedError` when it is not as it was written, and `DataError` when it is of another model.
    """
    found = sorted(folder.glob("step-*"))
    if not found:
        return 0
    newest = found[-1]
    try:
        check_seal(newest, "delete it and run again")
        load_model(model, str(newest / "model.safetensors"))
        _restore_optimiser(optimiser, load_file(newest / "optimiser.safetensors"))
        if memory:
            memory.restore(load_file(newest / "memory.safetensors"))
        return int(read_json(newest / "state.json")["step"])
    except DamagedError as error:
        raise DamagedError(f"the checkpoint {newest}", error.what, error.advice) from error
    except (DataError, OSError, SafetensorError, RuntimeError, LookupError, TypeError, ValueError) as error:
        reason = str(error).splitlines()[0].removesuffix(":")
        raise DataError(f"the checkpoint {newest} is damaged ({reason}); delete it and run again") from error


def _optimiser_tensors(optimiser: torch.optim.Optimizer) -> dict[str, Tensor]:
    state: dict[int, dict[str, Tensor]] = optimiser.state_dict()["state"]
    return {
        f"{index}.{name}": tensor.contiguous()
        for index, tensors in state.items()
        for name, tensor in tensors.items()
    }


def _restore_optimiser(optimiser: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    state: dict[int, dict[str, Any]] = {}
    for key, tensor in tensors.items():
        index, name = key.split(".", 1)
        state.setdefault(int(index), {})[name] = tensor
    groups = optimiser.state_dict()["param_groups"]
    optimiser.load_state_dict({"state": state, "param_groups": groups})
