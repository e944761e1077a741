"""NPO with sharpness-aware minimisation: forgetting that holds in a neighbourhood of the weights."""

from typing import ClassVar, Literal

from unequal.unlearning.method_kinds import SharpnessAwareMethod
from unequal.unlearning.methods.npo import NPO


class NPOSam(SharpnessAwareMethod, NPO):
    """Meant to withstand relearning. As in the source only the forget term looks at the neighbourhood."""

    title: ClassVar[str] = "Negative preference optimisation, sharpness-aware"
    formula: ClassVar[str] = "−(2/β) log σ(β(S − S⁰)), its gradient at θ + ρ g/‖g‖"
    source: ClassVar[str] = "Fan et al. (2025), arXiv 2502.05374"

    kind: Literal["npo_sam"] = "npo_sam"  # type: ignore[assignment]
