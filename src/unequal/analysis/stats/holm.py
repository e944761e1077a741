"""Holm's correction of p-values within one family of tests."""

from typing import Any

import numpy as np

from unequal.analysis.stats.bootstrap import Array


def holm(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows with ``p_holm``, their ``p`` corrected over all rows that have one; null elsewhere."""
    tested = [index for index, row in enumerate(rows) if row.get("p") is not None]
    corrected = step_down(np.array([rows[index]["p"] for index in tested], dtype=np.float64))
    found = dict(zip(tested, corrected.tolist(), strict=True))
    return [{**row, "p_holm": found.get(index)} for index, row in enumerate(rows)]


def step_down(p: Array) -> Array:
    """Return p-values corrected for testing all of them (Holm 1979), in [0, 1].

    statsmodels' `multipletests` gives the same, but collects garbage in every call, a fifth of a second each.
    """
    order = np.argsort(p, kind="stable")
    corrected = np.empty_like(p)
    corrected[order] = np.minimum(1.0, np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)))
    return corrected
