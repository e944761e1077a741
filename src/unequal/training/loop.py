"""The training loop: the same explicit steps for pre-training and for unlearning."""

import math
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import torch
from accelerate import Accelerator
from torch import Tensor
from transformers import PreTrainedModel

from unequal.errors import DivergedError
from unequal.models.device import process_state
from unequal.models.kernels import use_plain_linear
from unequal.training.checkpoint import Memory, load_checkpoint, save_checkpoint
from unequal.training.optimiser import build_optimiser
from unequal.training.processes import add_up, add_up_gradients, is_first
from unequal.training.settings import OptimiserSettings

PartialLosses = Callable[[int], Iterable[Tensor]]
AfterStep = Callable[[int, float], bool | None]
BatchOf = Callable[[int], Sequence[str]]


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
    batch_of: BatchOf = lambda _step: (),
) -> None:
    """Train the model in place for ``n_steps``.

    ``losses(step)`` yields the scalar losses of a step's micro-batches, which add up to the step's loss and
    are differentiated one by one, each before the next is asked for; what a step sees depends on its number
    alone, so a run resumed from a checkpoint, which holds its ``memory`` too, ends with the same weights. Of
    several processes each yields its own micro-batches; losses and gradients are added up.
    ``after_step(done, loss)`` is called after each step, and once before the first with 0; when it returns
    true the run ends there.
    Raises `DivergedError` when a loss or its gradient is not finite, with what ``batch_of`` names of the
    step; the model, and a checkpoint where there are any, are then as the last good step left them.
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
    done = first
    for step in range(first, n_steps):
        for group in optimiser.param_groups:
            group["lr"] = settings.rate(step, n_steps)
        value = _differentiate(losses(step), trained, accelerator)
        norm = accelerator.clip_grad_norm_(model.parameters(), settings.clip_norm)
        if wrong := _not_finite(value, norm):
            _save(checkpoints, step, accelerator.unwrap_model(model), optimiser, memory)
            raise DivergedError(f"{wrong} at step {step + 1}", step + 1, batch_of(step))
        optimiser.step()
        optimiser.zero_grad()
        done = step + 1
        if after_step(done, value):
            break
        if checkpoint_every and done % checkpoint_every == 0 and done < n_steps:
            _save(checkpoints, done, accelerator.unwrap_model(model), optimiser, memory)
    if not _all_finite(model):
        raise DivergedError("the last step left weights that are not numbers", done, batch_of(done - 1))
    model.eval()


def _not_finite(loss: float, norm: Tensor | None) -> str:
    """Return what is no number, as words; a step on such a gradient would leave no weight that is one."""
    if not math.isfinite(loss):
        return f"the loss is {loss}"
    if norm is not None and not bool(torch.as_tensor(norm).isfinite()):
        return "the gradient is not finite"
    return ""


def _all_finite(model: PreTrainedModel) -> bool:
    return all(bool(weight.isfinite().all()) for weight in model.parameters())


def _save(
    folder: Path | None,
    step: int,
    model: PreTrainedModel,
    optimiser: torch.optim.Optimizer,
    memory: Memory | None,
) -> None:
    """Save a checkpoint, of the optimiser that accelerate wrapped, in the process that writes.

    Nothing is saved where there is no folder for it, and of a model that was not trained yet.
    """
    if folder and step and is_first():
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
