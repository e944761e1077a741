"""Objectives: the loss of each training step, of facts to forget and to retain, in micro-batches."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from torch import Tensor, nn
from transformers import PreTrainedModel

from unequal.unlearning.fact_weights import FactWeights
from unequal.unlearning.micro_batches import MicroBatch, MicroBatches
from unequal.unlearning.run import Run


class Objective:
    """Total loss of a step: γ·L_forget + α·L_retain and the method's other terms, each a mean over facts.

    Answers to forget are encoded without an end of text; retain answers with it, so that the model goes on
    ending its answers. ``weights`` are one a fact to forget (all 1 by default); a fact of weight 0 is
    excluded (`FactWeights`).
    """

    def __init__(self, run: Run, weights: Sequence[float] | None = None) -> None:
        method, encoder = run.method, run.encoder
        self.weights = FactWeights(run.forget, weights, run.settings.weighting.acts_on)
        retain = run.retain if method.retain_weight > 0 or method.dual else ()
        self._model, self._method, self._padding, self._seed = run.model, method, encoder.padding, run.seed
        self._forget = encoder.own_answers(self.weights.facts)
        self._retain = encoder.own_answers(retain, end=True)
        self._fact_ids = [[fact.fact_id for fact in facts] for facts in (self.weights.facts, retain)]
        is_forgetting = method.forget_weight or method.question_weight
        self._micro_batches = MicroBatches(
            run, self._forget if is_forgetting else [], self._retain, self.weights.draws
        )

    def losses(self, step: int) -> Iterator[Tensor]:
        """Yield what each of this process's micro-batches adds to the loss of a step."""
        for batch in self._micro_batches.at(step):
            yield self.loss(step, batch)

    def loss(self, step: int, batch: MicroBatch) -> Tensor:
        """Return what a micro-batch adds to the loss of a step, a scalar."""
        raise NotImplementedError

    def batch_of(self, step: int) -> list[str]:
        """Return the ids of the facts that a step sees, those to forget first."""
        drawn = zip(self._micro_batches.drawn(step), self._fact_ids, strict=True)
        return list(dict.fromkeys(ids[index] for indices, ids in drawn for index in indices))

    @property
    def trained(self) -> list[nn.Parameter]:
        """The parameters that a run changes."""
        return [parameter for parameter in self._model.parameters() if parameter.requires_grad]

    def after_step(self, step: int, n_steps: int) -> None:
        """Update what the objective itself learns from a step, by default nothing."""

    def state(self) -> dict[str, Tensor]:
        """Return what changes during a run besides the model, as tensors by name."""
        return {}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Take up the state of an interrupted run."""

    def _pulling(self, batch: MicroBatch) -> list[int]:
        """Return the facts to forget of a micro-batch whose weight is above 0."""
        weights = self.weights.of(batch.forget)
        return [index for index, weight in zip(batch.forget, weights, strict=True) if weight]

    def _forget_term(self, losses: Tensor, batch: MicroBatch) -> Tensor:
        """Return γ·L_forget of the facts that pull, from their losses ``(facts,)``."""
        weights = self.weights.of(batch.forget)
        mean = self._method.reduce(losses, weights[weights != 0].to(losses))
        return self._method.forget_weight * len(losses) / batch.n_forget * mean


@contextmanager
def training_only(model: PreTrainedModel, trained: Sequence[nn.Parameter]) -> Iterator[None]:
    """Freeze every other parameter of the model while the block runs."""
    kept = {id(parameter) for parameter in trained}
    frozen = [one for one in model.parameters() if one.requires_grad and id(one) not in kept]
    for parameter in frozen:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in frozen:
            parameter.requires_grad_(True)
