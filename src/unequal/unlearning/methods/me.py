"""ME, maximum entropy: make the distribution of every answer token uniform."""

from math import log
from typing import TYPE_CHECKING, ClassVar, Literal

from unequal.unlearning.method import ForgetScores, Method

if TYPE_CHECKING:
    from torch import Tensor


class MaximumEntropy(Method):
    """Untargeted: nothing is said in place of the answer, the model is to be unsure at each of its tokens."""

    title: ClassVar[str] = "Maximum entropy"
    formula: ClassVar[str] = "mean KL(uniform‖p_t)"
    source: ClassVar[str] = "Yuan et al. (2024), arXiv 2410.08109; the direction of KL is that of their code"
    whole: ClassVar[frozenset[str]] = frozenset({"policy"})

    kind: Literal["me"] = "me"

    def forget_loss(self, scores: ForgetScores) -> "Tensor":
        """Return the mean divergence from the uniform to each token's distribution, ``(batch,)``, in nats."""
        _, distributions = scores.policy.every_token()
        return scores.policy.mean(-distributions.mean(2) - log(distributions.shape[2]))
