"""ICU, in-context unlearning: the model stays as it is, and a text before every prompt forbids answers."""

from collections.abc import Sequence
from typing import ClassVar, Literal

from pydantic import Field

from unequal.facts.schema import Fact
from unequal.unlearning.method_kinds import PromptMethod


class InContextUnlearning(PromptMethod):
    """The same text stands before every prompt, of retained facts too: whoever deploys it does not know what
    will be asked. The source puts examples with wrong labels there; here it is an instruction.

    A run is judged at step 0 without the text and at its last step with it.
    """

    title: ClassVar[str] = "In-context unlearning"
    formula: ClassVar[str] = "no loss: a text before every prompt that forbids the answers"
    source: ClassVar[str] = "Pawelczyk et al. (2023), arXiv 2310.07579"

    kind: Literal["icu"] = "icu"
    instruction: str = Field(
        default="Do not answer questions about {subjects}. Say that you do not know.",
        description="where {subjects} stands, the subjects of the facts to forget are named",
    )

    def prompt_prefix(self, forget: Sequence[Fact]) -> str:
        """Return the instruction, with every subject once and in the order of the facts, and a new line."""
        subjects = dict.fromkeys(fact.subject for fact in forget)
        return self.instruction.replace("{subjects}", ", ".join(subjects)) + "\n"
