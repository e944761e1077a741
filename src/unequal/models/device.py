"""The device of this process, and its place among several processes."""

import os

import torch
from accelerate import PartialState
from accelerate.utils import parse_flag_from_env

from unequal import distributed_env, workers
from unequal.errors import ConfigError
from unequal.models.compute_settings import DEVICE_VARIABLE


def choose_device(name: str) -> None:
    """Choose the device from now on, for worker processes that are started later too; see `DeviceSettings`.

    Raises `ConfigError` for a device that is not here, or that several processes cannot share.
    """
    before = os.environ.get(DEVICE_VARIABLE)
    os.environ[DEVICE_VARIABLE] = name
    try:
        process_state()
    except ConfigError:
        os.environ[DEVICE_VARIABLE] = before or "auto"
        raise


def check_device(name: str) -> None:
    """Raise `ConfigError` for a device that this machine lacks; nothing is started on it."""
    kind = name.partition(":")[0]
    if kind not in ("auto", "cpu"):
        _n_cards(name)


def process_state() -> PartialState:
    """Return accelerate's state: this process's ``device``, ``process_index`` and ``num_processes``.

    Accelerate counts CPU processes as single ones unless ``cpu`` is given. Of several workers on one machine
    each takes the GPU of its own number, modulo the number of GPUs.
    Raises `ConfigError` for a chosen device that is not here.
    """
    name = os.environ.get(DEVICE_VARIABLE, "auto")
    on_cpu = (
        name == "cpu" or parse_flag_from_env("ACCELERATE_USE_CPU") or not torch.accelerator.is_available()
    )
    if distributed_env.is_distributed():
        _check_shared(name)
        return PartialState(cpu=on_cpu)
    state = PartialState(cpu=on_cpu)
    state.device = _device(name, on_cpu)
    return state


def _check_shared(name: str) -> None:
    kind, _, number = name.partition(":")
    if number or kind == "mps":
        raise ConfigError(
            f"device {name}: each of several processes takes the card of its own number; leave device out, or"
            " say cuda, xpu or cpu"
        )
    if kind not in ("auto", "cpu"):
        _n_cards(name)


def _device(name: str, on_cpu: bool) -> torch.device:
    """Return the device of that name, and make it the one that torch works on."""
    accelerator = torch.accelerator.current_accelerator()
    if name == "auto":
        name = os.environ.get(
            "ACCELERATE_TORCH_DEVICE", "cpu" if on_cpu or not accelerator else accelerator.type
        )
    kind, _, number = name.partition(":")
    if kind == "cpu":
        return torch.device("cpu")
    n_cards = _n_cards(name)
    if kind == "mps":
        return torch.device("mps")
    index = int(number) if number else (workers.number() or 0) % n_cards
    torch.accelerator.set_device_index(index)
    return torch.device(kind, index)


def _n_cards(name: str) -> int:
    """Return how many devices of its kind there are; raises `ConfigError` when that one is not here."""
    kind, _, number = name.partition(":")
    accelerator = torch.accelerator.current_accelerator()
    count = torch.accelerator.device_count() if accelerator and accelerator.type == kind else 0
    if int(number or 0) >= count:
        here = f"{count} of that kind" if count else "none of that kind"
        raise ConfigError(f"device {name}: torch finds {here} here; use cpu, or auto")
    return count
