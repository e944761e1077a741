"""WGA, weighted gradient ascent: each token is weighted by its probability."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from unequal.unlearning.method import ForgetScores, Method, Scheduled, TokenScores

if TYPE_CHECKING:
    from torch import Tensor


class WeightedAscent(Method):
    """Ascent without its explosion: a token of small probability has a small weight."""

    title: ClassVar[str] = "Weighted gradient ascent"
    formula: ClassVar[str] = "−mean sg(p_t)^β l_t"
    source: ClassVar[str] = "Wang et al. (2025), arXiv 2502.19301"
    scheduled: ClassVar[Mapping[Scheduled, str]] = {"beta": "beta"}

    kind: Literal["wga"] = "wga"
    beta: float = Field(default=1.0, ge=0.0, description="1 to 5 in the source; 0 is plain ascent")

    def forget_loss(self, scores: ForgetScores) -> "Tensor":
        """Return −mean sg(p_t)^β l_t of each fact, ``(batch,)``."""
        return weighted_ascent(scores.policy, scores.each("beta", self.beta, axes=2))


def weighted_ascent(answers: TokenScores, beta: "float | Tensor") -> "Tensor":
    """Return −mean sg(p_t)^β l_t of each answer, ``(batch,)``; β is one number or ``(batch, 1)``."""
    weights = (beta * answers.log_probs.detach()).exp()
    return answers.mean(weights * answers.log_probs)
