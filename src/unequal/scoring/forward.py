"""Logits at chosen positions only: the head is the widest layer and most positions need none."""

from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel

_SCALED_HEADS = ("final_logit_softcapping", "logit_scale", "logits_scaling")


def logits_at(
    model: PreTrainedModel, input_ids: Tensor, rows: Tensor, positions: Tensor, **inputs: Any
) -> Tensor:
    """Return float32 logits ``(n, vocab)`` at ``(rows, positions)`` of ``input_ids`` ``(batch, seq)``."""
    chosen: Tensor
    if any(getattr(model.config, name, None) is not None for name in _SCALED_HEADS):
        chosen = model(input_ids=input_ids, use_cache=False, **inputs).logits[rows, positions]
        return chosen.float()
    hidden = model.base_model(input_ids=input_ids, use_cache=False, **inputs).last_hidden_state
    chosen = model.get_output_embeddings()(hidden[rows, positions])
    return chosen.float()


def pad_rows(rows: list[list[int]], padding: int, device: torch.device) -> Tensor:
    """Return the rows as one ``(batch, longest)`` tensor, padded on the right.

    A causal model never looks ahead, so rows padded on the right need no attention mask.
    """
    longest = max(map(len, rows))
    return torch.tensor([row + [padding] * (longest - len(row)) for row in rows], device=device)
