"""Rows of whole numbers of unequal length, held in two arrays and looked up many at a time."""

from dataclasses import dataclass

import numpy as np

from unequal.counting.words import Ints


@dataclass(frozen=True, slots=True)
class Groups:
    """Row i is ``values[offsets[i] : offsets[i + 1]]``."""

    offsets: Ints
    values: Ints

    def expand(self, keys: Ints) -> tuple[Ints, Ints]:
        """Return, for every value in the row of every key, the key's index in ``keys`` and the value."""
        begin = self.offsets[keys]
        lengths = self.offsets[keys + 1] - begin
        index = np.repeat(np.arange(len(lengths)), lengths)
        before = np.cumsum(lengths) - lengths
        return index, self.values[begin[index] + np.arange(len(index)) - before[index]]


def group(row: Ints, value: Ints, n_rows: int) -> Groups:
    """Return the values grouped by their rows, rising within a row."""
    order = np.lexsort((value, row))
    return Groups(np.searchsorted(row[order], np.arange(n_rows + 1)), value[order])
