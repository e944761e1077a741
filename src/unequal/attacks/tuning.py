"""Fine-tuning for an attacker: a copy of the model, all of whose weights learn some answers."""

import copy
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor
from transformers import PreTrainedModel

from unequal.attacks.attack import Scene
from unequal.facts.schema import Fact
from unequal.seeds import derive_seed
from unequal.training.loop import run_steps
from unequal.training.processes import is_first
from unequal.training.settings import OptimiserSettings
from unequal.unlearning.batches import BatchOrder
from unequal.unlearning.rows import answer_row, score_rows


def tuned_copy(
    scene: Scene, taught: Sequence[Fact], steps: int, batch_size: int, optimiser: OptimiserSettings
) -> PreTrainedModel:
    """Return a copy of the scene's model trained on the answers and their end of text.

    The loss is the mean −log p per token. Raises `DivergedError` when it is not finite.
    """
    model: PreTrainedModel = copy.deepcopy(scene.model).requires_grad_(True)
    padding = int(scene.tokenizer.pad_token_id)
    order = BatchOrder(len(taught), batch_size, scene.seed, "relearn")
    rows = [
        answer_row(scene.tokenizer, scene.prompts, fact, fact.answer, end=True, before=scene.before)
        for fact in taught
    ]

    def losses(step: int) -> Iterator[Tensor]:
        if is_first():  # what several processes yield is added up
            yield score_rows(model, [rows[index] for index in order.at(step)], padding).mean_nll.mean()

    with torch.random.fork_rng(devices=[model.device] if model.device.type == "cuda" else []):
        torch.manual_seed(derive_seed(scene.seed, "relearn", "dropout"))
        run_steps(model, losses, steps, optimiser, lambda _done, _loss: None)
    return model
