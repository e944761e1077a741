"""JensUn: refusals by Jensen-Shannon divergence, bounded on both sides."""

from math import log
from typing import TYPE_CHECKING, ClassVar, Literal

from unequal.unlearning.method import ForgetScores, Method, Need, RetainLoss

if TYPE_CHECKING:
    from torch import Tensor


class JensUn(Method):
    """Refusals and retained distributions by the same bounded divergence: gradients never explode."""

    title: ClassVar[str] = "Unlearning by Jensen-Shannon divergence"
    formula: ClassVar[str] = "mean JSD(p_t, onehot(refusal_t)), and JSD(p, p⁰) on retain answers"
    source: ClassVar[str] = "Singh et al. (2025), arXiv 2509.02820"
    cost: ClassVar[str] = (
        "1 pass a step, over refusals in place of answers, and 1 before the run of the starting model on"
        " retain answers"
    )
    needs: ClassVar[frozenset[Need]] = frozenset({"refusal"})
    scores_answers: ClassVar[bool] = False

    kind: Literal["jensun"] = "jensun"
    learning_rate: float = 8e-6
    retain_loss: RetainLoss = "jsd"

    def forget_loss(self, scores: ForgetScores) -> "Tensor":
        """Return the mean divergence of each refusal token, ``(batch,)``, in nats, at most ln 2.

        Against a single token the divergence depends on its probability alone:
        ln 2 + ½[p ln p − (1 + p) ln(1 + p)].
        """
        refusal = scores.get("refusal")
        p = refusal.log_probs.exp()
        return refusal.mean(log(2) + (p * refusal.log_probs - (1 + p) * p.log1p()) / 2)
