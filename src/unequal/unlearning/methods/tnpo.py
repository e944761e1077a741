"""TNPO, token-wise negative preference optimisation: each token fades on its own."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from unequal.unlearning.method import ForgetScores, Method, Need, Scheduled

if TYPE_CHECKING:
    from torch import Tensor


class TokenwiseNPO(Method):
    """The weight that NPO gives a whole answer, given to each of its tokens; without gradient of its own."""

    title: ClassVar[str] = "Token-wise negative preference optimisation"
    formula: ClassVar[str] = "−mean sg(w_t) l_t, w_t = 2p_t^β/(p_t^β + p_t⁰^β)"
    source: ClassVar[str] = "Wang et al. (2025), arXiv 2502.19301"
    cost: ClassVar[str] = "1 pass a step, and 1 before the run of the starting model"
    needs: ClassVar[frozenset[Need]] = frozenset({"reference"})
    scheduled: ClassVar[Mapping[Scheduled, str]] = {"beta": "beta"}

    kind: Literal["tnpo"] = "tnpo"
    beta: float = Field(
        default=4.0,
        gt=0.0,
        description="β, inverse temperature: the larger, the sooner a token's weight fades",
    )

    def forget_loss(self, scores: ForgetScores) -> "Tensor":
        """Return −mean sg(w_t) l_t of each fact, ``(batch,)``."""
        now = scores.policy.log_probs
        lead = now.detach() - scores.get("reference").log_probs
        weights = 2 * (scores.each("beta", self.beta, axes=2) * lead).sigmoid()
        return scores.policy.mean(weights * now)
