"""Fine-tuning for an attack: a copy of the model, all of whose parameters are trained on some answers."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor
from transformers import PreTrainedModel

from unequal.attacks.attack import AttackContext
from unequal.facts.schema import Fact
from unequal.models.distributed import own_share
from unequal.models.fsdp import is_sharded
from unequal.models.scratch_copy import copy_of
from unequal.seeds import derive_seed
from unequal.training.loop import LoopSettings, run_steps
from unequal.training.settings import OptimiserSettings
from unequal.unlearning.examples import FactEncoder, score_examples
from unequal.unlearning.sampler import BatchOrder
from unequal.unlearning.window import check_fits


@contextmanager
def tuned_copy(
    context: AttackContext, taught: Sequence[Fact], steps: int, batch_size: int, optimiser: OptimiserSettings
) -> Iterator[PreTrainedModel]:
    """Yield a copy of the context's model trained on the answers and their end of text.

    The loss is the mean −log p per token. Raises `DivergedError` when it is not finite.
    """
    encoder = FactEncoder(context.tokenizer, context.prompts)
    for fact in taught:
        check_fits(context.model, encoder, fact, [fact.answer], before=context.before)
    order = BatchOrder(len(taught), batch_size, context.seed, "relearn")
    examples = encoder.own_answers(taught, end=True, before=context.before)

    with copy_of(context.model) as model:
        model.requires_grad_(True)

        def losses(step: int) -> Iterator[Tensor]:
            indices = order.at(step)
            mine = own_share(indices)
            if mine or is_sharded(model):  # whose processes must all make as many passes
                chosen = [examples[index] for index in mine or indices[:1]]
                found = score_examples(model, chosen, encoder.padding)
                yield found.mean_nll.mean() * (len(mine) / len(indices))

        with torch.random.fork_rng(devices=[model.device] if model.device.type == "cuda" else []):
            torch.manual_seed(derive_seed(context.seed, "relearn", "dropout"))
            run_steps(model, losses, LoopSettings(steps, optimiser))
        yield model
