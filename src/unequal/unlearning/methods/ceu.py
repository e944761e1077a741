"""CE-U, cross-entropy unlearning: towards the model's own distribution without the true token."""

from typing import TYPE_CHECKING, ClassVar, Literal

from unequal.unlearning.method import ForgetScores, Method

if TYPE_CHECKING:
    from torch import Tensor


class CrossEntropyUnlearning(Method):
    """Self-distillation on the present distribution without the true token; the target has no gradient.

    The source trains without a retain term, and skips each answer's first token, which here, with answers of
    one to three tokens, would leave little: all answer tokens count.
    """

    title: ClassVar[str] = "Cross-entropy unlearning"
    formula: ClassVar[str] = "mean CE(sg softmax(z_t with the logit of y_t at −∞), p_t)"
    source: ClassVar[str] = "Yang (2025), arXiv 2503.01224"
    whole: ClassVar[frozenset[str]] = frozenset({"policy"})

    kind: Literal["ceu"] = "ceu"
    retain_weight: float = 0.0

    def forget_loss(self, scores: ForgetScores) -> "Tensor":
        """Return the mean cross-entropy to the distribution without the true token, ``(batch,)``, in nats."""
        answer, now = scores.policy.every_token()
        without = now.detach().scatter(2, answer.unsqueeze(2), float("-inf")).softmax(2)
        return scores.policy.mean(-(without * now).sum(2))
