"""Stopping rules: when a run ends before its last step, and when a single fact is done."""

from typing import Annotated, Literal, NamedTuple

from pydantic import Field, model_validator

from unequal.strict import StrictModel

Probability = Annotated[float, Field(ge=0.0, le=1.0)]


Reason = Literal["forgotten", "utility", "ignorance", "perplexity"]


class Stopped(NamedTuple):
    """A run that a rule ended: at which step of how many, why, and the step of the model that is kept."""

    step: int
    steps: int
    rule: Reason
    why: str
    kept_step: int

    def sentence(self) -> str:
        """Return it in words."""
        kept = "" if self.kept_step == self.step else f"; the model is that of step {self.kept_step}"
        return f"stopped at step {self.step} of {self.steps}: {self.why}{kept}"


class Stopping(StrictModel):
    """Rules that end a run early; without any it lasts its steps.

    They look at the probability of answers per token, exp(−S/n), averaged over facts, or at the perplexity of
    held-out text; neither needs generated text. A run ends at the first check at which a rule holds.
    """

    forget_probability: Probability | None = Field(
        default=None,
        description="stop when the answers to forget are no more probable than this; by default never",
    )
    utility_drop: Probability | None = Field(
        default=None,
        description="stop when the answers of the facts in --utility have lost this share of their"
        " probability,"
        " and keep the model of the check before; by default never",
    )
    perplexity_rise: Annotated[float, Field(ge=0.0)] | None = Field(
        default=None,
        description="stop when the perplexity of held-out text (general.text) has risen by this share, and"
        " keep the model of the check before; by default never",
    )
    matched_ignorance: bool = Field(
        default=False,
        description="a fact is done when its answer is no more probable than those of never-seen facts of its"
        " relation; end when all are",
    )
    check_every: int = Field(default=1, ge=1, description="steps between checks")

    @property
    def is_set(self) -> bool:
        """Whether any rule is there."""
        return self.forget_probability is not None or self.goes_back or self.matched_ignorance

    @property
    def goes_back(self) -> bool:
        """Whether there is a rule after which the model of the check before is kept."""
        return self.utility_drop is not None or self.perplexity_rise is not None

    @model_validator(mode="after")
    def _checks_something(self) -> "Stopping":
        if self.check_every != 1 and not self.is_set:
            raise ValueError(
                "check_every needs a rule: forget_probability, utility_drop, perplexity_rise or"
                " matched_ignorance"
            )
        return self
