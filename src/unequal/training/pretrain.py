"""Pre-train a model from scratch on a corpus, in the corpus's own fixed order."""

import logging
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from math import ceil
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from transformers import PreTrainedModel

from unequal.checksums import write_checked_json
from unequal.corpus.shards import TokenWindows
from unequal.errors import DamagedError
from unequal.files import atomic_folder, write_json
from unequal.models.distributed import (
    broadcast_from_main,
    is_main_process,
    n_processes,
    on_main_process,
    process_index,
    wait_for_everyone,
)
from unequal.models.fsdp import is_sharded
from unequal.models.load import load_tokenizer, scratch_model
from unequal.models.save import save_model
from unequal.models.shapes import ModelSettings, Vocabulary
from unequal.oom import current_batch_size
from unequal.progress import Progress, no_progress
from unequal.records import read_checked_record
from unequal.scoring.logits import logits_at
from unequal.training.loop import LoopSettings, run_steps
from unequal.training.recompute import recomputing
from unequal.training.settings import PretrainSettings

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Loss:
    """The mean loss of a step's batch, in nats a token."""

    step: int
    loss: float


@dataclass(frozen=True)
class _Kept:
    """The contents of ``losses.json``."""

    losses: tuple[Loss, ...]


def pretrain(
    model_settings: ModelSettings,
    corpus: Path,
    settings: PretrainSettings,
    seed: int,
    out: Path,
    checkpoint_every: int = 200,
    progress: Progress = no_progress,
) -> Path:
    """Train on every window once and return the folder ``out/model``, which `from_pretrained` loads.

    Continues from the newest checkpoint under ``out/checkpoints``; losses are in ``out/metrics.json``.
    """
    windows = TokenWindows(corpus)
    card = windows.card
    vocabulary = Vocabulary(
        size=card.vocabulary_size,
        window_tokens=card.window_tokens,
        end_token_id=card.end_token_id,
        padding_token_id=card.padding_token_id,
    )
    model = scratch_model(model_settings, vocabulary, seed, precision=settings.precision)
    n_steps = ceil(len(windows) / settings.batch_windows)
    kept = out / "checkpoints" / "losses.json"  # so that a resumed run reports all its losses
    history = broadcast_from_main(lambda: _losses_so_far(kept))

    def after_step(done: int, loss: float) -> None:
        if done and (done % 10 == 0 or done == n_steps):
            history[:] = [row for row in history if row.step < done]
            history.append(Loss(done, loss))
        if done and checkpoint_every and done % checkpoint_every == 0 and is_main_process():
            write_checked_json(kept, {"losses": [asdict(row) for row in history]})
        progress(done, n_steps)

    loop = LoopSettings(
        n_steps, settings.optimiser, out / "checkpoints", checkpoint_every, settings.compile,
        settings.precision,
    )  # fmt: skip
    with recomputing(model, settings.gradient_checkpointing):
        run_steps(
            model,
            lambda step: _losses(model, windows, settings, step),
            loop,
            after_step,
            batch_of=lambda step: windows_of(settings, step, len(windows)),
        )
    with on_main_process(atomic_folder(out / "model")) as folder:
        save_model(model, load_tokenizer(corpus / "tokenizer"), folder)
    if is_main_process():
        losses = [asdict(row) for row in history]
        write_json(out / "metrics.json", {"n_steps": n_steps, "n_tokens": card.n_tokens, "losses": losses})
        shutil.rmtree(out / "checkpoints", ignore_errors=True)
    wait_for_everyone()
    return out / "model"


def _losses_so_far(kept: Path) -> list[Loss]:
    """Return the losses of an interrupted run; where they are damaged the run starts again."""
    if not kept.is_file():
        return []
    try:
        return list(read_checked_record(_Kept, kept, "").losses)
    except DamagedError as error:
        logger.warning("%s is damaged (%s); training begins anew", kept, error.what)
        shutil.rmtree(kept.parent)
        return []


def _losses(
    model: PreTrainedModel, windows: TokenWindows, settings: PretrainSettings, step: int
) -> Iterator[Tensor]:
    """Yield the micro-batches' shares of the mean next-token loss over the step's batch."""
    start = step * settings.batch_windows
    batch = torch.from_numpy(windows.slice(start, start + settings.batch_windows)).to(model.device)
    padding = windows.card.padding_token_id
    n_targets = (batch[:, 1:] != padding).sum()
    size = current_batch_size(min(settings.micro_batch_windows, settings.batch_windows))
    parts = torch.split(batch, min(size, ceil(len(batch) / n_processes())))
    for turn in range(process_index(), n_processes() * ceil(len(parts) / n_processes()), n_processes()):
        if turn < len(parts):
            yield next_token_loss(model, parts[turn], padding) / n_targets
        elif is_sharded(model):  # all must make as many passes
            yield 0 * next_token_loss(model, batch[:1], padding)


def windows_of(settings: PretrainSettings, step: int, n_windows: int) -> list[str]:
    """Return which windows of the corpus a step sees, as words."""
    start = step * settings.batch_windows
    return [f"windows {start} to {min(start + settings.batch_windows, n_windows) - 1}"]


def next_token_loss(model: PreTrainedModel, ids: Tensor, padding: int) -> Tensor:
    """Return the summed cross-entropy (nats) of every token that is not padding, given those before it.

    ``ids`` has the shape ``(batch, window)``; the head is applied only where there is a target.
    """
    rows, places = (ids[:, 1:] != padding).nonzero(as_tuple=True)
    logits = logits_at(model, ids[:, :-1], rows, places)
    return cross_entropy(logits, ids[rows, places + 1], reduction="sum")
