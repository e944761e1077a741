"""Random seeds derived from one root seed and a path of names, one for each random choice."""

import hashlib
import random


def derive_seed(root: int, *path: str | int) -> int:
    """Return a seed in [0, 2^63) that depends on the root and on every part of the path."""
    text = "/".join([str(root), *(str(part) for part in path)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def random_stream(root: int, *path: str | int) -> random.Random:
    """Return an independent random generator for the purpose named by the path."""
    return random.Random(derive_seed(root, *path))
