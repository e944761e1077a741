"""Counting of one shard, as run by a worker."""

from collections.abc import Iterator
from dataclasses import dataclass

from unequal.counting.launch.launcher import Job, OnBytes
from unequal.counting.matching import MATCHERS
from unequal.counting.normalise import Normaliser
from unequal.counting.scan.definition import Definition
from unequal.counting.scan.documents import Document, ShardReader
from unequal.counting.scan.names import NameIndex
from unequal.counting.scan.occurrences import find_occurrences
from unequal.counting.scan.window import Totals
from unequal.counting.words import Bools

BLOCK_SIZE = 1 << 19


@dataclass(frozen=True, slots=True)
class ShardCounts:
    """The counts of one shard, its SHA-256, and its numbers of documents and characters."""

    totals: Totals
    sha256: str
    n_documents: int
    n_characters: int


@dataclass(frozen=True, slots=True)
class Request:
    """A counting request: everything a worker needs except the shard."""

    names: NameIndex
    definition: Definition
    matcher: str
    block_size: int = BLOCK_SIZE


class ShardCounter:
    """Task that counts shards, with the names compiled into a matcher once."""

    def __init__(self, request: Request) -> None:
        self.request = request
        self._matcher = MATCHERS.get(request.matcher)(request.names.patterns)
        self._normaliser = Normaliser(request.names.any_cased, request.definition.spelling)

    def __call__(self, job: Job, on_bytes: OnBytes) -> ShardCounts:
        """Return the counts of one shard; raises `DataError` when it cannot be read to its end."""
        request = self.request
        reader = ShardReader(job.shard, request.definition.text_key)
        totals = Totals.zero(request.names)
        n_documents = n_characters = 0
        for block in _blocks(reader, request.block_size, job.left_out):
            texts = [document.text for document in block]
            normal = self._normaliser.block(texts)
            found = find_occurrences(self._matcher, request.names, normal, request.definition)
            totals.add_block(found, request.names, request.definition.window)
            n_documents += len(block)
            n_characters += sum(map(len, texts))
            on_bytes(block[-1].bytes_read)
        return ShardCounts(totals, reader.sha256, n_documents, n_characters)


def _blocks(reader: ShardReader, size: int, left_out: Bools | None) -> Iterator[list[Document]]:
    """Yield lists of whole documents with about ``size`` characters in total."""
    block: list[Document] = []
    length = 0
    for number, document in enumerate(reader):
        if left_out is not None and left_out[number]:
            continue
        block.append(document)
        length += len(document.text) + 1
        if length >= size:
            yield block
            block, length = [], 0
    if block:
        yield block
