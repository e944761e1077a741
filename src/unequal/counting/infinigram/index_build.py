"""Building a local infini-gram index: token ids, document borders, suffix array and manifest.

The package's own indexing command tokenises with `transformers` and passes paths through a shell. Here the
token files are written directly, and the package's indexer runs on them in the same three steps.
"""

import fcntl
import logging
import shutil
import subprocess
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path

import numpy as np

from unequal.checksums import verify_folder, warn_remade, write_checksums
from unequal.counting.infinigram.vocabulary import DOCUMENT_BORDER, Vocabulary, most_frequent
from unequal.counting.normalise import normalise
from unequal.counting.scan.documents import ShardReader
from unequal.counting.scan.shards import Shard, corpus_id
from unequal.errors import DamagedError, DataError
from unequal.files import atomic_folder, content_hash, output_folder, write_json
from unequal.temporary import remove_leftovers_of
from unequal.workers import n_cores

logger = logging.getLogger(__name__)

LAYOUT = 2
"""Incremented when `normalise`, `words_of`, `split` or the files change; old indexes are then not used."""

MANIFEST = "index.json"
VOCABULARY = "vocabulary.txt"
TOKENS, SUFFIXES, OFFSETS, WORDS = "tokenized.0", "table.0", "offset.0", "words.0"
TOKEN_WIDTH = 2
STRIDE = 64
"""WORDS holds the number of words that begin before token 0, 64, 128, …"""

SAMPLE = 1 << 26
"""Characters, spread evenly over the shards, whose most frequent tokens make the vocabulary."""

PART = 1 << 27
"""Bytes of tokens sorted in memory at once; sorting takes about ten times as much memory."""

Shards = Sequence[tuple[Shard, str]]
"""Shards with the SHA-256 of their bytes."""

OVERLAP = 100_000
"""Bytes by which parts overlap, as in the package; far longer than any name."""


def build_index(shards: Shards, text_key: str, index_dir: Path, part: int = PART) -> Path:
    """Return the folder of the index of these shards, after building it if necessary.

    The folder is renamed when it is complete. The next build removes what a killed one left, rebuilds a
    damaged index, and waits for a concurrent build. Raises `DataError` for a broken shard, a folder that
    cannot be written and a failing indexer.
    """
    options = content_hash(LAYOUT, unicodedata.unidata_version, text_key)[:8]
    folder = index_dir / f"{corpus_id(shards)}-{options}"
    with output_folder(index_dir), _lock(index_dir / f".{folder.name}.lock"):
        remove_leftovers_of(folder)
        if not _is_whole(folder):
            with atomic_folder(folder) as beside:
                _write_index(shards, text_key, beside, part)
                logger.info("the index %s is ready", folder)
    return folder


def _is_whole(folder: Path) -> bool:
    """Return whether the folder holds an intact index; warns about a damaged one."""
    if not folder.exists():
        return False
    try:
        verify_folder(folder, required=True)
    except DamagedError as error:
        warn_remade(f"the index {folder}", error.what)
        return False
    return True


def file_sizes(folder: Path) -> dict[str, int]:
    """Return the sizes in bytes of the files of an index, without the manifest."""
    names = (VOCABULARY, TOKENS, SUFFIXES, OFFSETS, WORDS)
    return {name: (folder / name).stat().st_size for name in names if (folder / name).is_file()}


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    """Hold a lock file, which the system releases when the process ends."""
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
        except OSError as error:
            what = f"cannot lock {path}: {error.strerror or error}"
            raise DataError(f"{what}; choose another --index-dir") from error
        yield


def _write_index(shards: Shards, text_key: str, folder: Path, part: int) -> None:
    logger.info("indexing %d shards: choosing the vocabulary", len(shards))
    tokens = most_frequent(_sample(shards, text_key))
    (folder / VOCABULARY).write_bytes(b"\n".join(tokens))
    vocabulary = Vocabulary(tokens)
    logger.info("indexing: writing token ids")
    n_documents = _write_tokens(shards, text_key, vocabulary, folder)
    _write_words(vocabulary, folder)
    logger.info("indexing: sorting the suffixes of %d bytes", (folder / TOKENS).stat().st_size)
    _write_suffixes(folder, part)
    write_json(folder / MANIFEST, {"documents": n_documents, "bytes": file_sizes(folder)})
    write_checksums(folder)


def _sample(shards: Shards, text_key: str) -> Iterator[str]:
    """Yield normalised documents from the start of every shard."""
    for shard, _ in shards:
        budget = SAMPLE // len(shards)
        for document in ShardReader(shard, text_key):
            if budget <= 0:
                break
            budget -= len(document.text)
            yield normalise(document.text)


def _write_tokens(shards: Shards, text_key: str, vocabulary: Vocabulary, folder: Path) -> int:
    """Write the token ids and byte offsets of all documents; returns their number.

    An empty document at the end closes the last one and keeps the files non-empty.
    """
    place, n_documents = 0, 0
    with (folder / TOKENS).open("wb") as tokens, (folder / OFFSETS).open("wb") as offsets:
        for shard, sha256 in shards:
            reader = ShardReader(shard, text_key)
            for document in reader:
                ids = [DOCUMENT_BORDER, *vocabulary.encode(normalise(document.text))]
                tokens.write(np.array(ids, dtype="<u2").tobytes())
                offsets.write(place.to_bytes(8, "little"))
                place += len(ids) * TOKEN_WIDTH
                n_documents += 1
            if reader.sha256 != sha256:
                raise DataError(f"{shard} changed while it was indexed; run the command again")
        tokens.write(DOCUMENT_BORDER.to_bytes(TOKEN_WIDTH, "little"))
        offsets.write(place.to_bytes(8, "little"))
    return n_documents


def _write_words(vocabulary: Vocabulary, folder: Path) -> None:
    """Write the number of words that begin before every `STRIDE`th token."""
    before = 0
    with (folder / TOKENS).open("rb") as tokens, (folder / WORDS).open("wb") as words:
        while data := tokens.read(STRIDE * TOKEN_WIDTH << 14):
            begins = vocabulary.begins_word[np.frombuffer(data, dtype="<u2")]
            in_stride = np.add.reduceat(begins, np.arange(0, len(begins), STRIDE), dtype=np.int64)
            words.write((before + np.cumsum(in_stride) - in_stride).astype("<i8").tobytes())
            before += int(in_stride.sum())


def _write_suffixes(folder: Path, part: int) -> None:
    """Write the suffix array of the tokens: sort parts, merge them, concatenate."""
    tokens, parts, merged = folder / TOKENS, folder / "parts", folder / "merged"
    parts.mkdir()
    merged.mkdir()
    size = tokens.stat().st_size
    width = suffix_width(size)
    shared = {"data-file": tokens, "ratio": width, "token-width": TOKEN_WIDTH}
    n_parts = max(1, round(size / part))
    step = -(-size // n_parts // TOKEN_WIDTH) * TOKEN_WIDTH
    for start in range(0, size, step):
        end = min(start + step + OVERLAP, size)
        _indexer("make-part", shared | {"parts-dir": parts, "start-byte": start, "end-byte": end})
        if end == size:
            break
    threads = {"num-threads": min(n_cores(), n_parts)}
    folders = {"parts-dir": parts, "merged-dir": merged, "hacksize": OVERLAP}
    _indexer("merge", shared | threads | folders)
    shutil.rmtree(parts)
    _indexer("concat", shared | threads | {"merged-dir": merged, "merged-file": folder / SUFFIXES})
    shutil.rmtree(merged)
    if file_sizes(folder).get(SUFFIXES) != size // TOKEN_WIDTH * width:
        raise DataError(f"the indexer of infini-gram wrote a broken suffix array for {folder.parent}")


def suffix_width(size: int) -> int:
    """Return the bytes of one pointer of a suffix array over `size` bytes of tokens."""
    return max(1, -(-(size - 1).bit_length() // 8))


def _indexer(step: str, options: dict[str, object]) -> None:
    """Run one step of the package's indexer."""
    program = str(files("infini_gram").joinpath("rust_indexing"))
    arguments = [text for name, value in options.items() for text in (f"--{name}", str(value))]
    done = subprocess.run(
        [program, step, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False
    )
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip().splitlines() or ["it said nothing"]
        raise DataError(f"the indexer of infini-gram failed at {step}: {said[0]}")
