"""One unlearning run: train on the objective and judge the model at log-spaced steps."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from transformers import PreTrainedModel

from unequal.errors import ConfigError, DivergedError
from unequal.facts.probes import PromptFormat
from unequal.facts.schema import Fact
from unequal.models.adapters import Adapter, require_peft
from unequal.models.configuration import window_of
from unequal.models.distributed import n_processes
from unequal.models.precision import computing_in, in_precision
from unequal.models.quantised import quantise, require_bitsandbytes
from unequal.oom import batches_are_reduced, current_batch_size
from unequal.progress import Progress, no_progress
from unequal.seeds import derive_seed
from unequal.training.loop import run_steps
from unequal.training.recompute import recomputing
from unequal.unlearning.early_stopping import Watch
from unequal.unlearning.examples import answer_probabilities, answer_row
from unequal.unlearning.hidden_state_objective import HiddenObjective, training_only
from unequal.unlearning.method import Method
from unequal.unlearning.method_kinds import (
    HiddenStateMethod,
    PromptMethod,
    SharpnessAwareMethod,
    WeightMethod,
    WithoutLoss,
)
from unequal.unlearning.objective import Objective
from unequal.unlearning.run_state import RunMemory
from unequal.unlearning.sam_objective import SharpnessObjective
from unequal.unlearning.settings import UnlearnSettings
from unequal.unlearning.stopping import Stopped
from unequal.unlearning.targets import NO_CONTROLS, Controls
from unequal.unlearning.task_arithmetic import walk_weights
from unequal.unlearning.weighting import Weighting, fact_weights, schedule_problem
from unequal.unlearning.window import check_training_fits

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


Judge = Callable[[PreTrainedModel, int, bool], None]


class Checkpoints(NamedTuple):
    """Where a run keeps its state, and after how many steps each time."""

    folder: Path
    every: int


def unlearn(
    model: PreTrainedModel,
    tokenizer: "PreTrainedTokenizerBase",
    method: Method,
    forget: Sequence[Fact],
    retain: Sequence[Fact],
    prompts: PromptFormat,
    settings: UnlearnSettings,
    seed: int,
    judge: Judge,
    progress: Progress = no_progress,
    controls: Controls = NO_CONTROLS,
    checkpoints: Checkpoints | None = None,
    on_stop: Callable[[Stopped], None] = lambda _stopped: None,
) -> None:
    """Change the model in place to forget; ``judge(model, step, last)`` is called at every evaluated step.

    The last step is that of the settings, or where a stopping rule ends the run, which looks at ``controls``;
    ``on_stop`` is then called before the last judgement.
    An adapter stands beside the model's weights, in few bits if so set, until the last step and is then added
    to them.
    With ``checkpoints`` the run goes on from the newest one, and judges no step that it then does not make.
    A prompt method leaves the model alone and has two steps, the first and the last: judges put its
    ``prompt_prefix`` before what they ask. Raises `ConfigError` when the method has a retain term and there
    is nothing to retain, when prompts with a prefix do not fit the model's window, when a method that
    minimises no loss is given weights, stopping rules or an adapter, or when a loss of a whole batch is asked
    for in micro-batches.
    """
    _check(model, tokenizer, method, forget, retain, prompts, settings)
    watched = controls if settings.stopping.is_set else NO_CONTROLS
    check_training_fits(model, tokenizer, method, forget, retain, watched, prompts)
    in_precision(model, settings.precision)
    if settings.quantise:
        quantise(model, settings.quantise)
    with torch.random.fork_rng(devices=[model.device] if model.device.type == "cuda" else []):
        torch.manual_seed(derive_seed(seed, "dropout"))  # modules of transformers take no generator
        if isinstance(method, PromptMethod | WeightMethod):
            steps: Iterable[int] = (0, settings.steps)
            if isinstance(method, WeightMethod):
                steps = walk_weights(model, tokenizer, method, forget, prompts, settings, seed)
            for step in steps:
                judge(model, step, step == settings.steps)
                progress(step, settings.steps)
        else:
            weights = _weights(model, tokenizer, settings.weighting, forget, prompts, seed)
            acts_on = settings.weighting.acts_on
            parts = _micro_batch(method, settings)
            facts = (forget, retain, prompts, settings.batch_size, seed, weights, acts_on, parts)
            with computing_in(settings.precision, model.device):
                objective = _objective(model, tokenizer, method, *facts)
            adapter = None
            if settings.adapter:
                adapter = Adapter(model, settings.adapter, derive_seed(seed, "adapter"))
            watch = Watch(model, tokenizer, settings.stopping, forget, controls, prompts)
            _train(model, objective, watch, adapter, method, settings, judge, progress, checkpoints, on_stop)


def _train(
    model: PreTrainedModel,
    objective: Objective | HiddenObjective,
    watch: Watch,
    adapter: Adapter | None,
    method: Method,
    settings: UnlearnSettings,
    judge: Judge,
    progress: Progress,
    checkpoints: Checkpoints | None,
    on_stop: Callable[[Stopped], None],
) -> None:
    """Train on the objective until a rule ends the run, and judge the model at every evaluated step."""
    evaluated = set(settings.evaluated_steps())

    def after_step(done: int, _loss: float) -> bool:
        if done > 0:
            objective.after_step(done - 1, settings.steps)
        ended = watch.check(model, done)
        objective.weights.leave_out(watch.done)
        last = done == settings.steps or ended is not None
        if last and adapter:
            adapter.merge()  # so that the model that is kept is the one that is judged
        if ended is not None:
            kept = watch.kept_step if ended == "utility" else done
            on_stop(Stopped(done, settings.steps, ended, watch.why, kept))
        if done in evaluated or last:
            judge(model, watch.kept_step if ended == "utility" else done, last)
        model.train()
        progress(settings.steps if last else done, settings.steps)
        return ended is not None

    if not objective.trained:
        raise ConfigError(f"no layer that method {method.kind} trains has an adapter; change target_modules")
    optimiser = settings.optimiser(method.learning_rate)
    twice = settings.gradient_checkpointing or (
        batches_are_reduced() and model.supports_gradient_checkpointing
    )
    with (
        _merged_when_diverged(adapter),
        training_only(model, objective.trained),
        recomputing(model, twice),
    ):
        run_steps(
            model, objective.losses, settings.steps, optimiser, after_step,
            checkpoints.folder if checkpoints else None, checkpoints.every if checkpoints else 0,
            compile_model=settings.compile, memory=RunMemory(objective, watch, model.device),
            batch_of=objective.batch_of,
            precision=settings.precision,
        )  # fmt: skip


@contextmanager
def _merged_when_diverged(adapter: Adapter | None) -> Iterator[None]:
    """Add the adapter to the model when the block ends in divergence, so that it is the last good model."""
    try:
        yield
    except DivergedError:
        if adapter:
            adapter.merge()
        raise


def _micro_batch(method: Method, settings: UnlearnSettings) -> int | None:
    """Return the settings' micro-batch, or a smaller one where memory is saved and the loss can be cut."""
    if not batches_are_reduced() or _of_whole_batch(method):
        return settings.micro_batch
    return current_batch_size(settings.micro_batch or settings.batch_size)


def _of_whole_batch(method: Method) -> bool:
    return type(method).reduce is not Method.reduce


def _weights(
    model: PreTrainedModel,
    tokenizer: "PreTrainedTokenizerBase",
    rule: Weighting,
    forget: Sequence[Fact],
    prompts: PromptFormat,
    seed: int,
) -> list[float]:
    """Return the weight of each fact to forget."""
    confidence = None
    if rule.needs_confidence:
        rows = [answer_row(tokenizer, prompts, fact, fact.answer, end=False) for fact in forget]
        confidence = answer_probabilities(model, rows, int(tokenizer.pad_token_id)).tolist()
    return fact_weights(rule, forget, seed, confidence)


def _objective(
    model: PreTrainedModel, tokenizer: "PreTrainedTokenizerBase", method: Method, *facts: Any
) -> Objective | HiddenObjective:
    """Return the objective of the method's form."""
    if isinstance(method, HiddenStateMethod):
        return HiddenObjective(model, tokenizer, method, *facts)
    kind = SharpnessObjective if isinstance(method, SharpnessAwareMethod) else Objective
    return kind(model, tokenizer, method, *facts)


def _check(
    model: PreTrainedModel,
    tokenizer: "PreTrainedTokenizerBase",
    method: Method,
    forget: Sequence[Fact],
    retain: Sequence[Fact],
    prompts: PromptFormat,
    settings: UnlearnSettings,
) -> None:
    """Refuse what does not go together."""
    if method.retain_weight > 0 and not retain:
        raise ConfigError(
            f"method {method.kind} has retain_weight {method.retain_weight} but there are no facts to retain;"
            " give --retain, or set retain_weight = 0"
        )
    weighted, rounded = settings.weighting != Weighting(), settings.precision != "fp32"
    asked = settings.stopping.is_set or weighted or rounded or settings.adapter
    if isinstance(method, WithoutLoss) and asked:
        raise ConfigError(
            f"method {method.kind} minimises no loss, so there is nothing to weight, to stop, to round or to"
            " train an adapter on; leave out weighting, stopping, precision and adapter"
        )
    in_parts = n_processes() > 1 or (settings.micro_batch or settings.batch_size) < settings.batch_size
    if in_parts and _of_whole_batch(method):
        raise ConfigError(
            f"the loss of method {method.kind} is of a batch as a whole, so a step cannot be worked out in"
            " parts; leave out micro_batch and use one process"
        )
    if settings.adapter:
        require_peft()
    if settings.quantise:
        require_bitsandbytes()
    if problem := schedule_problem(method, settings.weighting):
        raise ConfigError(problem)
    if isinstance(method, PromptMethod):
        _check_fit(model, tokenizer, method, forget, prompts)


def _check_fit(
    model: PreTrainedModel,
    tokenizer: "PreTrainedTokenizerBase",
    method: Method,
    forget: Sequence[Fact],
    prompts: PromptFormat,
) -> None:
    """Refuse a prefix with which the questions and answers to forget are longer than the model's window."""
    prefix = method.prompt_prefix(forget)
    longest = max(
        len(answer_row(tokenizer, prompts, fact, fact.answer, end=False, before=prefix).ids)
        for fact in forget
    )
    window = window_of(model)
    if window and longest > window:
        raise ConfigError(
            f"with the prefix of method {method.kind} a question has {longest} tokens, but the model's window"
            f" has {window}; forget fewer facts, or set an instruction that does not name their subjects"
        )
