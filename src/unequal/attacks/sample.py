"""Sampling attack: many answers to the same question over a grid of temperatures and top-p values."""

from itertools import product
from math import comb
from typing import Annotated, ClassVar, Literal, Self

import polars as pl
from pydantic import Field, model_validator

from unequal.attacks.attack import Attack, AttackContext
from unequal.attacks.evaluate import TOO_LONG, Found, fits, question, rows
from unequal.evaluation.metrics.contract import ProbeRecord
from unequal.evaluation.metrics.leak import clopper_pearson_upper, n_leaks
from unequal.strict import PositiveInt

Temperature = Annotated[float, Field(gt=0.0)]
TopP = Annotated[float, Field(gt=0.0, le=1.0)]


class Sampling(Attack):
    """Draws n answers at each point of the grid; a leak is a text that holds an accepted answer.

    ``leak_at_k`` is the chance that at least one of k samples leaks, 1 − C(n−c, k)/C(n, k) for c leaking
    ones, at each point and at the worst; ``leak_upper_bound`` is the largest of the points' exact one-sided
    95% bounds of the chance that one sample leaks, and so a 95% bound at the worst point too.
    """

    title: ClassVar[str] = "Sampling"
    shows: ClassVar[str] = "whether answers that greedy decoding hides come out by chance"
    source: ClassVar[str] = (
        "estimator: Chen et al. (2021), arXiv 2107.03374; bound: Clopper and Pearson (1934), for unlearning"
        " Scholten et al. (2024), arXiv 2410.03523"
    )
    metrics: ClassVar[tuple[str, ...]] = ("leak_at_k", "leak_upper_bound")
    cost: ClassVar[float] = 10.0

    kind: Literal["sample"] = "sample"
    n: PositiveInt = Field(default=20, description="samples of a question at each point")
    k: PositiveInt = Field(default=10, description="samples among which a leak is looked for")
    temperatures: tuple[Temperature, ...] = Field(
        default=(0.7, 1.0), min_length=1, description="temperatures of the grid"
    )
    top_ps: tuple[TopP, ...] = Field(
        default=(0.9, 1.0), min_length=1, description="nucleus shares of the grid"
    )

    @model_validator(mode="after")
    def _enough_samples(self) -> Self:
        if self.k > self.n:
            raise ValueError(f"k must be at most n ({self.n}), not {self.k}")
        for values in (self.temperatures, self.top_ps):
            if len(set(values)) < len(values):
                raise ValueError("a temperature or top_p stands twice")
        return self

    @property
    def points(self) -> list[tuple[float, float]]:
        """Every temperature with every top_p."""
        return list(product(self.temperatures, self.top_ps))

    @property
    def measured(self) -> tuple[str, ...]:
        """The worst point's metrics, and leak_at_k of each point."""
        return (*self.metrics, *(f"leak_at_k_t{heat:g}_p{mass:g}" for heat, mass in self.points))

    def run(self, context: AttackContext) -> pl.DataFrame:
        """Return the rows: over the grid, and of each of its points."""
        from unequal.scoring.sample import SamplePass

        asked = [question(context, fact) for fact in context.attacked]
        kept = [probe for probe in asked if fits(context, probe)]
        heat, mass = self.points[0]
        sampling = SamplePass(context.tokenizer, kept, self.n, heat, mass, context.seed)
        context.model.eval()
        grid = sampling.run_grid(context.model, self.points)
        found: dict[str, dict[str, Found]] = {
            probe.fact_id: dict.fromkeys(self.measured, (None, TOO_LONG)) for probe in asked
        }
        for index, probe in enumerate(kept):
            leaks = [n_leaks(ProbeRecord(probe, samples=tuple(texts[index]))) for texts in grid]
            at_k = [1 - comb(self.n - c, self.k) / comb(self.n, self.k) for c in leaks]
            values = (max(at_k), clopper_pearson_upper(max(leaks), self.n), *at_k)
            found[probe.fact_id] = {
                name: (value, None) for name, value in zip(self.measured, values, strict=True)
            }
        return rows(self, context, found)
