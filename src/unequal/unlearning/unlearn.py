"""Unlearning: train a model on a method's objective, and evaluate it at log-spaced steps."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import torch

from unequal.errors import ConfigError, DivergedError
from unequal.models.adapters import Adapter, require_peft
from unequal.models.distributed import n_processes
from unequal.models.precision import computing_in, in_precision
from unequal.models.quantised import quantise, require_bitsandbytes
from unequal.oom import batches_are_reduced
from unequal.seeds import derive_seed
from unequal.training.loop import LoopSettings, run_steps
from unequal.training.recompute import recomputing
from unequal.unlearning.answer_objective import AnswerObjective
from unequal.unlearning.early_stopping import EarlyStopping
from unequal.unlearning.examples import answer_probabilities
from unequal.unlearning.hidden_state_objective import HiddenStateObjective
from unequal.unlearning.method_kinds import (
    HiddenStateMethod,
    PromptMethod,
    SharpnessAwareMethod,
    WeightMethod,
    WithoutLoss,
)
from unequal.unlearning.objective import Objective, training_only
from unequal.unlearning.run import Run
from unequal.unlearning.run_state import RunState
from unequal.unlearning.sam_objective import SharpnessAwareObjective
from unequal.unlearning.stopping import Stopped
from unequal.unlearning.task_arithmetic import interpolate
from unequal.unlearning.weighting import Weighting, fact_weights, schedule_problem
from unequal.unlearning.window import check_prompts_fit, check_training_fits


def unlearn(run: Run) -> None:
    """Change the run's model in place to forget, and evaluate it at every evaluated step.

    The last step is that of the settings, or where a stopping rule ends the run. An adapter stands beside the
    model's parameters, quantised if so set, until the last step and is then added to them. A prompt method
    leaves the model alone and has two steps, the first and the last: evaluation puts its ``prompt_prefix``
    before what it asks. Raises `ConfigError` when the method has a retain term and there is nothing to
    retain, when prompts with a prefix do not fit the model's window, when a method that minimises no loss is
    given weights, stopping rules or an adapter, or when a loss of a whole batch is to be cut into
    micro-batches; `DataError` for a fact that does not fit the window.
    """
    model, method, settings = run.model, run.method, run.settings
    _check(run)
    check_training_fits(run)
    in_precision(model, settings.precision)
    if settings.quantise:
        quantise(model, settings.quantise)
    with torch.random.fork_rng(devices=[model.device] if model.device.type == "cuda" else []):
        torch.manual_seed(derive_seed(run.seed, "dropout"))  # modules of transformers take no generator
        if isinstance(method, PromptMethod):
            _evaluate_at(run, (0, settings.steps))
        elif isinstance(method, WeightMethod):
            _evaluate_at(run, interpolate(run, method))
        else:
            _train(run)


def _evaluate_at(run: Run, steps: Iterable[int]) -> None:
    last = run.settings.steps
    for step in steps:
        run.evaluate(run.model, step, step == last)
        run.progress(step, last)


def _train(run: Run) -> None:
    """Train on the objective until the last step or a stopping rule, evaluating on the way."""
    model, settings = run.model, run.settings
    weights = _weights(run)
    with computing_in(settings.precision, model.device):
        objective = make_objective(run, weights)
    adapter = Adapter(model, settings.adapter, derive_seed(run.seed, "adapter")) if settings.adapter else None
    stopping = EarlyStopping(run)
    if not objective.trained:
        raise ConfigError(
            f"no layer that method {run.method.kind} trains has an adapter; change target_modules"
        )
    evaluated = set(settings.evaluated_steps())

    def after_step(done: int, _loss: float) -> bool:
        if done > 0:
            objective.after_step(done - 1, settings.steps)
        reason = stopping.check(done)
        objective.weights.exclude(stopping.done)
        last = done == settings.steps or reason is not None
        if last and adapter:
            adapter.merge()  # so that the model that is kept is the one that is evaluated
        kept = stopping.kept_step if stopping.went_back else done
        if reason is not None:
            run.on_stop(Stopped(done, settings.steps, reason, stopping.why, kept))
        if done in evaluated or last:
            run.evaluate(model, kept, last)
        model.train()
        run.progress(settings.steps if last else done, settings.steps)
        return reason is not None

    recompute = settings.gradient_checkpointing or (
        batches_are_reduced() and model.supports_gradient_checkpointing
    )
    folder, every = run.checkpoints or (None, 0)
    optimiser = settings.optimiser(run.method.learning_rate)
    loop = LoopSettings(
        settings.steps, optimiser, folder, every, settings.compile, settings.precision, run.rate_at
    )
    state = RunState(objective, stopping, model.device)
    with (
        _merged_when_diverged(adapter),
        training_only(model, objective.trained),
        recomputing(model, recompute),
    ):
        run_steps(model, objective.losses, loop, after_step, state, objective.batch_of)


def make_objective(run: Run, weights: Sequence[float] | None = None) -> Objective:
    """Return the objective of the method's kind; ``weights`` are one a fact to forget, by default equal."""
    if isinstance(run.method, HiddenStateMethod):
        return HiddenStateObjective(run, weights)
    if isinstance(run.method, SharpnessAwareMethod):
        return SharpnessAwareObjective(run, weights)
    return AnswerObjective(run, weights)


@contextmanager
def _merged_when_diverged(adapter: Adapter | None) -> Iterator[None]:
    """Add the adapter to the model when the block ends in divergence, so that it is the last good model."""
    try:
        yield
    except DivergedError:
        if adapter:
            adapter.merge()
        raise


def _weights(run: Run) -> list[float]:
    """Return the weight of each fact to forget."""
    rule, confidence = run.settings.weighting, None
    if rule.needs_confidence:
        answers = run.encoder.own_answers(run.forget)
        confidence = answer_probabilities(run.model, answers, run.encoder.padding).tolist()
    return fact_weights(rule, run.forget, run.seed, confidence)


def _check(run: Run) -> None:
    """Raise `ConfigError` for settings that do not go together."""
    method, settings = run.method, run.settings
    if method.retain_weight > 0 and not run.retain:
        raise ConfigError(
            f"method {method.kind} has retain_weight {method.retain_weight} but there are no facts to retain;"
            " give --retain, or set retain_weight = 0, or give one table with --facts whose rest they come"
            " from: some of its facts have the role forget, or --n-forget says how many to forget"
        )
    weighted, rounded = settings.weighting != Weighting(), settings.precision != "fp32"
    if isinstance(method, WithoutLoss) and (
        settings.stopping.is_set or weighted or rounded or settings.adapter
    ):
        raise ConfigError(
            f"method {method.kind} minimises no loss, so there is nothing to weight, to stop, to round or to"
            " train an adapter on; leave out weighting, stopping, precision and adapter"
        )
    in_parts = n_processes() > 1 or (settings.micro_batch or settings.batch_size) < settings.batch_size
    if in_parts and run.needs_whole_batch:
        raise ConfigError(
            f"the loss of method {method.kind} is of a batch as a whole, so a step cannot be computed in"
            " parts; leave out micro_batch and use one process"
        )
    if settings.adapter:
        require_peft()
    if settings.quantise:
        require_bitsandbytes()
    if problem := schedule_problem(method, settings.weighting):
        raise ConfigError(problem)
    if isinstance(method, PromptMethod):
        check_prompts_fit(run)
