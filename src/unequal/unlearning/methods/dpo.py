"""DPO, direct preference optimisation: prefer a refusal to the answer, relative to the starting model."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from unequal.unlearning.method import ForgetScores, Method, Need, Scheduled

if TYPE_CHECKING:
    from torch import Tensor


class PreferenceForRefusals(Method):
    """Preference of a refusal over the answer; TOFU calls it IdkDPO, and `idk_dpo` is the same method."""

    title: ClassVar[str] = "Direct preference optimisation towards a refusal"
    formula: ClassVar[str] = "−(2/β) log σ(β[(S_w⁰ − S_w) − (S⁰ − S)]), w a refusal"
    source: ClassVar[str] = (
        "Rafailov et al. (2023), arXiv 2305.18290, equation 7; for unlearning: TOFU, Maini et al. (2024),"
        " arXiv 2401.06121"
    )
    cost: ClassVar[str] = "1 pass a step, over refusals too, and 1 before the run of the starting model"
    needs: ClassVar[frozenset[Need]] = frozenset({"reference", "refusal", "refusal_reference"})
    scheduled: ClassVar[Mapping[Scheduled, str]] = {"beta": "beta"}
    preferred: ClassVar[Literal["refusal", "alternative"]] = "refusal"

    kind: Literal["dpo", "idk_dpo"] = "dpo"
    beta: float = Field(default=0.1, gt=0.0, description="β, inverse temperature of the preference")

    def forget_loss(self, scores: ForgetScores) -> "Tensor":
        """Return −(2/β) log σ(β[(S_w⁰ − S_w) − (S⁰ − S)]) of each fact, ``(batch,)``."""
        from torch.nn.functional import logsigmoid

        start = scores.get(f"{self.preferred}_reference").nll
        gain = start - scores.get(self.preferred).nll
        lost = scores.policy.nll - scores.get("reference").nll
        beta = scores.each("beta", self.beta)
        return -2 / beta * logsigmoid(beta * (gain + lost))
