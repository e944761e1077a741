"""GA with KL: gradient ascent, and KL divergence from the starting model on what to retain."""

from typing import ClassVar, Literal

from unequal.unlearning.method import RetainLoss
from unequal.unlearning.methods.ga import GradientAscent


class GradientAscentKL(GradientAscent):
    """Gradient ascent; retain answers stay close to the starting model, token by token."""

    title: ClassVar[str] = "Gradient ascent with a KL retain term"
    formula: ClassVar[str] = "−S/n, and KL(p⁰‖p) on retain answers"
    source: ClassVar[str] = "TOFU, Maini et al. (2024), arXiv 2401.06121"
    cost: ClassVar[str] = "1 pass a step, and 1 before the run of the starting model on retain answers"

    kind: Literal["ga_kl"] = "ga_kl"  # type: ignore[assignment]
    retain_weight: float = 1.0
    retain_loss: RetainLoss = "kl"
