"""IHL, inverted hinge loss: make the true token less probable than the best other one, and no further."""

from typing import TYPE_CHECKING, ClassVar, Literal

from unequal.unlearning.method import ForgetScores, Method

if TYPE_CHECKING:
    from torch import Tensor


class InvertedHinge(Method):
    """Lowers the true token's probability and raises that of its strongest rival; bounded between 0 and 2.

    The source trains low-rank adapters at this rate; for all weights take a smaller one.
    """

    title: ClassVar[str] = "Inverted hinge loss (LoKU)"
    formula: ClassVar[str] = "mean max(0, 1 + p_t(y_t) − max_{v≠y_t} p_t(v))"
    source: ClassVar[str] = "Cha et al. (2024), arXiv 2408.06621"
    whole: ClassVar[frozenset[str]] = frozenset({"policy"})

    kind: Literal["ihl"] = "ihl"
    learning_rate: float = 1e-4

    def forget_loss(self, scores: ForgetScores) -> "Tensor":
        """Return the mean inverted hinge of each fact, ``(batch,)``, between 0 and 2."""
        answer, distributions = scores.policy.every_token()
        rival = distributions.scatter(2, answer.unsqueeze(2), float("-inf")).amax(2).exp()
        return scores.policy.mean((1 + scores.policy.log_probs.exp() - rival).clamp(min=0.0))
