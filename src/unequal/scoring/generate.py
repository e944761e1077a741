"""The generation pass: greedy answers in batches of equal prompt length, so that nothing is ever padded."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from transformers import PreTrainedModel

from unequal.facts.probes import Probe
from unequal.models.dealing import dealt_out
from unequal.models.sharding import without_gradients
from unequal.scoring.decode import Decoding, continue_rows, length_buckets, text_of, token_limit

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

BATCH_SIZE = 256


class GenerationPass:
    """Prompts made ready once, to be continued again and again while a model changes."""

    def __init__(
        self, tokenizer: "PreTrainedTokenizerBase", probes: Sequence[Probe], batch_size: int = BATCH_SIZE
    ) -> None:
        self._tokenizer = tokenizer
        prompts = [tokenizer(probe.prompt)["input_ids"] for probe in probes]
        self._limits = [token_limit(tokenizer, probe) for probe in probes]
        self._batches = [
            (indices, torch.tensor([prompts[index] for index in indices]))
            for indices in length_buckets(prompts, self._limits, batch_size)
        ]

    def run(self, model: PreTrainedModel) -> list[str]:
        """Return the greedy continuation of each probe's prompt, in order, without the prompt.

        A text ends at the end-of-text token or some tokens after the length of the fact's longest
        accepted answer; it depends on the probe alone, not on the others in its batch.
        """

        def continued(batch: tuple[list[int], Tensor]) -> dict[int, str]:
            indices, ids = batch
            decoding = Decoding(model, ids.to(model.device))
            limits = [self._limits[index] for index in indices]
            found = continue_rows(decoding, limits, self._tokenizer.eos_token_id, _most_probable)
            return {index: text_of(self._tokenizer, row) for index, row in zip(indices, found, strict=True)}

        with without_gradients(model):
            texts = dealt_out(model, self._batches, continued)
        return [texts[index] for index in range(len(self._limits))]


def generate(
    model: PreTrainedModel, tokenizer: "PreTrainedTokenizerBase", probes: Sequence[Probe]
) -> list[str]:
    """Return the texts of a `GenerationPass` that is run once."""
    return GenerationPass(tokenizer, probes).run(model)


def _most_probable(logits: Tensor, _rows: Tensor, _step: int) -> Tensor:
    return logits.argmax(-1)
