"""Which of several processes this one is, as ``accelerate launch`` or ``torchrun`` told it; without torch."""

import os


def several() -> bool:
    """Return whether a launcher started more than this process for one piece of work."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1


def speaks() -> bool:
    """Return whether this is the process that talks to the user: the first, or the only one."""
    return not several() or os.environ.get("RANK", "0") == "0"
