"""Perplexity of text: the teacher-forced pass over whole passages, beside the one over answers."""

from collections.abc import Iterable
from math import exp, log
from typing import NamedTuple

import torch
from transformers import PreTrainedModel

from unequal.models.distributed import run_distributed
from unequal.models.fsdp import without_gradients
from unequal.oom import current_batch_size
from unequal.scoring.encoding import Encoder, Tokenizer, length_batches
from unequal.scoring.logits import log_probs_at, pad_rows

TOKEN_BUDGET = 256  # tokens of a forward pass, each with logits as wide as the vocabulary
LARGEST_EXPONENT = 700.0  # exp of more has no finite float


class TextScore(NamedTuple):
    """Log-probability in nats of a text's scored tokens, their number, and the UTF-8 bytes they stand for."""

    log_prob: float
    n_tokens: int
    n_bytes: int

    @property
    def perplexity(self) -> float:
        """exp of the mean −log p of a token; 1 is certainty, lower is better."""
        return exp(min(-self.log_prob / self.n_tokens, LARGEST_EXPONENT))

    @property
    def bits_per_byte(self) -> float:
        """−log₂ p over bytes, comparable between tokenizers; lower is better."""
        return -self.log_prob / log(2) / self.n_bytes


class TextPass:
    """Tokenised passages, to be scored again and again while a model changes.

    Passages are taken until ``n_tokens`` tokens are scored, each cut at ``window`` tokens. A passage begins
    with the tokens that the tokenizer puts before a text; where there are none its first token is not scored.
    """

    def __init__(self, tokenizer: Tokenizer, passages: Iterable[str], n_tokens: int, window: int) -> None:
        encoder = Encoder.of(tokenizer)
        self._padding = encoder.padding
        self._rows: list[tuple[list[int], int]] = []  # token ids, and how many of them are not scored
        self.n_tokens = 0
        for passage in passages:
            before = encoder.beginning(passage)
            given = max(len(before), 1)
            ids = [*before, *encoder.ids([passage])[0]][: min(window, given + n_tokens - self.n_tokens)]
            if len(ids) > given:
                self._rows.append((ids, given))
                self.n_tokens += len(ids) - given
            if self.n_tokens >= n_tokens:
                break
        scored = [ids[given:] for ids, given in self._rows]
        unknown = encoder.tokenizer.unk_token_id
        self.n_unknown = sum(ids.count(unknown) for ids in scored)
        self._n_bytes = sum(len(encoder.tokenizer.decode(ids).encode()) for ids in scored)

    def run(self, model: PreTrainedModel) -> TextScore:
        """Return the score of all passages for a model as it is now; of no passages there is none."""
        lengths = [len(ids) for ids, _ in self._rows]
        batches = length_batches(lengths, current_batch_size(TOKEN_BUDGET))

        def scored(batch: list[int]) -> dict[int, float]:
            found = _log_probs(model, [self._rows[index] for index in batch], self._padding)
            return dict(zip(batch, found, strict=True))

        with without_gradients(model):
            sums = run_distributed(model, batches, scored)
        return TextScore(sum(sums[index] for index in sorted(sums)), self.n_tokens, self._n_bytes)


def _log_probs(model: PreTrainedModel, rows: list[tuple[list[int], int]], padding: int) -> list[float]:
    """Return the summed log-probability of each row's scored tokens."""
    device, counts = model.device, [len(ids) - given for ids, given in rows]
    owners = torch.repeat_interleave(torch.tensor(counts))
    places = torch.cat([torch.arange(given - 1, len(ids) - 1) for ids, given in rows])
    targets = torch.tensor([token for ids, given in rows for token in ids[given:]])
    input_ids = pad_rows([ids for ids, _ in rows], padding, device)
    found = log_probs_at(model, input_ids, owners.to(device), places.to(device), targets.to(device))
    return [part.double().sum().item() for part in torch.split(found, counts)]
