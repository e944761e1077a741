"""Kinds of method besides a loss of answer scores: hidden states, parameters, prompts, sharpness-aware."""

from typing import TYPE_CHECKING, Annotated, ClassVar, Self

from pydantic import Field, model_validator

from unequal.errors import ConfigError
from unequal.strict import MOST
from unequal.unlearning.method import Method

if TYPE_CHECKING:
    from torch import Tensor


class SharpnessAwareMethod(Method):
    """A method whose forget gradient is taken where, within a radius ρ, its forget loss is about worst."""

    cost: ClassVar[str] = "3 passes a step, two of them over what to forget"

    radius: float = Field(default=0.01, gt=0.0, description="ρ, in the norm of all parameters together")


class _OwnTerms(Method):
    """A method without answer scores, to which the settings of the terms around them do not apply."""

    @model_validator(mode="after")
    def _leaves_other_terms_alone(self) -> Self:
        if self.question_weight or self.dual or self.retain_loss != "nll":
            raise ValueError("question_weight, retain_loss and dual are for methods that score answers")
        return self


class HiddenStateMethod(_OwnTerms):
    """L_f = (1/d)‖h_ℓ − target‖² on forget answers and L_r = (1/d)‖h_ℓ − h_ℓ⁰‖² on retain answers.

    Means are over the states from which an answer's tokens are predicted: those on the tokens themselves
    come too late to change an answer of one token. Layers are run up to ℓ, and trained from ℓ−2
    to ℓ.
    """

    cost: ClassVar[str] = "1 pass a step through the layers up to ℓ"

    layer: Annotated[int, Field(ge=0, strict=True)] | Annotated[float, Field(gt=0, le=1)] = Field(
        default=0.25,
        union_mode="left_to_right",
        description="ℓ: a whole number counts from 0; a share of the depth such as 0.25 is layer 7 of 32",
    )
    n_trained: int = Field(default=3, ge=1, description="layers whose parameters change, ℓ the last of them")

    def layer_of(self, depth: int) -> int:
        """Return ℓ, counted from 0, in a model of so many layers; raises `ConfigError` when there is none."""
        if isinstance(self.layer, float):
            return max(round(self.layer * depth), 1) - 1
        if self.layer >= depth:
            raise ConfigError(f"layer {self.layer} of method {self.kind} must be below the model's {depth}")
        return self.layer

    def target(self, direction: "Tensor", start: "Tensor") -> "Tensor":
        """Return where the states of an answer should go, ``(tokens, width)``.

        ``direction`` is the run's random unit vector ``(width,)``; ``start`` holds the states at the start.
        """
        raise NotImplementedError


class WithoutLoss(_OwnTerms):
    """A method that minimises no loss, and so has no retain term either."""

    retain_weight: float = 0.0

    @model_validator(mode="after")
    def _has_no_terms(self) -> Self:
        if self.retain_weight:
            raise ValueError("retain_weight must be 0, since the method minimises no loss")
        return self


class WeightMethod(WithoutLoss):
    """A method that computes each parameter from its start and from a copy trained on the facts to forget."""

    cost: ClassVar[str] = "no steps; training a copy for some rounds"

    rounds: int = Field(
        default=5, ge=1, le=MOST, description="passes over the facts in which the copy is trained"
    )

    def weight(self, start: "Tensor", tuned: "Tensor", share: float) -> "Tensor":
        """Return a parameter of the model at that share, from 0 to 1, of the whole way."""
        raise NotImplementedError


class PromptMethod(WithoutLoss):
    """A method that leaves the model as it is and puts ``prompt_prefix`` before every prompt."""

    cost: ClassVar[str] = "no training; longer prompts"
