"""Factors of models (size, family): standard errors that count the scatter of pre-trainings."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from unequal.analysis.stats.bootstrap import Array
from unequal.analysis.stats.explained import Regression

FEW = "with so few models, pre-trainings of a kind cannot be separated from the kind"


@dataclass(frozen=True)
class Models:
    """A regression over facts of several base models: its rows, the outcome and columns, and the fit.

    ``places`` are the columns, counted from the first after the outcome, that differ between models.
    """

    rows: pl.DataFrame
    values: Array
    fit: Regression
    places: Sequence[int]

    def scatter(self, place: int) -> tuple[float, int]:
        """Return the standard error of a column's slope by the scatter of models, and its degrees of freedom.

        What the fit leaves of each base model's mean, on the columns of models with an intercept for each
        corpus; NaN without a degree of freedom.
        """
        columns = {"left": self.fit.left, **{str(one): self.values[:, 1 + one] for one in self.places}}
        table = self.rows.select("base", "pretrain_seed").with_columns(
            pl.Series(name, values) for name, values in columns.items()
        )
        means = table.group_by("base", "pretrain_seed").agg(pl.col(*columns).mean()).sort("base")
        centred = means.select(pl.col(*columns) - pl.col(*columns).mean().over("pretrain_seed"))
        y, x = centred["left"].to_numpy(), centred.drop("left").to_numpy()
        freedom = means.height - means["pretrain_seed"].n_unique() - x.shape[1]
        if freedom < 1:
            return float("nan"), 0
        inverse = np.linalg.pinv(x.T @ x)
        residual = y - x @ (inverse @ (x.T @ y))
        at = self.places.index(place)
        return float(np.sqrt(residual @ residual / freedom * inverse[at, at])), freedom
