"""What was found in single shards, on disk: small files, so that nothing that was done is done again."""

import zipfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from unequal.counting.launch.launcher import Job
from unequal.counting.scan.definition import Definition
from unequal.counting.scan.names import NameIndex
from unequal.counting.scan.repeated import Hashes
from unequal.counting.scan.shard_counts import ShardCounts
from unequal.counting.scan.window import Totals
from unequal.counting.words import Ints
from unequal.files import atomic_path, content_hash

FORMAT = 2
"""Raised when the same request gives other counts."""

_SUMS = tuple(Totals.__dataclass_fields__)


class ShardStore:
    """A folder of counts and document hashes; a file's name is the hash of what was asked, and of what."""

    def __init__(self, folder: Path, names: NameIndex, definition: Definition) -> None:
        self.folder = folder
        self._names = names
        self._request = content_hash(FORMAT, asdict(definition), _digest(names))
        self._text_key = definition.text_key

    def load(self, job: Job) -> ShardCounts | None:
        """Return the counts of a shard, None when they are not there or not whole."""
        try:
            with np.load(self._path(job), allow_pickle=False) as file:
                totals = Totals.zero(self._names)
                for name in _SUMS:
                    getattr(totals, name)[file[f"{name}_at"]] = file[name]
                return ShardCounts(totals, str(file["sha256"]), *map(int, file["sizes"]))
        except (OSError, ValueError, KeyError, IndexError, EOFError, zipfile.BadZipFile):
            return None

    def save(self, job: Job, counts: ShardCounts) -> None:
        """Write the counts of a shard, atomically; raises `DataError` when the folder cannot be written."""
        sizes = np.array([counts.n_documents, counts.n_characters])
        arrays = {"sha256": np.array(counts.sha256), "sizes": sizes}
        for name in _SUMS:
            sums: Ints = getattr(counts.totals, name)
            arrays[f"{name}_at"] = np.flatnonzero(sums)
            arrays[name] = sums[arrays[f"{name}_at"]]
        with atomic_path(self._path(job)) as beside, beside.open("wb") as file:
            np.savez_compressed(file, allow_pickle=False, **arrays)

    def load_hashes(self, job: Job) -> Hashes | None:
        """Return the hashes of a shard's documents, None when they are not there or not whole."""
        try:
            hashes: Hashes = np.load(self._hashes_path(job), allow_pickle=False)
        except (OSError, ValueError, EOFError):
            return None
        return hashes

    def save_hashes(self, job: Job, hashes: Hashes) -> None:
        """Write the hashes of a shard's documents, atomically."""
        with atomic_path(self._hashes_path(job)) as beside, beside.open("wb") as file:
            np.save(file, hashes, allow_pickle=False)

    def _hashes_path(self, job: Job) -> Path:
        key = content_hash(FORMAT, self._text_key, job.shard.path, job.shard.stamp)[:16]
        return self.folder / f"{job.shard.name}-{key}.npy"

    def _path(self, job: Job) -> Path:
        documents = "" if job.left_out is None else np.packbits(job.left_out).tobytes().hex()
        key = content_hash(self._request, job.shard.path, job.shard.stamp, documents)[:16]
        return self.folder / f"{job.shard.name}-{key}.npz"


def _digest(names: NameIndex) -> list[object]:
    """Return what of the names determines the sums."""
    arrays: Sequence[Ints] = (
        names.pattern_names.offsets,
        names.pattern_names.values,
        names.name_entity,
        names.pair_subject,
        names.pair_object,
    )
    texts = [[name.hex() for name in group] for group in (names.patterns, names.name_cased)]
    return [*texts, *(array.tolist() for array in arrays)]
