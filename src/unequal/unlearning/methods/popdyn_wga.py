"""WGA by popularity: weighted gradient ascent whose exponent depends on how popular a fact is."""

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from unequal.unlearning.method import ForgetScores, Method, Need
from unequal.unlearning.methods.wga import weighted_ascent

if TYPE_CHECKING:
    from torch import Tensor


class PopularityAscent(Method):
    """`wga` with β falling in popularity: popular facts pull even where the model is no longer sure of them.

    The constants were fitted to Wikipedia link counts, not to counts in training text.
    """

    title: ClassVar[str] = "Popularity-weighted gradient ascent"
    formula: ClassVar[str] = "−mean sg(p_t)^β_i l_t, β_i = clip(58.7·popularity^−0.796, 0.05, 2)"
    source: ClassVar[str] = "Borisiuk et al. (2026), arXiv 2602.19612 (DUET), and the code of AdaPop"
    needs: ClassVar[frozenset[Need]] = frozenset({"popularity"})

    kind: Literal["popdyn_wga"] = "popdyn_wga"
    retain_weight: float = Field(default=0.5, ge=0.0, description="α0")
    scale: float = Field(
        default=58.7, gt=0.0, description="factor of the power law of popularity that gives β"
    )
    power: float = Field(
        default=-0.796, le=0.0, description="exponent of the power law of popularity that gives β"
    )
    least: float = Field(default=0.05, ge=0.0, description="the least β")
    most: float = Field(default=2.0, gt=0.0, description="the largest β")

    def forget_loss(self, scores: ForgetScores) -> "Tensor":
        """Return −mean sg(p_t)^β_i l_t of each fact, ``(batch,)``."""
        if scores.popularity is None:
            raise KeyError("the method uses popularity without listing it in needs")
        beta = (self.scale * scores.popularity**self.power).clamp(self.least, self.most)
        return weighted_ascent(scores.policy, beta.unsqueeze(1))
