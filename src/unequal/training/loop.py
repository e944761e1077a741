"""The training loop: the same explicit steps for pre-training and for unlearning."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn

from unequal.errors import DivergedError
from unequal.models.compute_settings import Precision
from unequal.models.distributed import sum_gradients, sum_over_processes
from unequal.models.fsdp import full_tensor, local, replicated
from unequal.models.precision import compile_body, computing_in, differentiate
from unequal.progress import report_part
from unequal.training.checkpoint import State, load_checkpoint, save_checkpoint
from unequal.training.optimiser import build_optimiser
from unequal.training.settings import OptimiserSettings

PartialLosses = Callable[[int], Iterable[Tensor]]
AfterStep = Callable[[int, float], bool | None]
BatchOf = Callable[[int], Sequence[str]]


@dataclass(frozen=True)
class LoopSettings:
    """Settings of the training loop: steps, optimiser, precision, and a checkpoint each so many steps."""

    n_steps: int
    optimiser: OptimiserSettings
    checkpoints: Path | None = None
    checkpoint_every: int = 0
    compile_model: bool = False
    precision: Precision = "fp32"
    rate_at: Callable[[int], float] | None = None
    """The learning rate of each step, counted from 0, in place of the optimiser's schedule."""


def run_steps(
    model: nn.Module,
    losses: PartialLosses,
    settings: LoopSettings,
    after_step: AfterStep = lambda _done, _loss: None,
    state: State | None = None,
    batch_of: BatchOf = lambda _step: (),
) -> None:
    """Train the model in place for the settings' steps.

    ``losses(step)`` yields the scalar losses of a step's micro-batches, which add up to the step's loss and
    are differentiated one by one, each before the next is asked for; what a step sees depends on its number
    alone, so a run resumed from a checkpoint, which holds its ``state`` too, gives the same model. Of
    several processes each yields its own micro-batches; losses and gradients are added up.
    ``after_step(done, loss)`` is called after each step, and once before the first with 0; when it returns
    true the run ends there. With the ``precision`` bf16 products are computed in it.
    Raises `DivergedError` when a loss or its gradient is not finite, with what ``batch_of`` names of the
    step; the model, and a checkpoint where there are any, are then as the last good step left them.
    """
    n_steps, checkpoints, every = settings.n_steps, settings.checkpoints, settings.checkpoint_every
    optimiser = build_optimiser(model, settings.optimiser)
    rate_at = settings.rate_at or partial(settings.optimiser.rate, n_steps=n_steps)
    first = load_checkpoint(checkpoints, model, optimiser, state) if checkpoints else 0
    trained = [weight for weight in model.parameters() if weight.requires_grad]
    if settings.compile_model:
        compile_body(model)
    model.train()
    if first == 0:
        after_step(0, float("nan"))
    done = first
    for step in range(first, n_steps):
        report_part("step", step + 1, n_steps)
        for group in optimiser.param_groups:
            group["lr"] = rate_at(step)
        value = _differentiate(losses(step), trained, settings.precision)
        norm = nn.utils.clip_grad_norm_(trained, settings.optimiser.clip_norm)
        if wrong := _not_finite(value, norm):
            _save(checkpoints, step, model, optimiser, state)
            raise DivergedError(f"{wrong} at step {step + 1}", step + 1, batch_of(step))
        optimiser.step()
        optimiser.zero_grad()
        done = step + 1
        if after_step(done, value):
            break
        if every and done % every == 0 and done < n_steps:
            _save(checkpoints, done, model, optimiser, state)
    if not _all_finite(model):
        raise DivergedError("the last step left weights that are not numbers", done, batch_of(done - 1))
    model.eval()


def _not_finite(loss: float, norm: Tensor) -> str:
    """Return in words what is not finite; a step on such a gradient would make all parameters NaN."""
    if not math.isfinite(loss):
        return f"the loss is {loss}"
    return "" if bool(full_tensor(norm).isfinite()) else "the gradient is not finite"


def _save(
    folder: Path | None, step: int, model: nn.Module, optimiser: torch.optim.Optimizer, state: State | None
) -> None:
    """Save a checkpoint where there is a folder for it, but not of a model that was not trained yet."""
    if folder and step:
        save_checkpoint(folder, step, model, optimiser, state)


def _differentiate(parts: Iterable[Tensor], weights: Sequence[Tensor], precision: Precision) -> float:
    """Return a step's loss, whose gradient is added to that of each parameter."""
    device = weights[0].device
    total = torch.zeros((), device=device)
    parts = iter(parts)
    while True:
        with computing_in(precision, device):
            loss = next(parts, None)
        if loss is None:
            break
        if loss.requires_grad:
            differentiate(loss)
        total += loss.detach()
    sum_over_processes([total])
    sum_gradients(replicated(weights))
    return total.item()


def _all_finite(model: nn.Module) -> bool:
    """Return whether all parameters are finite, in all processes."""
    parts = [local(weight.detach()) for weight in model.parameters()]
    n_bad = torch.stack([(~part.isfinite().all()).float() for part in parts]).sum()
    sum_over_processes([n_bad])
    return n_bad.item() == 0
