"""Runs of weight methods: no loop, but a walk from the starting weights to what the method makes of them."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import torch
from transformers import PreTrainedModel

from unequal.facts.probes import PromptFormat
from unequal.facts.schema import Fact
from unequal.unlearning.examples import answer_row
from unequal.unlearning.method_kinds import WeightMethod
from unequal.unlearning.reference_scores import reinforced
from unequal.unlearning.settings import UnlearnSettings

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def walk_weights(
    model: PreTrainedModel,
    tokenizer: "PreTrainedTokenizerBase",
    method: WeightMethod,
    forget: Sequence[Fact],
    prompts: PromptFormat,
    settings: UnlearnSettings,
    seed: int,
) -> Iterator[int]:
    """Yield each evaluated step k of n once the model, changed in place, stands at k/n of the way."""
    answers = [answer_row(tokenizer, prompts, fact, fact.answer, end=False) for fact in forget]
    padding = int(tokenizer.pad_token_id)
    with reinforced(model, answers, padding, seed, method.rounds, method.learning_rate) as copied:
        tuned = {name: weight.detach().clone() for name, weight in copied.named_parameters()}
    start = {name: weight.detach().clone() for name, weight in model.named_parameters()}
    for step in settings.evaluated_steps():
        with torch.no_grad():
            for name, weight in model.named_parameters():
                weight.copy_(method.weight(start[name], tuned[name], step / settings.steps))
        yield step
