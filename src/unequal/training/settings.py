"""Training settings: the optimiser with its schedule, and a pre-training pass (no torch needed)."""

from math import cos, pi
from typing import Literal

from pydantic import Field

from unequal.models.compute_settings import Precision
from unequal.strict import GREATEST, StrictModel


class OptimiserSettings(StrictModel):
    """AdamW (Loshchilov and Hutter, 2019) with warm-up, a schedule, and clipping by global norm."""

    learning_rate: float = Field(default=6e-3, gt=0, le=GREATEST, description="peak learning rate")
    schedule: Literal["cosine", "linear", "constant"] = Field(
        default="cosine", description="learning-rate schedule"
    )
    warmup_share: float = Field(
        default=0.05, ge=0.0, lt=1.0, description="share of the steps in which the learning rate warms up"
    )
    final_share: float = Field(
        default=0.1, ge=0.0, le=1.0, description="learning rate at the last step, as a share of the peak"
    )
    weight_decay: float = Field(default=0.01, ge=0.0, le=GREATEST, description="weight decay of AdamW")
    beta1: float = Field(default=0.9, ge=0.0, lt=1.0, description="β1 of AdamW")
    beta2: float = Field(default=0.99, ge=0.0, lt=1.0, description="β2 of AdamW")
    clip_norm: float = Field(default=1.0, gt=0.0, le=GREATEST, description="largest norm of the gradient")

    def rate(self, step: int, n_steps: int) -> float:
        """Return the learning rate of a step, counted from 0: a pure function, so resuming needs no state."""
        n_warmup = round(self.warmup_share * n_steps)
        if step < n_warmup:
            return self.learning_rate * (step + 1) / n_warmup
        done = (step - n_warmup) / max(1, n_steps - n_warmup)
        match self.schedule:
            case "cosine":
                share = self.final_share + (1 - self.final_share) * (1 + cos(pi * done)) / 2
            case "linear":
                share = 1 - (1 - self.final_share) * done
            case "constant":
                share = 1.0
        return self.learning_rate * share


class PretrainSettings(StrictModel):
    """One pass over the corpus, which holds all its epochs in order."""

    batch_windows: int = Field(default=8, ge=1, description="token windows in an optimiser step")
    micro_batch_windows: int = Field(default=16, ge=1, description="token windows in a forward pass")
    compile: bool = Field(default=False, description="compile the model with torch.compile")
    precision: Precision = Field(
        default="fp32",
        description="fp32, bf16 (matrix products; parameters stay fp32) or bf16-pure (parameters too)",
    )
    gradient_checkpointing: bool = Field(
        default=False,
        description="recompute activations in the backward pass to save memory",
    )
    optimiser: OptimiserSettings = OptimiserSettings()
