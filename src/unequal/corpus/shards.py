"""Corpus shards: an epoch's token windows as an array, and the same epoch's documents as text."""

import io
import json
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path

import numpy as np
import numpy.typing as npt
import zstandard
from pydantic import BaseModel, ConfigDict, ValidationError

from unequal.corpus.packing import Window
from unequal.errors import DataError
from unequal.files import read_json
from unequal.seals import check_seal

TokenArray = npt.NDArray[np.integer]


class CorpusCard(BaseModel):
    """What ``corpus.json`` says about the shards beside it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    window_tokens: int
    vocabulary_size: int
    end_token_id: int
    padding_token_id: int
    windows_per_epoch: tuple[int, ...]
    n_tokens: int
    n_documents: int


def window_ids(window: Window, card: CorpusCard) -> list[int]:
    """Return the window's tokens: an end-of-text token, the documents, and padding up to its length."""
    ids = [card.end_token_id]
    for tokenised in window.documents:
        ids += tokenised.token_ids
    return ids + [card.padding_token_id] * (card.window_tokens - len(ids))


def write_epoch(folder: Path, epoch: int, windows: Sequence[Window], card: CorpusCard) -> None:
    """Write ``windows/epoch-N.npy`` and ``documents/epoch-N.jsonl.zst``."""
    dtype = np.uint16 if card.vocabulary_size <= 2**16 else np.uint32
    array = np.array([window_ids(window, card) for window in windows], dtype=dtype)
    np.save(folder / "windows" / f"epoch-{epoch:04d}.npy", array)
    path = folder / "documents" / f"epoch-{epoch:04d}.jsonl.zst"
    with path.open("wb") as file, zstandard.ZstdCompressor().stream_writer(file) as stream:
        text = io.TextIOWrapper(stream, encoding="utf-8")
        for number, window in enumerate(windows):
            for position, tokenised in enumerate(window.documents):
                document = tokenised.document
                row = {
                    "id": f"{epoch}:{number}:{position}",
                    "kind": document.kind,
                    "person_id": document.person_id,
                    "text": document.text,
                }
                text.write(json.dumps(row, ensure_ascii=False) + "\n")
        text.detach()


class TokenWindows:
    """All windows of a corpus in training order, memory-mapped."""

    def __init__(self, folder: Path) -> None:
        self.card = read_card(folder)
        check_seal(folder, "build the corpus anew")
        self._shards = [_open_shard(folder, epoch) for epoch in range(len(self.card.windows_per_epoch))]
        self._ends = list(accumulate(len(shard) for shard in self._shards))

    def __len__(self) -> int:
        return self._ends[-1]

    def slice(self, start: int, stop: int) -> npt.NDArray[np.int64]:
        """Return windows ``start`` to ``stop`` (exclusive) as ``(n, window)`` token ids."""
        parts = []
        while start < min(stop, len(self)):
            shard = bisect_right(self._ends, start)
            begin = self._ends[shard] - len(self._shards[shard])
            end = min(stop, self._ends[shard])
            parts.append(self._shards[shard][start - begin : end - begin])
            start = end
        return np.concatenate(parts).astype(np.int64)


def read_card(folder: Path) -> CorpusCard:
    """Return the corpus card; raises `DataError` when the folder is not a corpus."""
    if not (folder / "corpus.json").is_file():
        raise DataError(f"{folder} is not a corpus folder (no corpus.json); make one with: unequal corpus")
    try:
        return CorpusCard.model_validate(read_json(folder / "corpus.json"))
    except ValidationError as error:
        raise DataError(f"{folder / 'corpus.json'} is damaged; build the corpus anew") from error


def _open_shard(folder: Path, epoch: int) -> TokenArray:
    path = folder / "windows" / f"epoch-{epoch:04d}.npy"
    try:
        return np.asanyarray(np.load(path, mmap_mode="r", allow_pickle=False))
    except (OSError, EOFError, ValueError) as error:
        raise DataError(f"cannot read the corpus shard {path}: {error}; build the corpus anew") from error
