"""GradDiff, gradient difference: ascent on what to forget, descent on what to retain."""

from typing import ClassVar, Literal

from unequal.unlearning.methods.ga import GradientAscent


class GradientDifference(GradientAscent):
    """Gradient ascent with a retain term of equal weight."""

    title: ClassVar[str] = "Gradient difference"
    formula: ClassVar[str] = "−S/n, and a retain term"
    source: ClassVar[str] = "Liu et al. (2022), arXiv 2203.12817; TOFU, Maini et al. (2024), arXiv 2401.06121"

    kind: Literal["graddiff"] = "graddiff"  # type: ignore[assignment]
    retain_weight: float = 1.0
