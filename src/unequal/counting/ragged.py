"""Ragged arrays of integers, stored as offsets and values."""

from dataclasses import dataclass

import numpy as np

from unequal.counting.words import Ints


@dataclass(frozen=True, slots=True)
class Groups:
    """A ragged array: row i is ``values[offsets[i] : offsets[i + 1]]``."""

    offsets: Ints
    values: Ints

    def expand(self, keys: Ints) -> tuple[Ints, Ints]:
        """Return all values of the rows in ``keys``, each with the index of its row in ``keys``."""
        begin = self.offsets[keys]
        lengths = self.offsets[keys + 1] - begin
        index = np.repeat(np.arange(len(lengths)), lengths)
        before = np.cumsum(lengths) - lengths
        return index, self.values[begin[index] + np.arange(len(index)) - before[index]]


def group(row: Ints, value: Ints, n_rows: int) -> Groups:
    """Return the values grouped by row, sorted within each row."""
    order = np.lexsort((value, row))
    return Groups(np.searchsorted(row[order], np.arange(n_rows + 1)), value[order])
