"""The gradient pass: the norm of each answer's gradient by all parameters."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import torch
from torch import Tensor
from transformers import PreTrainedModel

from unequal.errors import ConfigError
from unequal.facts.probes import Probe
from unequal.models.distributed import gather_results, own_share
from unequal.models.fsdp import is_sharded
from unequal.progress import report_part
from unequal.scoring.encoding import EncodedPrompt, Encoder, Tokenizer, encode_probe
from unequal.scoring.logits import logits_at


class GradientPass:
    """Tokenised probes; each costs a forward and a backward pass of its own."""

    def __init__(self, tokenizer: Tokenizer, probes: Sequence[Probe]) -> None:
        encoder = Encoder.of(tokenizer)
        self._encoded = [encode_probe(encoder, replace(probe, distractors=())) for probe in probes]

    def run(self, model: PreTrainedModel) -> list[float]:
        """Return for each probe the Euclidean norm of ∇(S/n) over all parameters, frozen ones too, in nats.

        The model is left as it is, its gradients included. Raises `ConfigError` for a sharded model.
        """
        if is_sharded(model):
            raise ConfigError(
                "gradient_norms are of whole models, and this one is sharded; leave them out, or --use_fsdp"
            )
        weights = [weight for weight in model.parameters() if weight.is_floating_point()]
        with _all_trained(weights):
            norms: dict[int, float] = {}
            for index in (turns := own_share(range(len(self._encoded)))):
                report_part("gradient", len(norms), len(turns))
                norms[index] = _norm(model, self._encoded[index], weights)
            norms = gather_results(norms)
        return [norms[index] for index in range(len(self._encoded))]


def _norm(model: PreTrainedModel, item: EncodedPrompt, weights: list[Tensor]) -> float:
    (answer,) = item.continuations
    ids = torch.tensor([item.prompt + answer[:-1]], device=model.device)
    places = torch.arange(len(item.prompt) - 1, ids.shape[1], device=model.device)
    logits = logits_at(model, ids, torch.zeros_like(places), places)
    loss = torch.nn.functional.cross_entropy(logits, torch.tensor(answer, device=model.device))
    gradients = torch.autograd.grad(loss, weights, allow_unused=True)
    squares = [gradient.double().square().sum() for gradient in gradients if gradient is not None]
    return float(torch.stack(squares).sum().sqrt())


@contextmanager
def _all_trained(weights: list[Tensor]) -> Iterator[None]:
    """Set ``requires_grad`` of all parameters while the block runs."""
    were_trained = [weight.requires_grad for weight in weights]
    try:
        for weight in weights:
            weight.requires_grad_(True)
        with torch.enable_grad():
            yield
    finally:
        for weight, was_trained in zip(weights, were_trained, strict=True):
            weight.requires_grad_(was_trained)
