"""GA, gradient ascent on the answers to forget, without bound."""

from typing import TYPE_CHECKING, ClassVar, Literal

from unequal.unlearning.method import ForgetScores, Method

if TYPE_CHECKING:
    from torch import Tensor


class GradientAscent(Method):
    """Plain ascent has no retain term; `graddiff` is the same loss with one."""

    title: ClassVar[str] = "Gradient ascent"
    formula: ClassVar[str] = "−S/n"
    source: ClassVar[str] = "Jang et al. (2022), arXiv 2210.01504"

    kind: Literal["ga"] = "ga"
    retain_weight: float = 0.0

    def forget_loss(self, scores: ForgetScores) -> "Tensor":
        """Return the mean log-probability of each answer, ``(batch,)``."""
        return -scores.policy.mean_nll
