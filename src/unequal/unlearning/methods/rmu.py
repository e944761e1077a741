"""RMU, representation misdirection: push the hidden states of answers towards one random direction."""

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from unequal.unlearning.method_kinds import HiddenStateMethod

if TYPE_CHECKING:
    from torch import Tensor


class RMU(HiddenStateMethod):
    """The source trains one matrix of each of the layers, and steers on whole texts; here it is the layers
    whole, on answers. Its defaults are for a model of 32 layers, whose states are longer than a small one's.
    """

    title: ClassVar[str] = "Representation misdirection for unlearning"
    formula: ClassVar[str] = "mean (1/d)‖h_ℓ − c·u‖², with (1/d)‖h_ℓ − h_ℓ⁰‖² on what to retain"
    source: ClassVar[str] = "Li et al. (2024), arXiv 2403.03218, equation 1"

    kind: Literal["rmu"] = "rmu"
    learning_rate: float = 5e-5
    retain_weight: float = Field(default=1200.0, ge=0.0)
    steering: float = Field(default=6.5, gt=0.0, description="c, the length that states should have along u")

    def target(self, direction: "Tensor", start: "Tensor") -> "Tensor":
        """Return c·u for every token, ``(tokens, width)``."""
        return (self.steering * direction).expand_as(start)
