"""IDK, refusal training: teach the model to decline ("I do not know") in place of the answer."""

from typing import TYPE_CHECKING, ClassVar, Literal

from unequal.unlearning.method import ForgetScores, Method, Need

if TYPE_CHECKING:
    from torch import Tensor


class RefusalTraining(Method):
    """Cross-entropy on a refusal in varying words, with its end of text, so that the model learns to stop."""

    title: ClassVar[str] = "Refusal training (I don't know)"
    formula: ClassVar[str] = "S_refusal/n_refusal"
    source: ClassVar[str] = (
        "TOFU, Maini et al. (2024), arXiv 2401.06121; Krishnan et al. (2025), arXiv 2504.05058"
    )
    cost: ClassVar[str] = "1 pass a step, over refusals in place of answers"
    needs: ClassVar[frozenset[Need]] = frozenset({"refusal"})
    scores_answers: ClassVar[bool] = False

    kind: Literal["idk"] = "idk"
    learning_rate: float = 5e-6
    retain_weight: float = 5.0

    def forget_loss(self, scores: ForgetScores) -> "Tensor":
        """Return the mean negative log-probability of each refusal, ``(batch,)``."""
        return scores.get("refusal").mean_nll
