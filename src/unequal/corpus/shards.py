"""Corpus shards: an epoch's token windows as an array, and the same epoch's documents as text."""

import io
import json
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path
from typing import Annotated

import numpy as np
import numpy.typing as npt
import zstandard
from pydantic import Field, model_validator

from unequal.checksums import verify_folder
from unequal.corpus.packing import Window
from unequal.errors import DataError, first_line
from unequal.records import read_record
from unequal.strict import MOST, StrictModel

TokenArray = npt.NDArray[np.integer]


class CorpusCard(StrictModel):
    """What ``corpus.json`` says about the shards beside it."""

    window_tokens: Annotated[int, Field(ge=2, le=MOST)]
    vocabulary_size: Annotated[int, Field(ge=2, le=2**32)]
    end_token_id: Annotated[int, Field(ge=0)]
    padding_token_id: Annotated[int, Field(ge=0)]
    windows_per_epoch: tuple[Annotated[int, Field(ge=0)], ...]
    n_tokens: Annotated[int, Field(ge=0)]
    n_documents: Annotated[int, Field(ge=0)]

    @model_validator(mode="after")
    def _tokens_are_of_the_vocabulary(self) -> "CorpusCard":
        for name in ("end_token_id", "padding_token_id"):
            if getattr(self, name) >= self.vocabulary_size:
                raise ValueError(
                    f"{name} {getattr(self, name)} is beyond a vocabulary of {self.vocabulary_size}"
                )
        return self


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
        verify_folder(folder, "build the corpus anew")
        self._shards = [_open_shard(folder, epoch, self.card) for epoch in range(self.n_epochs)]
        self._ends = list(accumulate(len(shard) for shard in self._shards))
        if not self._ends or not self._ends[-1]:
            raise DataError(f"the corpus {folder} has no windows to train on; build the corpus anew")

    @property
    def n_epochs(self) -> int:
        """The number of shards."""
        return len(self.card.windows_per_epoch)

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
    return read_record(CorpusCard, folder / "corpus.json", "build the corpus anew")


def _open_shard(folder: Path, epoch: int, card: CorpusCard) -> TokenArray:
    """Return an epoch's windows; raises `DataError` unless they are what the card says they are."""
    path = folder / "windows" / f"epoch-{epoch:04d}.npy"
    try:
        shard: TokenArray = np.asanyarray(np.load(path, mmap_mode="r", allow_pickle=False))
    except (OSError, EOFError, ValueError, TypeError, SyntaxError, MemoryError, OverflowError) as error:
        reason = first_line(error)
        raise DataError(f"cannot read the corpus shard {path}: {reason}; build the corpus anew") from error
    expected = (card.windows_per_epoch[epoch], card.window_tokens)
    problem = None
    if not np.issubdtype(shard.dtype, np.integer):
        problem = f"it holds {shard.dtype}, where whole numbers belong"
    elif shard.shape != expected:
        problem = f"it has the shape {shard.shape}, where corpus.json says {expected}"
    elif shard.size and (shard.min() < 0 or shard.max() >= card.vocabulary_size):
        wrong = shard.min() if shard.min() < 0 else shard.max()
        problem = f"it holds the token {wrong}, where a vocabulary of {card.vocabulary_size} begins at 0"
    if problem:
        raise DataError(f"the corpus shard {path} is damaged: {problem}; build the corpus anew")
    return shard
