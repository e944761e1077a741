"""Whether a model's logits are plainly its head's, so that the head can be applied where it is needed."""

import torch
from transformers import PreTrainedModel

from unequal.models.ask import ask


def has_plain_head(model: PreTrainedModel) -> bool:
    """Return whether logits are the head's own of the last states: not scaled, capped or changed between.

    The model itself is asked, once, since what a family does there is not always in its configuration.
    """
    return ask(model, "plain head", _has_plain_head)


def _has_plain_head(model: PreTrainedModel) -> bool:
    ids = torch.arange(4, device=model.device)[None]  # the first may be all zeros
    head = model.get_output_embeddings()
    by_head = head(model.base_model(input_ids=ids, use_cache=False).last_hidden_state)
    return torch.equal(model(input_ids=ids, use_cache=False).logits.float(), by_head.float())
