"""Queries on a local infini-gram index: matches of a name, their documents and word positions."""

import tempfile
from pathlib import Path

import numpy as np
from infini_gram.engine import InfiniGramEngine
from numpy.typing import NDArray

from unequal.counting.infinigram.index_build import (
    OFFSETS,
    STRIDE,
    SUFFIXES,
    TOKEN_WIDTH,
    TOKENS,
    VOCABULARY,
    WORDS,
    suffix_width,
)
from unequal.counting.infinigram.vocabulary import N_IDS, OTHER, WORD, Vocabulary
from unequal.counting.words import Bools, Ints
from unequal.errors import ConfigError

BATCH = 1 << 16
FILE_KINDS = ("tokenized", "table", "offset", "metadata", "metaoff", "unigram")


class LocalIndex:
    """A local index; its large files are memory-mapped."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._vocabulary = Vocabulary((folder / VOCABULARY).read_bytes().split(b"\n"))
        self._tokens = np.memmap(folder / TOKENS, dtype="<u2", mode="r")
        self._offsets = np.memmap(folder / OFFSETS, dtype="<i8", mode="r")
        self._words = np.memmap(folder / WORDS, dtype="<i8", mode="r")
        width = suffix_width(len(self._tokens) * TOKEN_WIDTH)
        self._suffixes = np.memmap(folder / SUFFIXES, dtype=np.uint8, mode="r").reshape(-1, width)
        self._engine = _open_engine(folder)

    @property
    def n_tokens(self) -> int:
        """The number of tokens, including document borders."""
        return len(self._tokens)

    @property
    def n_documents(self) -> int:
        """The number of documents, including empty ones."""
        return len(self._offsets) - 1

    def find(self, name: str) -> tuple[Ints, Ints]:
        """Return the token spans [start, end) of all whole-word matches of a normalised name, unordered.

        A match has no letter, digit or underscore next to it.
        """
        ids = self._vocabulary.encode(name)
        ((first, behind),) = self._engine.find(input_ids=ids)["segment_by_shard"]
        start = self._pointers(first, behind) // TOKEN_WIDTH
        whole = self._is_whole(ids, start)
        return start[whole], start[whole] + len(ids)

    def documents(self, token: Ints) -> Ints:
        """Return the document index of each token."""
        return np.searchsorted(self._offsets, token * TOKEN_WIDTH, side="right") - 1

    def words_before(self, token: Ints) -> Ints:
        """Return the number of words of the corpus that begin before each token."""
        parts = [self._words_before(token[at : at + BATCH]) for at in range(0, len(token), BATCH)]
        return np.concatenate([np.zeros(0, dtype=np.int64), *parts])

    def _pointers(self, first: int, behind: int) -> Ints:
        """Return the byte addresses at the ranks [first, behind) of the suffix array."""
        narrow = self._suffixes[first:behind]
        wide = np.zeros((len(narrow), 8), dtype=np.uint8)
        wide[:, : narrow.shape[1]] = narrow
        pointers: Ints = wide.view("<i8")[:, 0]
        return pointers

    def _is_whole(self, ids: list[int], start: Ints) -> Bools:
        """Return which matches are whole words.

        Only names that begin or end with punctuation need a check: elsewhere the token boundary is a word
        boundary.
        """
        kind = self._vocabulary.kind
        whole = np.ones(len(start), dtype=np.bool_)
        if kind[ids[0]] == OTHER:
            whole &= kind[self._tokens[start - 1]] != WORD
        if kind[ids[-1]] == OTHER:
            whole &= kind[self._tokens[start + len(ids)]] != WORD
        return whole

    def _words_before(self, token: Ints) -> Ints:
        stride, rest = np.divmod(token, STRIDE)
        place = stride[:, None] * STRIDE + np.arange(STRIDE)
        begins = self._vocabulary.begins_word[self._tokens[np.minimum(place, self.n_tokens - 1)]]
        counted = begins & (np.arange(STRIDE) < rest[:, None])
        before: NDArray[np.int64] = self._words[stride] + counted.sum(axis=1)
        return before


def _open_engine(folder: Path) -> InfiniGramEngine:
    """Return the package's engine for an index folder.

    The package recognises its files by words anywhere in the path, and crashes on a folder such as
    "tables"; so it opens the folder through a link with a plain name.
    """
    with tempfile.TemporaryDirectory() as plain:
        if any(kind in plain for kind in FILE_KINDS):
            raise ConfigError(f"infini-gram cannot work below {plain}; set TMPDIR to another folder")
        link = Path(plain) / "index"
        link.symlink_to(folder.resolve(), target_is_directory=True)
        return InfiniGramEngine(
            index_dir=str(link), eos_token_id=N_IDS - 1, vocab_size=N_IDS, version=4, token_dtype="u16"
        )
