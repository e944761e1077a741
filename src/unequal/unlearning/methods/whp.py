"""WHP, Who's Harry Potter: distil the starting model's logits less what fine-tuning on the facts adds."""

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from unequal.unlearning.method import ForgetScores, Method, Need

if TYPE_CHECKING:
    from torch import Tensor


class WhosHarryPotter(Method):
    """Logits are the head's own, as in the source: a constant between those of two models would decide where
    ReLU cuts, so that log-probabilities, which lack it, would give another target. Texts with their names
    replaced, the source's second half, are not part of it. The source trains without a retain term.
    """

    title: ClassVar[str] = "Who's Harry Potter"
    formula: ClassVar[str] = "mean CE(softmax(z⁰ − α ReLU(z_reinforced − z⁰)), p)"
    source: ClassVar[str] = "Eldan and Russinovich (2023), arXiv 2310.02238"
    cost: ClassVar[str] = "1 pass a step, and training a copy for some rounds before the run"
    needs: ClassVar[frozenset[Need]] = frozenset({"reference", "reinforced"})
    whole: ClassVar[frozenset[str]] = frozenset({"policy", "reference", "reinforced"})

    kind: Literal["whp"] = "whp"
    retain_weight: float = 0.0
    strength: float = Field(default=5.0, ge=0.0, description="α, on what the reinforced model adds")

    def forget_loss(self, scores: ForgetScores) -> "Tensor":
        """Return the mean cross-entropy to the generic distributions, ``(batch,)``, in nats per token."""
        _, now = scores.policy.every_token()
        start, reinforced = scores.get("reference").logits, scores.get("reinforced").logits
        generic = start - self.strength * (reinforced - start).relu()
        return scores.policy.mean(-(generic.softmax(2) * now).sum(2))
