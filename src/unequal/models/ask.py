"""Questions that only the model itself can answer, asked once, so that types nobody knew are safe."""

from collections.abc import Callable

import torch
from torch import Tensor
from transformers import PreTrainedModel

from unequal.models.fsdp import whole

_ANSWERS = "_answers"  # in the model's own dictionary, which its copies share


def ask(model: PreTrainedModel, name: str, question: Callable[[PreTrainedModel], bool]) -> bool:
    """Return the answer to a question about the model, in evaluation mode and without gradients.

    It is no where the model fails at the question. Processes that share the model must all ask it at once.
    """
    answers: dict[str, bool] = model.__dict__.setdefault(_ANSWERS, {})
    if name not in answers:
        training = model.training
        model.eval()
        try:
            with torch.no_grad():
                answers[name] = question(model)
        except Exception:  # whatever a model does with inputs that it was not made for
            answers[name] = False
        finally:
            model.train(training)
    return answers[name]


def is_causal(model: PreTrainedModel) -> bool:
    """Return whether what a model says of a token is the same without the tokens after it."""

    with torch.no_grad():
        longer, part = (logits_of(model, ids_of(model, n_tokens)) for n_tokens in (6, 4))
    return (longer[:4] - part).abs().max().item() <= _tolerance(model) * part.std().item() + 1e-6


def gives_numbers(model: PreTrainedModel) -> bool:
    """Return whether a model's logits are finite but for tokens that it rules out with -∞."""
    with torch.no_grad():
        logits = logits_of(model, ids_of(model, 4))
    return not bool(logits.isnan().any() or logits.isposinf().any() or logits.isneginf().all(-1).any())


def ids_of(model: PreTrainedModel, n_tokens: int) -> list[int]:
    """Return ids of different tokens from the middle of the vocabulary, few of which are special there."""
    size = int(model.get_input_embeddings().weight.shape[0])
    return [(size // 2 + place) % size for place in range(n_tokens)]


def logits_of(model: PreTrainedModel, ids: list[int], **inputs: Tensor) -> Tensor:
    """Return the logits ``(seq, vocab)`` of one row."""
    row = torch.tensor([ids], device=model.device)
    found: Tensor = whole(model, lambda: model(input_ids=row, use_cache=False, **inputs).logits)
    return found[0].double()


def agree(model: PreTrainedModel, found: Tensor, right: Tensor, wrong: Tensor) -> bool:
    """Return whether logits are the right ones but for rounding, next to what they would be otherwise."""
    off, apart = ((one - right).abs().max().item() for one in (found, wrong))
    return off <= _tolerance(model) * apart + 1e-6


def _tolerance(model: PreTrainedModel) -> float:
    return 0.01 if model.dtype in (torch.float32, torch.float64) else 0.15
