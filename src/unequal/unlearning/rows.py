"""Prompt and answer as training rows, and their token scores from one forward pass over all of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from transformers import PreTrainedModel

from unequal.facts.probes import PromptFormat
from unequal.facts.schema import Fact
from unequal.scoring.encoding import encode
from unequal.scoring.forward import logits_at, pad_rows
from unequal.unlearning.method import TokenScores

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True)
class Row:
    """Token ids of a prompt with its answer; ``span`` is the part whose tokens are scored."""

    ids: list[int]
    span: tuple[int, int]

    def of_prompt(self) -> "Row":
        """Return the row cut to its prompt, with every prompt token but the first scored."""
        return Row(self.ids[: self.span[0]], (1, self.span[0]))


def answer_row(
    tokenizer: "PreTrainedTokenizerBase", prompts: PromptFormat, fact: Fact, answer: str, end: bool
) -> Row:
    """Return the fact's question with an answer; with ``end`` the end-of-text token is part of the answer."""
    encoded = encode(tokenizer, prompts.ask(fact.question), [answer], end)
    ids = encoded.prompt + encoded.continuations[0]
    return Row(ids, (len(encoded.prompt), len(ids)))


@dataclass(frozen=True)
class Scored:
    """Token scores of some rows, and where asked the whole log-distributions ``(batch, tokens, vocab)``."""

    tokens: TokenScores
    distributions: Tensor | None = None

    def part(self, start: int, stop: int) -> TokenScores:
        """Return the scores of rows ``start`` to ``stop`` (exclusive)."""
        return TokenScores(self.tokens.log_probs[start:stop], self.tokens.mask[start:stop])


def score_rows(
    model: PreTrainedModel, rows: Sequence[Row], padding: int, keep_distributions: bool = False
) -> Scored:
    """Return the scores of each row's span; the head is applied at those positions only."""
    device = model.device
    input_ids = pad_rows([row.ids for row in rows], padding, device)
    lengths = [stop - start for start, stop in (row.span for row in rows)]
    places = [place for row in rows for place in range(row.span[0] - 1, row.span[1] - 1)]
    row_index = torch.repeat_interleave(torch.tensor(lengths)).to(device)
    logits = logits_at(model, input_ids[:, :-1], row_index, torch.tensor(places, device=device))
    log_probabilities = logits.log_softmax(1)
    targets = input_ids[row_index, torch.tensor(places, device=device) + 1]
    chosen = log_probabilities.gather(1, targets[:, None]).squeeze(1)
    padded = pad_sequence(list(torch.split(chosen, lengths)), batch_first=True)
    mask = torch.arange(padded.shape[1])[None, :] < torch.tensor(lengths)[:, None]
    distributions = None
    if keep_distributions:
        distributions = pad_sequence(list(torch.split(log_probabilities, lengths)), batch_first=True)
    return Scored(TokenScores(padded, mask.to(device)), distributions)


@torch.no_grad()
def score_in_batches(
    model: PreTrainedModel, rows: Sequence[Row], padding: int, keep_distributions: bool = False
) -> list[Scored]:
    """Return the scores of each row alone, without gradients; used once for the frozen starting model."""
    model.eval()
    found: list[Scored] = []
    for start in range(0, len(rows), 64):
        batch = rows[start : start + 64]
        scored = score_rows(model, batch, padding, keep_distributions)
        for index, row in enumerate(batch):
            n_tokens = row.span[1] - row.span[0]
            tokens = TokenScores(
                scored.tokens.log_probs[index, :n_tokens], scored.tokens.mask[index, :n_tokens]
            )
            kept = None if scored.distributions is None else scored.distributions[index, :n_tokens]
            found.append(Scored(tokens, kept))
    return found


def stack(scores: Sequence[Scored]) -> Scored:
    """Return scores of single rows as one padded batch."""
    log_probs = pad_sequence([scored.tokens.log_probs for scored in scores], batch_first=True)
    mask = pad_sequence([scored.tokens.mask for scored in scores], batch_first=True)
    kept = [scored.distributions for scored in scores if scored.distributions is not None]
    return Scored(TokenScores(log_probs, mask), pad_sequence(kept, batch_first=True) if kept else None)
