"""Adaptive RMU: representation misdirection whose target is as long as each token's state, times a factor."""

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from unequal.unlearning.method_kinds import HiddenStateMethod

if TYPE_CHECKING:
    from torch import Tensor


class AdaptiveRMU(HiddenStateMethod):
    """Needs no length that fits the layer: one factor serves early and late layers and models of any size."""

    title: ClassVar[str] = "Adaptive representation misdirection"
    formula: ClassVar[str] = "mean (1/d)‖h_ℓ − λ‖h_ℓ⁰‖·u‖², with (1/d)‖h_ℓ − h_ℓ⁰‖² on what to retain"
    source: ClassVar[str] = "Dang et al. (2024), arXiv 2408.06223"

    kind: Literal["adaptive_rmu"] = "adaptive_rmu"
    learning_rate: float = 5e-5
    retain_weight: float = Field(default=1200.0, ge=0.0)
    scale: float = Field(default=5.0, gt=0.0, description="λ, on the length of each token's starting state")

    def target(self, direction: "Tensor", start: "Tensor") -> "Tensor":
        """Return λ‖h⁰‖·u of each token, ``(tokens, width)``."""
        lengths = start.square().sum(1, keepdim=True).sqrt()
        return self.scale * lengths * direction
