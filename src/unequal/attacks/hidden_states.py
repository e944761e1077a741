"""Hidden states after each layer at the end of a prompt, and their logits through the final norm and head."""

from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from unequal.errors import DataError
from unequal.models.fsdp import run_forward, without_gradients
from unequal.scoring.encoding import length_batches
from unequal.scoring.logits import pad_rows

TOKEN_BUDGET = 8192  # padded tokens a forward pass
FINAL_NORMS = ("ln_f", "norm", "norm_f", "final_layer_norm", "final_layernorm")


def last_states(model: PreTrainedModel, prompts: Sequence[Sequence[int]], padding: int) -> Tensor:
    """Return what each layer adds up to at the last token of each prompt, ``(layers, prompts, width)``.

    The last layer's states have gone through the final norm, as models return them.
    """
    model.eval()
    device = model.device
    found: dict[int, Tensor] = {}
    for indices in length_batches([len(prompt) for prompt in prompts], TOKEN_BUDGET):
        ids = pad_rows([list(prompts[index]) for index in indices], padding, device)
        places = torch.tensor([len(prompts[index]) - 1 for index in indices], device=device)
        with without_gradients(model):
            states = run_forward(
                model, partial(model, input_ids=ids, use_cache=False, output_hidden_states=True)
            )
        layers = states.hidden_states[1:]
        at_end = torch.stack([layer[torch.arange(len(indices), device=device), places] for layer in layers])
        found.update(zip(indices, at_end.float().unbind(1), strict=True))
    return torch.stack([found[index] for index in range(len(prompts))], dim=1)


def lens_logits(model: PreTrainedModel, states: Tensor) -> Tensor:
    """Return the logits ``(layers, prompts, vocab)`` that the head reads from `last_states`.

    Raises `DataError` when the model has no final norm that we know by its name.
    """
    norm, head = final_norm(model), model.get_output_embeddings()
    dtype = next(head.parameters()).dtype

    def read() -> Tensor:
        earlier = [head(norm(layer.to(dtype))) for layer in states[:-1]]
        return torch.stack([*earlier, head(states[-1].to(dtype))]).float()

    with without_gradients(model):
        return run_forward(model, read)


def final_norm(model: PreTrainedModel) -> nn.Module:
    """Return the norm before the head; raises `DataError` when none has a known name."""
    for name, module in model.named_modules():
        *parents, last = name.split(".")
        if last in FINAL_NORMS and not any(part.isdigit() for part in parents):
            found: nn.Module = module
            return found
    raise DataError(
        f"{type(model).__name__} has no final norm named {', '.join(FINAL_NORMS)}, which the logit lens needs"
    )
