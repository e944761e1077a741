"""The unlearning run: model, method, facts and settings in one object, which `unlearn` carries out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from transformers import PreTrainedModel

from unequal.facts.probes import PromptFormat
from unequal.facts.schema import Fact
from unequal.oom import batches_are_reduced, current_batch_size
from unequal.progress import Progress, no_progress
from unequal.scoring.encoding import Tokenizer
from unequal.unlearning.examples import FactEncoder
from unequal.unlearning.method import Method
from unequal.unlearning.settings import UnlearnSettings
from unequal.unlearning.stopping import Stopped
from unequal.unlearning.targets import NO_CONTROLS, Controls

Evaluate = Callable[[PreTrainedModel, int, bool], None]


class Checkpoints(NamedTuple):
    """Where a run saves its state, and after how many steps each time."""

    folder: Path
    every: int


def _nothing(*_: object) -> None:
    pass


@dataclass(frozen=True, eq=False)
class Run:
    """What is to be unlearned from which model, by which method, with which settings.

    Training changes ``model`` in place. Stopping rules look at ``controls``. With ``checkpoints`` a run goes
    on from the newest one, and skips the evaluations before it.
    ``evaluate(model, step, last)`` is called at every evaluated step, ``progress(done, total)`` after every
    step, and ``on_stop`` before the last evaluation when a stopping rule ends the run. ``rate_at(step)``
    gives learning rates in place of the method's own with its schedule.
    """

    model: PreTrainedModel
    tokenizer: Tokenizer
    method: Method
    forget: Sequence[Fact]
    retain: Sequence[Fact] = ()
    settings: UnlearnSettings = field(default_factory=UnlearnSettings)
    prompts: PromptFormat = field(default_factory=PromptFormat)
    seed: int = 0
    controls: Controls = NO_CONTROLS
    checkpoints: Checkpoints | None = None
    evaluate: Evaluate = _nothing
    progress: Progress = no_progress
    on_stop: Callable[[Stopped], None] = _nothing
    rate_at: Callable[[int], float] | None = None

    @cached_property
    def encoder(self) -> FactEncoder:
        """The encoder of all facts of the run."""
        return FactEncoder(self.tokenizer, self.prompts)

    @property
    def needs_whole_batch(self) -> bool:
        """Whether the method's loss is one of a whole batch, which micro-batches cannot add up to."""
        return type(self.method).reduce is not Method.reduce

    @property
    def micro_batch(self) -> int | None:
        """The settings' micro-batch, or a smaller one where memory is saved and the loss can be cut."""
        settings = self.settings
        if not batches_are_reduced() or self.needs_whole_batch:
            return settings.micro_batch
        return current_batch_size(settings.micro_batch or settings.batch_size)
