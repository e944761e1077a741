"""UNDIAL: self-distillation from the starting model with the true token's logit lowered."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from unequal.unlearning.method import ForgetScores, Method, Need, Scheduled

if TYPE_CHECKING:
    from torch import Tensor


class Undial(Method):
    """Self-distillation on the starting model's distributions, the logit of the true token lowered by β.

    The mean is over answer tokens. The source trains without a retain term: set ``retain_weight`` for one.
    """

    title: ClassVar[str] = "Unlearning by self-distillation on adjusted logits"
    formula: ClassVar[str] = "mean CE(softmax(z_t⁰ − β·onehot(y_t)), p_t)"
    source: ClassVar[str] = "Dong et al. (2024), arXiv 2402.10052"
    cost: ClassVar[str] = "1 pass a step, and 1 before the run of the starting model"
    needs: ClassVar[frozenset[Need]] = frozenset({"reference"})
    whole: ClassVar[frozenset[str]] = frozenset({"policy", "reference"})
    scheduled: ClassVar[Mapping[Scheduled, str]] = {"beta": "beta"}

    kind: Literal["undial"] = "undial"
    learning_rate: float = 1e-4
    retain_weight: float = 0.0
    beta: float = Field(
        default=10.0, ge=0.0, description="β, by which the logit of the true token is lowered"
    )

    def forget_loss(self, scores: ForgetScores) -> "Tensor":
        """Return the mean cross-entropy to the adjusted distributions of the start, ``(batch,)``, in nats."""
        answer, now = scores.policy.every_token()
        _, start = scores.get("reference").every_token()
        true = answer.unsqueeze(2)
        beta = scores.each("beta", self.beta, axes=3)
        lowered = start.scatter(2, true, start.gather(2, true) - beta)  # z⁰ up to a constant
        return scores.policy.mean(-(lowered.softmax(2) * now).sum(2))
