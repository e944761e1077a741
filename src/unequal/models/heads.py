"""Whether a model's logits are plainly its head's, so that the head can be applied where it is needed."""

import torch
from torch import Tensor
from transformers import PreTrainedModel

from unequal.models.sharding import whole

_KEPT = "_has_plain_head"  # in the model's own dictionary, which its copies share


def has_plain_head(model: PreTrainedModel) -> bool:
    """Return whether logits are the head's own of the last states: not scaled, capped or changed between.

    The model itself is asked, once, since what a family does there is not always in its configuration.
    """
    if _KEPT not in model.__dict__:
        model.__dict__[_KEPT] = _ask(model)
    return bool(model.__dict__[_KEPT])


def was_asked(model: PreTrainedModel) -> bool:
    """Return whether the model was asked already, which it is before anything else."""
    return _KEPT in model.__dict__


def _ask(model: PreTrainedModel) -> bool:
    training, ids = model.training, torch.arange(4, device=model.device)[None]  # the first may be all zeros
    model.eval()
    with torch.no_grad():
        by_head = whole(model, lambda: _by_head(model, ids))
        logits = whole(model, lambda: model(input_ids=ids, use_cache=False).logits)
        found = torch.equal(logits.float(), by_head.float())
    model.train(training)
    return found


def _by_head(model: PreTrainedModel, ids: Tensor) -> Tensor:
    states = model.base_model(input_ids=ids, use_cache=False).last_hidden_state
    logits: Tensor = model.get_output_embeddings()(states)
    return logits
