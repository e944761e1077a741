"""Factors beside exposure that may make facts hard to forget: two levels each, assigned to people."""

from dataclasses import dataclass
from typing import Literal, get_args

from pydantic import Field, field_validator

from unequal.corpus.factorial_design import fractional_design
from unequal.strict import MOST, PositiveInt, StrictModel

FactorName = Literal[
    "wording_variety",
    "recency",
    "spacing",
    "facts_per_person",
    "answer_length",
    "object_popularity",
    "text_format",
    "asked",
]


@dataclass(frozen=True)
class Factor:
    """A factor's words: its title, its two levels, and whether it shapes the world or only the training."""

    title: str
    low: str
    high: str
    of_world: bool = False

    def level(self, high: bool) -> str:
        """Return the level's name."""
        return self.high if high else self.low


FACTORS: dict[FactorName, Factor] = {
    "wording_variety": Factor("number of wordings", "few", "many"),
    "recency": Factor("recency, position in training", "early", "late"),
    "spacing": Factor("spacing of exposures", "massed", "spread"),
    "facts_per_person": Factor("facts about the person", "few", "many", of_world=True),
    "answer_length": Factor("answer length", "short", "long", of_world=True),
    "object_popularity": Factor("popularity of the answer", "rare", "common", of_world=True),
    "text_format": Factor("format of the text", "prose", "record"),
    "asked": Factor("asked about in training", "no", "yes"),
}
"""Every factor with its levels; an effect is the high level's outcome less the low level's."""

Levels = dict[str, str]
"""The level of each factor that applies to a person."""


class FactorSettings(StrictModel):
    """Which factors are crossed with exposure, and what their levels stand for."""

    cross: tuple[FactorName, ...] = Field(
        default=get_args(FactorName), min_length=1, description="factors to cross with exposure"
    )
    few_wordings: PositiveInt = Field(
        default=1, description="renderings of a person with few wordings, which then repeat"
    )
    shown_share: float = Field(
        default=0.75,
        gt=0.0,
        lt=1.0,
        description="share of the epochs in which a person is shown: the first (early) or the last (late)",
    )
    massed_epochs: int = Field(
        default=4, ge=1, le=MOST, description="epochs in which all exposures of a massed person lie"
    )
    few_facts: PositiveInt = Field(
        default=2, description="relations of a person with few facts, the first of the world's"
    )
    common_objects: int = Field(
        default=4, ge=1, le=MOST, description="answers that common facts of a relation share"
    )
    asked_share: float = Field(
        default=0.5,
        gt=0.0,
        le=1.0,
        description="share of the exposures of a person asked about that are questions in place of"
        " biographies",
    )

    @field_validator("cross")
    @classmethod
    def _distinct(cls, names: tuple[FactorName, ...]) -> tuple[FactorName, ...]:
        if len(set(names)) < len(names):
            raise ValueError("a factor is named twice")
        return names

    def runs(self) -> list[Levels]:
        """Return the runs of the design, each as the levels of all crossed factors."""
        return [
            {name: FACTORS[name].level(high) for name, high in zip(self.cross, run, strict=True)}
            for run in fractional_design(len(self.cross))
        ]


def world_levels(levels: Levels) -> Levels:
    """Return the levels that shape the world, without the levels of training."""
    return {name: level for name, level in levels.items() if FACTORS[name].of_world}  # type: ignore[index]
