"""The objective of hidden-state methods: distances of states after one layer; later layers are never run."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from unequal.facts.probes import PromptFormat
from unequal.facts.schema import Fact
from unequal.models.configuration import text_config
from unequal.models.fsdp import is_sharded, whole
from unequal.models.layers import decoder_layers
from unequal.oom import current_batch_size
from unequal.scoring.logits import pad_rows, precise
from unequal.seeds import derive_seed
from unequal.unlearning.examples import Example, answer_row
from unequal.unlearning.fact_weights import FactWeights
from unequal.unlearning.method_kinds import HiddenStateMethod
from unequal.unlearning.micro_batches import Share, Shares, names_at
from unequal.unlearning.weighting import ActsOn

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


class HiddenObjective:
    """Total loss γ·Σ L_forget + α·mean L_retain of each step, each a distance to targets found once."""

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: "PreTrainedTokenizerBase",
        method: HiddenStateMethod,
        forget: Sequence[Fact],
        retain: Sequence[Fact],
        prompts: PromptFormat,
        batch_size: int,
        seed: int,
        weights: Sequence[float] | None = None,
        acts_on: ActsOn = "loss",
        micro_batch: int | None = None,
    ) -> None:
        self.weights = FactWeights(forget, weights, acts_on)
        forget = self.weights.facts
        self._model = model
        self._method = method
        self._padding = int(tokenizer.pad_token_id)
        layers = decoder_layers(model)
        last = method.layer_of(len(layers))
        self._layer = layers[last]
        self._trained_layers = layers[max(0, last + 1 - method.n_trained) : last + 1]
        self._forget: list[Example] = []
        if method.forget_weight > 0:
            self._forget = [answer_row(tokenizer, prompts, fact, fact.answer, end=False) for fact in forget]
        start = states_in_batches(model, self._layer, self._forget, self._padding)
        direction = random_direction(text_config(model).hidden_size, seed).to(model.device)
        self._targets = [method.target(direction, states) for states in start]
        self._retain: list[Example] = []
        if method.retain_weight > 0:
            self._retain = [answer_row(tokenizer, prompts, fact, fact.answer, end=True) for fact in retain]
        self._start = states_in_batches(model, self._layer, self._retain, self._padding)
        kept = retain if self._retain else ()
        self._names = ([fact.fact_id for fact in forget], [fact.fact_id for fact in kept])
        self._shares = Shares(self._forget, self._retain, batch_size, seed, self.weights.draws, micro_batch)

    def losses(self, step: int) -> Iterator[Tensor]:
        """Yield what each of this process's shares adds to the loss of a step."""
        for share in self._shares.at(step):
            yield self._loss(share)

    def batch_of(self, step: int) -> list[str]:
        """Return the ids of the facts that a step sees, those to forget first."""
        return names_at(self._shares.drawn(step), self._names)

    def _loss(self, share: Share) -> Tensor:
        method, weights = self._method, self.weights.of(share.forget)
        asked = [index for index, weight in zip(share.forget, weights, strict=True) if weight]
        rows = [self._forget[index] for index in asked] + [self._retain[index] for index in share.retain]
        targets = [self._targets[index] for index in asked] + [self._start[index] for index in share.retain]
        total = torch.zeros((), device=self._model.device)
        if not rows and is_sharded(self._model):  # all processes must make as many passes
            row = next(iter([*self._forget, *self._retain]))
            return total + 0 * states_after(self._model, self._layer, [row], self._padding)[0].sum()
        if not rows:
            return total
        states = states_after(self._model, self._layer, rows, self._padding)
        distances = torch.stack([distance(*pair) for pair in zip(states, targets, strict=True)])
        if asked:
            mean = method.reduce(distances[: len(asked)], weights[weights != 0].to(distances))
            total = total + method.forget_weight * len(asked) / share.n_forget * mean
        if share.retain:
            mean = distances[len(asked) :].mean()
            total = total + method.retain_weight * len(share.retain) / share.n_retain * mean
        return total

    @property
    def trained(self) -> list[nn.Parameter]:
        """The weights that a run changes."""
        return [weight for weight in self._trained_layers.parameters() if weight.requires_grad]

    def after_step(self, step: int, n_steps: int) -> None:
        """Do nothing: no weight of these methods learns."""

    def state(self) -> dict[str, Tensor]:
        """Return nothing, for the same reason."""
        return {}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Do nothing."""


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
    model: PreTrainedModel, layer: nn.Module, rows: Sequence[Example], padding: int
) -> list[Tensor]:
    """Return float32 states ``(tokens, width)`` after a layer, where each row's scored tokens are predicted.

    The pass ends with that layer, but for a sharded model, whose processes must all come to the end of it.
    """
    input_ids = pad_rows([row.ids for row in rows], padding, model.device)[:, :-1]
    states = whole(model, lambda: _after(model, layer, input_ids))
    spans = [slice(row.span[0] - 1, row.span[1] - 1) for row in rows]
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
    model: PreTrainedModel, layer: nn.Module, rows: Sequence[Example], padding: int
) -> list[Tensor]:
    """Return the states of each row without gradients; for frozen models."""
    model.eval()
    size = current_batch_size(64)
    batches = [rows[start : start + size] for start in range(0, len(rows), size)]
    return [states.clone() for batch in batches for states in states_after(model, layer, batch, padding)]


@contextmanager
def training_only(model: PreTrainedModel, trained: Sequence[nn.Parameter]) -> Iterator[None]:
    """Freeze every other weight of the model while the block runs."""
    kept = {id(weight) for weight in trained}
    frozen = [weight for weight in model.parameters() if weight.requires_grad and id(weight) not in kept]
    for weight in frozen:
        weight.requires_grad_(False)
    try:
        yield
    finally:
        for weight in frozen:
            weight.requires_grad_(True)
