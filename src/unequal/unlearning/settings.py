"""Settings of an unlearning run besides its method: target, length, optimiser, evaluated steps."""

from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from unequal.models.adapters import AdapterSettings
from unequal.models.compute_settings import Precision, Scheme
from unequal.strict import GREATEST, StrictModel
from unequal.training.settings import OptimiserSettings
from unequal.unlearning.stopping import Stopping
from unequal.unlearning.weighting import Weighting


class TargetSettings(StrictModel):
    """One relation, of one exposure level or bucket of counts (the seed paper's design) or of all at once."""

    relation: str = Field(description="a relation, or the name of a fact table")
    level: Annotated[int, Field(ge=1)] | Literal["mixed"] = "mixed"
    bucket: Annotated[int, Field(ge=0)] | None = Field(
        default=None,
        description="of natural counts, 0 the rarest; by default all",
    )

    @property
    def name(self) -> str:
        """The target's name in tables: ``mixed``, ``level-16`` or ``bucket-2``."""
        if self.bucket is not None:
            return f"bucket-{self.bucket}"
        return "mixed" if self.level == "mixed" else f"level-{self.level}"

    @model_validator(mode="after")
    def _level_or_bucket(self) -> "TargetSettings":
        if self.bucket is not None and self.level != "mixed":
            raise ValueError("a target has a level of exposure or a bucket of counts, not both")
        return self


class UnlearnSettings(StrictModel):
    """How long a run lasts, what a step sees, and when it is evaluated; the rate is the method's own."""

    steps: int = Field(default=20, ge=1, description="optimiser steps")
    batch_size: int = Field(default=32, ge=1, description="facts to forget, and as many to retain, in a step")
    evaluate_at: tuple[int, ...] | None = Field(
        default=None,
        description="steps at which the model is evaluated; by default 0, 1, 2, 5, 10, 20, 50, … and the"
        " last",
    )
    schedule: Literal["cosine", "linear", "constant"] = Field(
        default="constant", description="learning-rate schedule"
    )
    warmup_share: float = Field(
        default=0.0, ge=0.0, lt=1.0, description="share of the steps in which the learning rate warms up"
    )
    weight_decay: float = Field(default=0.0, ge=0.0, le=GREATEST, description="weight decay of AdamW")
    clip_norm: float = Field(default=1.0, gt=0.0, le=GREATEST, description="largest norm of the gradient")
    weighting: Weighting = Field(default=Weighting(), description="of facts to forget")
    stopping: Stopping = Field(default=Stopping(), description="before the last step")
    adapter: AdapterSettings | None = Field(
        default=None,
        description="low-rank adapter (LoRA) trained in place of the model's parameters",
    )
    quantise: Scheme | None = Field(
        default=None,
        description="keep the model's own weights in 8 or 4 bits while an adapter is trained",
    )
    micro_batch: int | None = Field(
        default=None,
        ge=1,
        description="facts to forget, and as many to retain, a forward pass; by default all of a step's",
    )
    gradient_checkpointing: bool = Field(
        default=False,
        description="recompute activations in the backward pass to save memory",
    )
    compile: bool = Field(default=False, description="compile the model with torch.compile")
    precision: Precision = Field(
        default="fp32",
        description="fp32, bf16 (matrix products; parameters stay fp32) or bf16-pure (parameters too)",
    )

    @field_validator("evaluate_at")
    @classmethod
    def _sorted(cls, steps: tuple[int, ...] | None) -> tuple[int, ...] | None:
        if steps is not None and min(steps, default=-1) < 0:
            raise ValueError("evaluate_at must hold at least one step and none below 0")
        return steps and tuple(sorted(set(steps)))

    @model_validator(mode="after")
    def _rounded_weights_are_not_trained(self) -> Self:
        if self.quantise and self.adapter is None:
            raise ValueError(
                f"quantise = '{self.quantise}' keeps weights that cannot be trained; set adapter too, such as"
                " adapter = { rank = 16 }"
            )
        if self.quantise and self.precision == "bf16-pure":
            raise ValueError(
                f"precision = 'bf16-pure' rounds weights that quantise = '{self.quantise}' keeps in few bits;"
                " use bf16, or leave out one of the two"
            )
        return self

    def evaluated_steps(self) -> tuple[int, ...]:
        """Return the steps at which the model is evaluated, the first and the last always among them."""
        spaced = self.evaluate_at if self.evaluate_at is not None else log_spaced(self.steps)
        return tuple(sorted({0, *(step for step in spaced if step <= self.steps), self.steps}))

    def optimiser(self, learning_rate: float) -> OptimiserSettings:
        """Return the optimiser's settings for a method's rate."""
        return OptimiserSettings.model_validate(
            {
                "learning_rate": learning_rate,
                "final_share": 0.0,
                **self.model_dump(include={"schedule", "warmup_share", "weight_decay", "clip_norm"}),
            }
        )


def log_spaced(last: int) -> tuple[int, ...]:
    """Return 0, 1, 2, 5, 10, 20, 50, … up to the last step."""
    steps = [0]
    scale = 1
    while scale <= last:
        steps += [scale * factor for factor in (1, 2, 5)]
        scale *= 10
    return tuple(step for step in steps if step <= last)
