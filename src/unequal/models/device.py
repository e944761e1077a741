"""Where this process computes, and which of several processes it is."""

import os

import torch
from accelerate import PartialState
from accelerate.utils import parse_flag_from_env


def process_state() -> PartialState:
    """Return accelerate's state: this process's ``device``, ``process_index`` and ``num_processes``.

    Accelerate takes processes that compute on the CPU for single ones unless it is told.
    """
    several = int(os.environ.get("WORLD_SIZE", "1")) > 1
    on_cpu = parse_flag_from_env("ACCELERATE_USE_CPU") or (several and not torch.accelerator.is_available())
    return PartialState(cpu=on_cpu)
