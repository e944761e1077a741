"""ELM, erasure of language memory: towards the starting model's answers as a novice, not an expert."""

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from unequal.unlearning.method import ForgetScores, Method, Need, RetainLoss

if TYPE_CHECKING:
    from torch import Tensor


class ErasureOfLanguageMemory(Method):
    """Of the source's three terms, erasure and (as KL from the start) retention; its third, for fluent text
    after an erased concept, and its training of low-rank adapters in early layers are not here yet.

    Log-probabilities serve for logits, since the softmax takes no notice of constants.
    """

    title: ClassVar[str] = "Erasure of language memory"
    formula: ClassVar[str] = "mean CE(softmax(z⁰ + η(z_novice − z_expert)), p)"
    source: ClassVar[str] = "Gandikota et al. (2024), arXiv 2410.02760"
    cost: ClassVar[str] = "1 pass a step, and 3 before the run of the starting model"
    needs: ClassVar[frozenset[Need]] = frozenset({"reference", "novice", "expert"})
    whole: ClassVar[frozenset[str]] = frozenset({"policy", "reference", "novice", "expert"})

    kind: Literal["elm"] = "elm"
    learning_rate: float = 5e-5
    retain_loss: RetainLoss = "kl"
    strength: float = Field(default=1000.0, ge=0.0, description="η, on what the novice says more")

    def forget_loss(self, scores: ForgetScores) -> "Tensor":
        """Return the mean cross-entropy to the novice's distributions, ``(batch,)``, in nats per token."""
        _, now = scores.policy.every_token()
        _, start = scores.get("reference").every_token()
        _, novice = scores.get("novice").every_token()
        _, expert = scores.get("expert").every_token()
        erased = start + self.strength * (novice - expert)
        return scores.policy.mean(-(erased.softmax(2) * now).sum(2))
