"""The objective of hidden-state methods: distances of states after one layer; later layers are never run."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from unequal.models.configuration import text_config
from unequal.models.fsdp import is_sharded, run_forward
from unequal.models.layers import decoder_layers
from unequal.oom import current_batch_size
from unequal.scoring.logits import pad_rows, precise
from unequal.seeds import derive_seed
from unequal.unlearning.examples import Example
from unequal.unlearning.method_kinds import HiddenStateMethod
from unequal.unlearning.micro_batches import MicroBatch
from unequal.unlearning.objective import Objective
from unequal.unlearning.run import Run


class HiddenStateObjective(Objective):
    """Total loss γ·Σ L_forget + α·mean L_retain of each step, each a distance to targets computed once."""

    def __init__(self, run: Run, weights: Sequence[float] | None = None) -> None:
        super().__init__(run, weights)
        method, model = run.method, run.model
        if not isinstance(method, HiddenStateMethod):
            raise TypeError(f"method {method.kind} is not a loss of hidden states")
        layers = decoder_layers(model)
        last = method.layer_of(len(layers))
        self._layer = layers[last]
        self._trained_layers = layers[max(0, last + 1 - method.n_trained) : last + 1]
        forget = self._forget if method.forget_weight > 0 else []
        start = states_in_batches(model, self._layer, forget, self._padding)
        direction = random_direction(text_config(model).hidden_size, run.seed).to(model.device)
        self._targets = [method.target(direction, states) for states in start]
        self._start = states_in_batches(model, self._layer, self._retain, self._padding)

    def loss(self, step: int, batch: MicroBatch) -> Tensor:  # noqa: ARG002
        """Return the distances of a micro-batch's states to their targets, weighted and summed."""
        asked, retained = self._pulling(batch), batch.retain
        examples = [self._forget[index] for index in asked] + [self._retain[index] for index in retained]
        targets = [self._targets[index] for index in asked] + [self._start[index] for index in retained]
        total = torch.zeros((), device=self._model.device)
        if not examples and is_sharded(self._model):  # all processes must make as many passes
            example = next(iter([*self._forget, *self._retain]))
            return total + 0 * states_after(self._model, self._layer, [example], self._padding)[0].sum()
        if not examples:
            return total
        states = states_after(self._model, self._layer, examples, self._padding)
        distances = torch.stack([distance(*pair) for pair in zip(states, targets, strict=True)])
        if asked:
            total = total + self._forget_term(distances[: len(asked)], batch)
        if retained:
            mean = distances[len(asked) :].mean()
            total = total + self._method.retain_weight * len(retained) / batch.n_retain * mean
        return total

    @property
    def trained(self) -> list[nn.Parameter]:
        """The parameters of the trained layers."""
        return [parameter for parameter in self._trained_layers.parameters() if parameter.requires_grad]


def distance(states: Tensor, target: Tensor) -> Tensor:
    """Return the mean over an answer's tokens of (1/d)‖h − target‖², from two ``(tokens, width)``."""
    return (states - target).square().mean()


def random_direction(width: int, seed: int) -> Tensor:
    """Return the run's unit vector ``(width,)``, its entries drawn uniformly from [0, 1) as in the source."""
    stream = torch.Generator().manual_seed(derive_seed(seed, "direction"))
    drawn = torch.rand(width, generator=stream)
    unit: Tensor = drawn / torch.linalg.vector_norm(drawn)
    return unit


class _Reached(Exception):  # noqa: N818  it ends a pass where its result is known
    """What is asked for is there."""


def states_after(
    model: PreTrainedModel, layer: nn.Module, examples: Sequence[Example], padding: int
) -> list[Tensor]:
    """Return float32 states ``(tokens, width)`` after a layer, at the places that predict scored tokens.

    The pass ends with that layer, but for a sharded model, whose processes must all come to the end of it.
    """
    input_ids = pad_rows([example.ids for example in examples], padding, model.device)[:, :-1]
    states = run_forward(model, lambda: _after(model, layer, input_ids))
    spans = [slice(example.span[0] - 1, example.span[1] - 1) for example in examples]
    return [precise(states[index, span]) for index, span in enumerate(spans)]


def _after(model: PreTrainedModel, layer: nn.Module, input_ids: Tensor) -> Tensor:
    """Return the layer's states ``(batch, seq, width)``."""
    found: list[Tensor] = []
    goes_on = is_sharded(model)

    def stop(_layer: nn.Module, _inputs: object, output: Tensor | tuple[Tensor, ...]) -> None:
        found.append(output[0] if isinstance(output, tuple) else output)
        if not goes_on:
            raise _Reached

    hook = layer.register_forward_hook(stop)
    try:
        model.base_model(input_ids=input_ids, use_cache=False)
    except _Reached:
        pass
    finally:
        hook.remove()
    return found[0]


@torch.no_grad()
def states_in_batches(
    model: PreTrainedModel, layer: nn.Module, examples: Sequence[Example], padding: int
) -> list[Tensor]:
    """Return the states of each example without gradients; for frozen models."""
    model.eval()
    size = current_batch_size(64)
    batches = [examples[start : start + size] for start in range(0, len(examples), size)]
    return [states.clone() for batch in batches for states in states_after(model, layer, batch, padding)]
