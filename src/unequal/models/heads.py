"""Whether a model's logits are plainly its head's, so that the head can be applied where it is needed."""

import torch
from transformers import PreTrainedModel

_KEPT = "_has_plain_head"  # in the model's own dictionary, which its copies share


def has_plain_head(model: PreTrainedModel) -> bool:
    """Return whether logits are the head's own of the last states: not scaled, capped or changed between.

    The model itself is asked, once, since what a family does there is not always in its configuration.
    """
    if _KEPT not in model.__dict__:
        model.__dict__[_KEPT] = _ask(model)
    return bool(model.__dict__[_KEPT])


def _ask(model: PreTrainedModel) -> bool:
    training, ids = model.training, torch.arange(4, device=model.device)[None]  # the first may be all zeros
    model.eval()
    with torch.no_grad():
        states = model.base_model(input_ids=ids, use_cache=False).last_hidden_state
        by_head = model.get_output_embeddings()(states)
        found = torch.equal(model(input_ids=ids, use_cache=False).logits.float(), by_head.float())
    model.train(training)
    return found
