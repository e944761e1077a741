"""Task arithmetic: subtract from the parameters what fine-tuning on the facts would add to them."""

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from unequal.unlearning.method_kinds import WeightMethod

if TYPE_CHECKING:
    from torch import Tensor


class TaskVector(WeightMethod):
    """No steps are trained: evaluated step k of n stands at α·k/n, so that a run is a sweep of α."""

    title: ClassVar[str] = "Task vector negation"
    formula: ClassVar[str] = "θ⁰ − α(θ_finetuned-on-forget − θ⁰)"
    source: ClassVar[str] = "Ilharco et al. (2022), arXiv 2212.04089"

    kind: Literal["task_vector"] = "task_vector"
    scale: float = Field(default=1.0, gt=0.0, description="α at the run's last step")

    def weight(self, start: "Tensor", tuned: "Tensor", share: float) -> "Tensor":
        """Return θ⁰ − share·α(θ_tuned − θ⁰)."""
        return start - share * self.scale * (tuned - start)
