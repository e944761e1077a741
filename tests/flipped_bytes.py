"""Files with a byte that is not as it was written."""

import random
from collections.abc import Iterator
from pathlib import Path


def flipped(data: bytes, place: int, bits: int = 1) -> bytes:
    """Return the bytes with some bits of one of them changed."""
    changed = bytearray(data)
    changed[place] ^= bits
    return bytes(changed)


def harms(path: Path, chance: random.Random, n_flips: int) -> Iterator[str]:
    """Yield a name for each harm done to a file, which is whole again after the last.

    Flips at the first and the last byte, in the middle, and at random places; then cut short and emptied.
    """
    whole = path.read_bytes()
    size = len(whole)
    places = [0, size - 1, size // 2, *(chance.randrange(size) for _ in range(n_flips))] if size else []
    for place in places:
        path.write_bytes(flipped(whole, place, chance.randrange(1, 256)))
        yield f"{path.name}: byte {place} of {size}"
    for left in {0, size // 2}:
        path.write_bytes(whole[:left])
        yield f"{path.name}: cut to {left} of {size}"
    path.write_bytes(whole)
