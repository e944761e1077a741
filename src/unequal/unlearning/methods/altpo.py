"""AltPO, alternate preference optimisation: prefer a plausible wrong answer to the right one."""

from typing import ClassVar, Literal

from unequal.unlearning.method import Need
from unequal.unlearning.methods.dpo import PreferenceForRefusals


class AlternatePreference(PreferenceForRefusals):
    """`dpo` whose preferred answer is an alternative that the starting model itself finds plausible."""

    title: ClassVar[str] = "Alternate preference optimisation"
    formula: ClassVar[str] = "−(2/β) log σ(β[(S_w⁰ − S_w) − (S⁰ − S)]), w an alternative"
    source: ClassVar[str] = "Mekala et al. (2024), arXiv 2409.13474"
    cost: ClassVar[str] = (
        "1 pass a step, over alternatives too, and some before the run of the starting model"
    )
    needs: ClassVar[frozenset[Need]] = frozenset({"reference", "alternative", "alternative_reference"})
    preferred: ClassVar[Literal["refusal", "alternative"]] = "alternative"

    kind: Literal["altpo"] = "altpo"  # type: ignore[assignment]
    learning_rate: float = 5e-5
    retain_weight: float = 2.0
