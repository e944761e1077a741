"""Quantisation attack: the model with its linear layers in 8 or 4 bits."""

from typing import ClassVar, Literal

import polars as pl
from pydantic import Field

from unequal.attacks.attack import ANSWER_METRICS, Attack, AttackContext
from unequal.attacks.evaluate import evaluate, question
from unequal.models.compute_settings import Backend, Scheme


class Quantisation(Attack):
    """Puts the weights of all linear layers of a copy to the nearest value that the scheme can hold.

    As in bitsandbytes, embeddings and the language-model head stay as they are, and so do experts that are
    kept as one tensor; activations stay in full precision. The exact backend is our own arithmetic: it gives
    the weights that bitsandbytes gives, and does not depend on what is installed.
    """

    title: ClassVar[str] = "Quantisation"
    shows: ClassVar[str] = "whether facts return when the weights are rounded"
    source: ClassVar[str] = (
        "Zhang et al. (2024), arXiv 2410.16454; int8: Dettmers et al. (2022), arXiv 2208.07339; nf4: Dettmers"
        " et al. (2023), arXiv 2305.14314"
    )
    metrics: ClassVar[tuple[str, ...]] = ANSWER_METRICS

    kind: Literal["quantise"] = "quantise"
    scheme: Scheme = Field(
        default="nf4", description="8 bits with a scale an output, or 4 bits with a scale each 64 weights"
    )
    embeddings: bool = Field(default=False, description="round the embeddings and the head too")
    backend: Backend = Field(
        default="exact", description="who rounds; auto is bitsandbytes where it is installed"
    )

    @property
    def name(self) -> str:
        """The label, or the scheme."""
        return self.label or self.scheme

    def run(self, context: AttackContext) -> pl.DataFrame:
        """Return the rows under the rounded copy."""
        import torch

        from unequal.attacks.rounding import matrices, rounded
        from unequal.models.fsdp import full_tensor, sharded_like
        from unequal.models.scratch_copy import copy_of

        with copy_of(context.model) as model:
            with torch.no_grad():
                for weight, is_transposed in matrices(model, self.embeddings):
                    matrix = full_tensor(weight)
                    matrix = matrix.t().contiguous() if is_transposed else matrix
                    found = rounded(matrix, self.scheme, self.backend)
                    weight.copy_(sharded_like(found.t() if is_transposed else found, weight))
            return evaluate(self, context, model, [question(context, fact) for fact in context.attacked])
