"""Rank and world size of this process, from the environment variables of ``torchrun``; without torch."""

import os


def several() -> bool:
    """Return whether this process is one of several in a distributed run."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1


def speaks() -> bool:
    """Return whether this is the main process (rank 0, or the only one), which prints and writes."""
    return not several() or os.environ.get("RANK", "0") == "0"
