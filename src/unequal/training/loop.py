"""The training loop: the same explicit steps for pre-training and for unlearning."""

import math
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import torch
from accelerate import Accelerator
from torch import Tensor
from transformers import PreTrainedModel

from unequal.errors import UserError
from unequal.models.device import process_state
from unequal.models.kernels import use_plain_linear
from unequal.training.checkpoint import Memory, load_checkpoint, save_checkpoint
from unequal.training.optimiser import build_optimiser
from unequal.training.processes import add_up, add_up_gradients, is_first
from unequal.training.settings import OptimiserSettings

PartialLosses = Callable[[int], Iterable[Tensor]]
AfterStep = Callable[[int, float], bool | None]


class DivergedError(UserError):
    """A loss was not a number; the last good state is kept."""


def run_steps(
    model: PreTrainedModel,
    losses: PartialLosses,
    n_steps: int,
    settings: OptimiserSettings,
    after_step: AfterStep,
    checkpoints: Path | None = None,
    checkpoint_every: int = 0,
    compile_model: bool = False,
    memory: Memory | None = None,
) -> None:
    """Train the model in place for ``n_steps``.

    ``losses(step)`` yields the scalar losses of a step's micro-batches, which add up to the step's loss and
    are differentiated one by one, each before the next is asked for; what a step sees depends on its number
    alone, so a run resumed from a checkpoint, which holds its ``memory`` too, ends with the same weights. Of
    several processes each yields its own micro-batches; losses and gradients are added up.
    ``after_step(done, loss)`` is called after each step, and once before the first with 0; when it returns
    true the run ends there.
    Raises `DivergedError` when a loss is not finite.
    """
    process_state()  # before the accelerator, which does not know of processes on the CPU
    accelerator = Accelerator()
    optimiser = build_optimiser(model, settings)
    first = load_checkpoint(checkpoints, model, optimiser, memory) if checkpoints else 0
    # "Evaluation" is without the wrapper that averages gradients over processes in its own forward pass.
    model = accelerator.prepare_model(model, evaluation_mode=True)
    optimiser = accelerator.prepare_optimizer(optimiser)
    trained = [weight for weight in model.parameters() if weight.requires_grad]
    if compile_model:
        use_plain_linear(model.base_model)
        model.base_model.compile()
    model.train()
    if first == 0:
        after_step(0, float("nan"))
    for step in range(first, n_steps):
        for group in optimiser.param_groups:
            group["lr"] = settings.rate(step, n_steps)
        value = _differentiate(losses(step), trained, accelerator)
        if not math.isfinite(value):
            raise DivergedError(f"the loss is {value} at step {step + 1}; lower the learning rate")
        accelerator.clip_grad_norm_(model.parameters(), settings.clip_norm)
        optimiser.step()
        optimiser.zero_grad()
        if after_step(step + 1, value):
            break
        if checkpoints and checkpoint_every and (step + 1) % checkpoint_every == 0 and step + 1 < n_steps:
            _save(checkpoints, step + 1, accelerator.unwrap_model(model), optimiser, memory)
    if not all(bool(weight.isfinite().all()) for weight in model.parameters()):
        raise DivergedError("the last step left weights that are not numbers; lower the learning rate")
    model.eval()


def _save(
    folder: Path, step: int, model: PreTrainedModel, optimiser: torch.optim.Optimizer, memory: Memory | None
) -> None:
    """Save a checkpoint, of the optimiser that accelerate wrapped, in the process that writes."""
    if is_first():
        save_checkpoint(folder, step, model, getattr(optimiser, "optimizer", optimiser), memory)


def _differentiate(parts: Iterable[Tensor], weights: Sequence[Tensor], accelerator: Accelerator) -> float:
    """Return a step's loss, whose gradient is added to that of each weight."""
    total = torch.zeros((), device=accelerator.device)
    for loss in parts:
        if loss.requires_grad:
            accelerator.backward(loss)
        total += loss.detach()
    add_up([total])
    add_up_gradients(weights)
    return total.item()
