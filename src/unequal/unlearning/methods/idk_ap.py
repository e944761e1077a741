"""IDK with answer preservation: refusal training, with retain answers preferred to refusals."""

from typing import ClassVar, Literal

from unequal.unlearning.method import RetainLoss
from unequal.unlearning.methods.idk import RefusalTraining


class AnswerPreservation(RefusalTraining):
    """`idk`; on retain questions −(1/β) log σ(β(S_refusal − S)), β 0.1, so that refusals do not spread."""

    title: ClassVar[str] = "Refusal training with answer preservation"
    formula: ClassVar[str] = "S_refusal/n_refusal, and −(1/β) log σ(β(S_refusal − S)) on retain answers"
    source: ClassVar[str] = "Yuan et al. (2024), arXiv 2410.08109"
    cost: ClassVar[str] = "1 pass a step, over refusals of forget and retain questions too"

    kind: Literal["idk_ap"] = "idk_ap"  # type: ignore[assignment]
    learning_rate: float = 1e-5
    retain_weight: float = 1.0
    retain_loss: RetainLoss = "preference"
