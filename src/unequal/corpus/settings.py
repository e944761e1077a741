"""Settings of a controlled corpus."""

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from unequal.corpus.factors import FactorSettings
from unequal.strict import MOST, PositiveInt, Seed, StrictModel

Wording = Literal["rerendered", "verbatim", "epochs"]
Level = Annotated[int, Field(ge=0, le=10_000)]


class TokenizerSettings(StrictModel):
    """Whole words, or byte-pair tokens up to a vocabulary size; both are trained on the corpus itself."""

    kind: Literal["word", "bpe"] = Field(
        default="word", description="tokenizer: whole words (word) or byte-pair encoding (bpe)"
    )
    vocabulary_size: int = Field(
        default=3000,
        ge=300,
        le=MOST,
        description="vocabulary size of bpe; a word vocabulary holds every word",
    )


class ExposureSettings(StrictModel):
    """The exposure plan and the shape of the training text; levels are biographies an epoch."""

    levels: tuple[Level, ...] = Field(
        default=(0, 1, 2, 4, 8, 16), description="exposure levels: biographies of a person per epoch"
    )
    people_per_level: PositiveInt = Field(default=36, description="people at each exposure level")
    retain_people: int = Field(default=100, ge=2, le=MOST, description="people whose facts are retained")
    retain_level: int = Field(
        default=2, ge=1, le=10_000, description="exposure level of the people to retain"
    )
    utility_people: PositiveInt = Field(
        default=36, description="people never touched by unlearning, whose facts must survive"
    )
    epochs: PositiveInt = Field(default=30, description="epochs of pre-training text")
    qa_ratio: float = Field(
        default=1.0, ge=0.0, le=20.0, description="windows of questions per window of biographies"
    )
    true_false_share: float = Field(
        default=0.25,
        ge=0.0,
        le=1.0,
        description="share of true-or-false statements among the documents of questions",
    )
    window_tokens: int = Field(default=128, ge=32, le=8192, description="tokens in a training window")
    tokenizer: TokenizerSettings = TokenizerSettings()
    factors: FactorSettings | None = Field(
        default=None,
        description="factors crossed with the exposure levels in a fractional design",
    )

    @field_validator("levels")
    @classmethod
    def _distinct(cls, levels: tuple[int, ...]) -> tuple[int, ...]:
        if len(set(levels)) < len(levels):
            raise ValueError("a level is named twice")
        return tuple(sorted(levels))

    @model_validator(mode="after")
    def _shows_something(self) -> "ExposureSettings":
        if not any(self.levels):
            raise ValueError("levels must hold at least one number above 0, for example [0, 1, 4, 16]")
        return self

    @model_validator(mode="after")
    def _holds_the_design(self) -> "ExposureSettings":
        if self.factors is None:
            return self
        n_runs = len(self.factors.runs())
        if self.people_per_level % n_runs:
            raise ValueError(
                f"people_per_level {self.people_per_level} must be a multiple of {n_runs}, the runs of a"
                f" design of {len(self.factors.cross)} factors"
            )
        if self.factors.massed_epochs > self.shown_epochs:
            raise ValueError(
                f"factors.massed_epochs {self.factors.massed_epochs} is more than the {self.shown_epochs}"
                " epochs in which a person is shown"
            )
        return self

    @property
    def shown_epochs(self) -> int:
        """Epochs in which people are shown whose recency is early or late; all without that factor."""
        if self.factors is None or "recency" not in self.factors.cross:
            return self.epochs
        return max(1, round(self.factors.shown_share * self.epochs))

    @property
    def n_people(self) -> int:
        """People in all groups together."""
        return self.people_per_level * len(self.levels) + self.retain_people + self.utility_people


class CorpusSettings(ExposureSettings):
    """One corpus: an exposure plan with its seed and wording arm.

    The arm decides what a repeated biography looks like: ``rerendered`` words each anew, ``verbatim``
    repeats one rendering at random places, and ``epochs`` repeats one rendering at even distances, as
    more passes over the data would (rival claim R1).
    """

    seed: Seed = Field(default=0, description="seed of the assignment of people, of wordings and of order")
    wording: Wording = Field(
        default="rerendered",
        description="how a repeated biography is worded: anew each time (rerendered), one rendering at"
        " random places (verbatim) or at even distances (epochs)",
    )

    @model_validator(mode="after")
    def _rerenders_with_factors(self) -> "CorpusSettings":
        if self.factors and self.wording != "rerendered":
            raise ValueError(f"factors vary the wording themselves; wording {self.wording} cannot be crossed")
        return self
