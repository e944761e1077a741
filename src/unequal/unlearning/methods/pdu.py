"""PDU, primal-dual unlearning: flatten the logits of answers within a budget of retain loss."""

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from unequal.unlearning.method import Dual, ForgetScores, Method

if TYPE_CHECKING:
    from torch import Tensor


class PrimalDual(Method):
    """Log-probabilities serve for logits, since max − mean is the same for both.

    The source starts λ at 50 (MUSE) or 100 (TOFU) with a budget ε of 0.1 to 1.5 nats a token, both tuned, and
    holds λ for 3 to 5 of 10 epochs; steps here have no epochs, so that it is held for half the run.
    """

    title: ClassVar[str] = "Primal-dual unlearning"
    formula: ClassVar[str] = "mean (max_v z − mean_v z)², with λ ← max(0, λ + η(L_r − ε)) in place of α"
    source: ClassVar[str] = "Entesari et al. (2025), arXiv 2506.05314"
    whole: ClassVar[frozenset[str]] = frozenset({"policy"})

    kind: Literal["pdu"] = "pdu"
    dual: Dual | None = Field(
        default=Dual(rate=1.0, budget=0.3, start=50.0, warm_up_share=0.5),
        description="a retain weight that learns, in place of α",
    )

    def forget_loss(self, scores: ForgetScores) -> "Tensor":
        """Return the mean squared margin of the largest logit over the mean logit, ``(batch,)``."""
        _, now = scores.policy.every_token()
        return scores.policy.mean((now.amax(2) - now.mean(2)).square())
