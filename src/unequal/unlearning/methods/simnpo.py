"""SimNPO: negative preference optimisation by length-normalised probability, without a reference model."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from unequal.unlearning.method import ForgetScores, Method, Scheduled

if TYPE_CHECKING:
    from torch import Tensor


class SimNPO(Method):
    """An answer stops pulling once its mean negative log-probability is well above the margin δ."""

    title: ClassVar[str] = "Simple negative preference optimisation"
    formula: ClassVar[str] = "−(2/β) log σ(β(S/n − δ))"
    source: ClassVar[str] = "Fan et al. (2024), arXiv 2410.07163, equation 4; defaults for TOFU"
    scheduled: ClassVar[Mapping[Scheduled, str]] = {"beta": "beta", "margin": "margin"}

    kind: Literal["simnpo"] = "simnpo"
    beta: float = Field(
        default=2.5, gt=0.0, description="β, inverse temperature: the larger, the sooner the gradient fades"
    )
    margin: float = Field(default=0.0, ge=0.0, description="δ, in nats per token")
    forget_weight: float = Field(default=0.1375, ge=0.0, description="γ")

    def forget_loss(self, scores: ForgetScores) -> "Tensor":
        """Return −(2/β) log σ(β(S/n − δ)) of each fact, ``(batch,)``."""
        from torch.nn.functional import logsigmoid

        beta, margin = scores.each("beta", self.beta), scores.each("margin", self.margin)
        return -2 / beta * logsigmoid(beta * (scores.policy.mean_nll - margin))
