"""What an aggregate is: one number for the values of some facts, often beside facts never seen."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from unequal.evaluation.metrics.contract import Direction

Values = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Aggregate:
    """A named function of the values of one or two metrics over facts, and what a reader must know of it.

    ``value`` takes one array for each metric; with ``against_never_seen`` then one more for each, of facts
    that the model never saw. No array is empty.
    """

    name: str
    metrics: tuple[str, ...]
    direction: Direction
    low: float
    high: float
    formula: str
    chance: str
    chance_level: float | None  # None where it depends on the number of facts
    source: str
    value: Callable[..., float]
    against_never_seen: bool = False
