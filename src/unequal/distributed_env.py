"""Rank and world size of this process, from the environment variables of ``torchrun``; without torch."""

import os


def is_distributed() -> bool:
    """Return whether this process is one of several in a distributed run."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1


def is_main_process() -> bool:
    """Return whether this is the main process (rank 0, or the only one), which prints and writes."""
    return not is_distributed() or os.environ.get("RANK", "0") == "0"
