"""NPO, negative preference optimisation: ascent that fades as answers fall below the starting model's."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from unequal.unlearning.method import ForgetScores, Method, Need, Scheduled

if TYPE_CHECKING:
    from torch import Tensor


class NPO(Method):
    """Bounded below: its gradient falls to 0 as an answer's probability falls far under the start."""

    title: ClassVar[str] = "Negative preference optimisation"
    formula: ClassVar[str] = "−(2/β) log σ(β(S − S⁰))"
    source: ClassVar[str] = "Zhang et al. (2024), arXiv 2404.05868, equation 3"
    cost: ClassVar[str] = "1 pass a step, and 1 before the run of the starting model"
    needs: ClassVar[frozenset[Need]] = frozenset({"reference"})
    scheduled: ClassVar[Mapping[Scheduled, str]] = {"beta": "beta"}

    kind: Literal["npo"] = "npo"
    beta: float = Field(
        default=0.1, gt=0.0, description="β, inverse temperature: the larger, the sooner the gradient fades"
    )

    def forget_loss(self, scores: ForgetScores) -> "Tensor":
        """Return −(2/β) log σ(β(S − S⁰)) of each fact, ``(batch,)``."""
        from torch.nn.functional import logsigmoid

        gain = scores.policy.nll - scores.get("reference").nll
        beta = scores.each("beta", self.beta)
        return -2 / beta * logsigmoid(beta * gain)
