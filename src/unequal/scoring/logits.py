"""Logits at chosen positions only: the LM head is the widest layer and most positions need none."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn.functional import pad
from transformers import PreTrainedModel

from unequal.models.capabilities import capabilities_of
from unequal.models.fsdp import run_forward

_ROUND = 64  # positions; libraries that prepare for each new shape then see few
_AT_ONCE = 64  # rows of logits


def logits_at(
    model: PreTrainedModel, input_ids: Tensor, rows: Tensor, positions: Tensor, **inputs: Any
) -> Tensor:
    """Return logits ``(n, vocab)`` at ``(rows, positions)`` of ``input_ids`` ``(batch, seq)``.

    They are in float32, or in float64 if the model is.
    """
    plain = capabilities_of(model).plain_head

    def chosen() -> Tensor:
        if not plain:
            logits: Tensor = model(input_ids=input_ids, use_cache=False, **inputs).logits
            return precise(logits[rows, positions])
        hidden = model.base_model(input_ids=input_ids, use_cache=False, **inputs).last_hidden_state
        return precise(model.get_output_embeddings()(hidden[rows, positions]))

    return run_forward(model, chosen)


def precise(values: Tensor) -> Tensor:
    """Return values in float32, or in float64 if they are."""
    return values if values.dtype == torch.float64 else values.float()


def log_probs_at(
    model: PreTrainedModel, input_ids: Tensor, rows: Tensor, positions: Tensor, targets: Tensor, **inputs: Any
) -> Tensor:
    """Return the log-probabilities ``(n,)`` of ``targets`` ``(n,)`` at ``(rows, positions)``.

    Of tensors as wide as the vocabulary one is stored, so the result can be differentiated once.
    """
    lacking = -len(targets) % _ROUND
    rows, positions, targets = (pad(one, (0, lacking)) for one in (rows, positions, targets))
    logits = logits_at(model, input_ids, rows, positions, **inputs)
    chosen: Tensor = _TargetLogProbs.apply(logits, targets)  # type: ignore[no-untyped-call]
    return chosen[: len(chosen) - lacking]


class _TargetLogProbs(torch.autograd.Function):
    """log p of one token of each row of logits; the gradient is written over the logits."""

    @staticmethod
    def forward(ctx: Any, logits: Tensor, targets: Tensor) -> Tensor:
        normalisers = torch.cat([part.logsumexp(1) for part in torch.split(logits, _AT_ONCE)])
        ctx.save_for_backward(logits, normalisers, targets)
        return logits.gather(1, targets[:, None]).squeeze(1) - normalisers

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        logits, normalisers, targets = ctx.saved_tensors
        of_chosen = gradients[0][:, None]
        logits.sub_(normalisers[:, None]).exp_().mul_(-of_chosen)
        return logits.scatter_add_(1, targets[:, None], of_chosen), None


def pad_rows(rows: Sequence[list[int]], padding: int, device: torch.device, multiple: int = 1) -> Tensor:
    """Return the rows as one ``(batch, longest)`` tensor, padded on the right to a multiple of some length.

    A causal model never looks ahead, so rows padded on the right need no attention mask.
    """
    longest = max(map(len, rows))
    longest += -longest % multiple
    return torch.tensor([row + [padding] * (longest - len(row)) for row in rows], device=device)
