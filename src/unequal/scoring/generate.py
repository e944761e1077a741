"""The generation pass: greedy answers, in batches of prompts."""

from collections.abc import Sequence

from torch import Tensor
from transformers import PreTrainedModel

from unequal.facts.probes import Probe
from unequal.models.distributed import run_distributed
from unequal.models.fsdp import without_gradients
from unequal.scoring.decode import Batches, Decoding, Rows, continue_rows
from unequal.scoring.encoding import Encoder, Tokenizer, open_prompt
from unequal.scoring.ending import Stopper, end_tokens

BATCH_SIZE = 256


class GenerationPass:
    """Tokenised prompts, to be continued again and again while a model changes."""

    def __init__(self, tokenizer: Tokenizer, probes: Sequence[Probe], batch_size: int = BATCH_SIZE) -> None:
        encoder = Encoder.of(tokenizer)
        self._tokenizer = encoder.tokenizer
        self._prompts = [open_prompt(encoder, probe) for probe in probes]
        self._batches = Batches(self._prompts, batch_size)

    def run(self, model: PreTrainedModel) -> list[str]:
        """Return the greedy continuation of each probe's prompt, in order, without the prompt.

        A text ends at an end token (of the tokenizer, the model's configurations or, in a chat, of the
        turn), at a stop string of the probe, or some tokens after the length of the longest accepted answer;
        it depends on the probe alone, not on the others in its batch.
        """
        of_model = end_tokens(model)

        def continued(batch: Rows) -> dict[int, str]:
            indices = batch.indices
            decoding = Decoding(model, batch)
            limits = [self._prompts[index].limit for index in indices]
            first = self._prompts[indices[0]]
            stopper = Stopper(self._tokenizer, first.stops)
            found = continue_rows(decoding, limits, first.ends | of_model, _most_probable, stopper)
            return {index: stopper.text(row) for index, row in zip(indices, found, strict=True)}

        with without_gradients(model):
            texts = run_distributed(model, self._batches.of(model), continued)
        return [texts[index] for index in range(len(self._prompts))]


def generate(model: PreTrainedModel, tokenizer: Tokenizer, probes: Sequence[Probe]) -> list[str]:
    """Return the texts of a `GenerationPass` that is run once."""
    return GenerationPass(tokenizer, probes).run(model)


def _most_probable(logits: Tensor, _rows: Tensor, _step: int) -> Tensor:
    return logits.argmax(-1)
