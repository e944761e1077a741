"""Whether a model's logits are plainly its head's, so that the head can be applied where it is needed."""

import torch
from torch import Tensor
from transformers import PreTrainedModel

from unequal.models.ask import ask
from unequal.models.fsdp import whole


def has_plain_head(model: PreTrainedModel) -> bool:
    """Return whether logits are the head's own of the last states: not scaled, capped or changed between.

    The model itself is asked, once, since what a family does there is not always in its configuration.
    """
    return ask(model, "plain head", _has_plain_head)


def _has_plain_head(model: PreTrainedModel) -> bool:
    ids = torch.arange(4, device=model.device)[None]  # the first may be all zeros
    by_head = whole(model, lambda: _by_head(model, ids))
    logits = whole(model, lambda: model(input_ids=ids, use_cache=False).logits)
    return torch.equal(logits.float(), by_head.float())


def _by_head(model: PreTrainedModel, ids: Tensor) -> Tensor:
    states = model.base_model(input_ids=ids, use_cache=False).last_hidden_state
    logits: Tensor = model.get_output_embeddings()(states)
    return logits
