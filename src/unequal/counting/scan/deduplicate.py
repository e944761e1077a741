"""Exact duplicates of documents, found by the hash of their text."""

from collections.abc import Sequence
from hashlib import blake2b

import numpy as np

from unequal.counting.launch.launcher import Job, OnBytes
from unequal.counting.normalise import utf8
from unequal.counting.scan.documents import ShardReader
from unequal.counting.words import Bools

Hashes = np.ndarray[tuple[int, int], np.dtype[np.uint64]]
"""128-bit document hashes, shape (n_documents, 2)."""

REPORT_EVERY = 1000
"""Documents between reports of progress."""


class DocumentHasher:
    """Task that hashes the documents of a shard."""

    def __init__(self, text_key: str) -> None:
        self.text_key = text_key

    def __call__(self, job: Job, on_bytes: OnBytes) -> Hashes:
        """Return the hash of every document's text, in order; raises `DataError` for a bad shard."""
        hashes = bytearray()
        for number, document in enumerate(ShardReader(job.shard, self.text_key)):
            hashes += blake2b(utf8(document.text), digest_size=16).digest()
            if number % REPORT_EVERY == 0:
                on_bytes(document.bytes_read)
        return np.frombuffer(bytes(hashes), dtype=np.uint64).reshape(-1, 2)


def repeated(shards: Sequence[Hashes]) -> list[Bools]:
    """Return for each shard a mask of its documents that occurred before, in it or in an earlier shard."""
    import polars as pl

    every = np.concatenate([np.zeros((0, 2), dtype=np.uint64), *shards])
    frame = pl.DataFrame({"high": every[:, 0], "low": every[:, 1]})
    again = ~frame.select(pl.struct("high", "low").is_first_distinct()).to_series().to_numpy()
    edges = np.cumsum([len(hashes) for hashes in shards])[:-1]
    return np.split(again, edges) if shards else []
