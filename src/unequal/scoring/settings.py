"""Sampling settings (no torch needed)."""

from pydantic import Field

from unequal.strict import PositiveInt, StrictModel


class SampleSettings(StrictModel):
    """How many continuations of a prompt, from which distribution.

    Temperature 0 is greedy decoding; ``top_p`` keeps the smallest set of tokens that has this much of the
    probability (nucleus sampling, Holtzman et al., 2020), after the temperature.
    """

    n: PositiveInt = Field(description="texts to sample for each prompt, for the metrics of leaks")
    temperature: float = Field(
        default=1.0, ge=0.0, description="temperature of the samples; 0 is greedy decoding"
    )
    top_p: float = Field(
        default=1.0,
        gt=0.0,
        le=1.0,
        description="nucleus sampling: share of the probability that samples are drawn from",
    )
