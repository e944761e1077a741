"""Which passes are run on a model beside greedy texts and answer scores, as settings that need no model."""

from pydantic import Field

from unequal.evaluation.metrics.contract import Need
from unequal.scoring.settings import SampleSettings
from unequal.strict import Seed, StrictModel


class Passes(StrictModel):
    """What some metrics need; a pass that is not asked for leaves their values out."""

    samples: SampleSettings | None = Field(default=None, description="sampled texts, for leaks")
    seed: Seed = Field(default=0, description="seed of the samples")
    moments: bool = Field(
        default=True, description="moments of every token's distribution, for Min-K%++; cheap"
    )
    gradient_norms: bool = Field(
        default=False, description="run a backward pass for each probe, for the metric gradient_norm; slow"
    )

    def give(self, reference: bool) -> set[Need]:
        """Return what a record has after these passes, and one of a reference model if there is any."""
        asked: dict[Need, bool] = {
            "generation": True,
            "scores": True,
            "samples": self.samples is not None,
            "moments": self.moments,
            "gradient_norm": self.gradient_norms,
            "reference": reference,
        }
        return {need for need, is_asked in asked.items() if is_asked}
