"""Disk cache of the counts and document hashes of single shards."""

from collections.abc import Sequence
from dataclasses import asdict
from io import BytesIO
from pathlib import Path

import numpy as np

from unequal.checksums import read_with_checksum, warn_remade, write_with_checksum
from unequal.counting.launch.launcher import Job
from unequal.counting.scan.deduplicate import Hashes
from unequal.counting.scan.definition import Definition
from unequal.counting.scan.names import NameIndex
from unequal.counting.scan.shard_counts import ShardCounts
from unequal.counting.scan.window import Totals
from unequal.counting.words import Ints
from unequal.errors import DamagedError
from unequal.files import content_hash
from unequal.temporary import remove_leftovers_in

FORMAT = 3
"""Incremented when counts for the same request change, or the file format."""

_SUMS = tuple(Totals.__dataclass_fields__)


class ShardCache:
    """Cache folder of shard counts and document hashes; file names are hashes of request and shard."""

    def __init__(self, folder: Path, names: NameIndex, definition: Definition) -> None:
        self.folder = folder
        remove_leftovers_in(folder)
        self._names = names
        self._request = content_hash(FORMAT, asdict(definition), _digest(names))
        self._text_key = definition.text_key

    def load(self, job: Job) -> ShardCounts | None:
        """Return the cached counts of a shard, or None if missing or, with a warning, damaged."""
        file = self._read(self._path(job), self._counts_key(job))
        if file is None:
            return None
        with np.load(file, allow_pickle=False) as arrays:
            totals = Totals.zero(self._names)
            for name in _SUMS:
                getattr(totals, name)[arrays[f"{name}_at"]] = arrays[name]
            return ShardCounts(totals, str(arrays["sha256"]), *map(int, arrays["sizes"]))

    def save(self, job: Job, counts: ShardCounts) -> None:
        """Write the counts of a shard, atomically; raises `DataError` when the folder cannot be written."""
        sizes = np.array([counts.n_documents, counts.n_characters])
        arrays = {"sha256": np.array(counts.sha256), "sizes": sizes}
        for name in _SUMS:
            sums: Ints = getattr(counts.totals, name)
            arrays[f"{name}_at"] = np.flatnonzero(sums)
            arrays[name] = sums[arrays[f"{name}_at"]]
        file = BytesIO()
        np.savez_compressed(file, allow_pickle=False, **arrays)
        write_with_checksum(self._path(job), file.getvalue(), self._counts_key(job))

    def load_hashes(self, job: Job) -> Hashes | None:
        """Return the cached document hashes of a shard, or None if missing or, with a warning, damaged."""
        file = self._read(self._hashes_path(job), self._hashes_key(job))
        if file is None:
            return None
        hashes: Hashes = np.load(file, allow_pickle=False)
        return hashes

    def save_hashes(self, job: Job, hashes: Hashes) -> None:
        """Write the hashes of a shard's documents, atomically."""
        file = BytesIO()
        np.save(file, hashes, allow_pickle=False)
        write_with_checksum(self._hashes_path(job), file.getvalue(), self._hashes_key(job))

    def _read(self, path: Path, key: str) -> BytesIO | None:
        """Return the content of a cache file, or None if missing or, with a warning, damaged."""
        if not path.exists():
            return None
        try:
            return BytesIO(read_with_checksum(path, key))
        except DamagedError as error:
            warn_remade(error.folder, error.what)
            return None

    def _hashes_key(self, job: Job) -> str:
        return content_hash(FORMAT, self._text_key, job.shard.path, job.shard.stamp)

    def _hashes_path(self, job: Job) -> Path:
        return self.folder / f"{job.shard.name}-{self._hashes_key(job)[:16]}.npy"

    def _counts_key(self, job: Job) -> str:
        documents = "" if job.left_out is None else np.packbits(job.left_out).tobytes().hex()
        return content_hash(self._request, job.shard.path, job.shard.stamp, documents)

    def _path(self, job: Job) -> Path:
        return self.folder / f"{job.shard.name}-{self._counts_key(job)[:16]}.npz"


def _digest(names: NameIndex) -> list[object]:
    """Return a hash of the parts of the index that affect the counts."""
    arrays: Sequence[Ints] = (
        names.pattern_names.offsets,
        names.pattern_names.values,
        names.name_entity,
        names.pair_subject,
        names.pair_object,
    )
    texts = [[name.hex() for name in group] for group in (names.patterns, names.name_cased)]
    return [*texts, *(array.tolist() for array in arrays)]
