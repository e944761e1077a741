"""SatImp: gradient ascent weighted by saturation and importance of each token."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from unequal.unlearning.method import ForgetScores, Method, Scheduled

if TYPE_CHECKING:
    from torch import Tensor


class SaturationImportance(Method):
    """p^β1 drops tokens that are forgotten enough (saturation), (1 − p)^β2 those of no importance."""

    title: ClassVar[str] = "Saturation and importance reweighting"
    formula: ClassVar[str] = "−mean sg(p_t)^β1 (1 − sg p_t)^β2 l_t"
    source: ClassVar[str] = "Yang et al. (2025), arXiv 2505.11953"
    scheduled: ClassVar[Mapping[Scheduled, str]] = {"beta": "beta1"}

    kind: Literal["satimp"] = "satimp"
    beta1: float = Field(default=5.0, ge=0.0, description="β1, of saturation")
    beta2: float = Field(default=1.0, ge=0.0, description="β2, of importance")
    forget_weight: float = Field(default=1.0, ge=0.0, description="γ")
    retain_weight: float = Field(default=0.1, ge=0.0)

    def forget_loss(self, scores: ForgetScores) -> "Tensor":
        """Return −mean sg(p_t)^β1 (1 − sg p_t)^β2 l_t of each fact, ``(batch,)``."""
        sure = scores.policy.log_probs.detach()
        unsure = (-sure.expm1()).clamp(min=0.0)  # 1 − p, exact where p is near 1
        saturation = scores.each("beta", self.beta1, axes=2)
        weights = (saturation * sure).exp() * unsure**self.beta2
        return scores.policy.mean(weights * scores.policy.log_probs)
