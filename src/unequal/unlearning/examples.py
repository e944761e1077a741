"""Prompt and answer as training rows, and their token scores from one forward pass over all of them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from transformers import PreTrainedModel

from unequal.facts.probes import PromptFormat
from unequal.facts.schema import Fact
from unequal.models.capabilities import capabilities_of
from unequal.models.distributed import n_processes, run_distributed
from unequal.oom import current_batch_size
from unequal.scoring.encoding import encode
from unequal.scoring.logits import log_probs_at, logits_at
from unequal.scoring.packing import laid_out
from unequal.unlearning.method import TokenScores

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_AT_ONCE = 16  # rows under a frozen model: more are no faster on a CPU and take more memory


@dataclass(frozen=True)
class Example:
    """Token ids of a prompt with its answer; ``span`` is the part whose tokens are scored."""

    ids: list[int]
    span: tuple[int, int]

    def of_prompt(self) -> "Example":
        """Return the row cut to its prompt, with every prompt token but the first scored."""
        return Example(self.ids[: self.span[0]], (1, self.span[0]))

    @property
    def n_tokens(self) -> int:
        """How many tokens are scored."""
        return self.span[1] - self.span[0]


def answer_row(
    tokenizer: "PreTrainedTokenizerBase",
    prompts: PromptFormat,
    fact: Fact,
    answer: str,
    end: bool,
    before: str = "",
) -> Example:
    """Return the fact's question with an answer; with ``end`` what ends an answer is part of it.

    ``before`` is a text that stands before the question.
    """
    encoded = encode(tokenizer, before + prompts.ask(fact.question), [answer], end, prompts.around)
    ids = encoded.prompt + encoded.continuations[0]
    return Example(ids, (len(encoded.prompt), len(ids)))


def score_rows(
    model: PreTrainedModel, rows: Sequence[Example], padding: int, whole: bool = False
) -> TokenScores:
    """Return the scores of each row's span, with its distributions if ``whole``."""
    return score_groups(model, {"": rows}, padding, ("",) if whole else ())[""]


def score_groups(
    model: PreTrainedModel,
    groups: Mapping[str, Sequence[Example]],
    padding: int,
    whole: Collection[str] = (),
) -> dict[str, TokenScores]:
    """Return the scores of every group of rows from one pass; the head is applied at their spans only.

    The distributions of groups in ``whole`` are kept.
    """
    rows = [row for group in groups.values() for row in group]
    lengths = {name: [row.n_tokens for row in group] for name, group in groups.items()}
    targets = torch.tensor(
        [token for row in rows for token in row.ids[slice(*row.span)]], device=model.device
    )
    capabilities_of(model).check_passes()  # now, since the model then runs as a whole
    chosen_alone = not any(name in groups for name in whole)
    inputs, spans = [row.ids[:-1] for row in rows], [(row.span[0] - 1, row.span[1] - 1) for row in rows]
    with laid_out(model, inputs, spans, padding) as layout:
        at = (model, layout.input_ids, layout.rows, layout.places)
        if chosen_alone:
            values = log_probs_at(*at, targets, **layout.extra)
        else:
            values = logits_at(*at, **layout.extra)
    sizes = [sum(group) for group in lengths.values()]
    found = {}
    for name, own, ids in zip(groups, torch.split(values, sizes), torch.split(targets, sizes), strict=True):
        columns = (own, ids) if chosen_alone else _of_logits(own, ids, name in whole)
        mask = _mask(lengths[name]).to(model.device)
        log_probs, *others = (_padded(column, mask) for column in columns)
        found[name] = TokenScores(log_probs, mask, *others)
    return found


def _of_logits(logits: Tensor, targets: Tensor, whole: bool) -> tuple[Tensor, ...]:
    """Return the targets' log-probabilities and ids; if ``whole``, all of them and normalisers."""
    log_probabilities = logits.log_softmax(1)
    chosen = log_probabilities.gather(1, targets[:, None]).squeeze(1)
    if not whole:
        return chosen, targets
    return chosen, targets, log_probabilities, logits.gather(1, targets[:, None]).squeeze(1) - chosen


def _mask(lengths: list[int]) -> Tensor:
    """Return where rows of these lengths have tokens, ``(rows, longest)``."""
    return torch.arange(max(lengths, default=0)) < torch.tensor(lengths)[:, None]


def _padded(values: Tensor, mask: Tensor) -> Tensor:
    """Return values ``(n, …)``, row by row, where the mask ``(rows, longest)`` is true, and 0 elsewhere."""
    return values.new_zeros(*mask.shape, *values.shape[1:]).index_put_((mask,), values)


@torch.no_grad()
def score_in_batches(
    model: PreTrainedModel, rows: Sequence[Example], padding: int, whole: bool = False
) -> list[TokenScores]:
    """Return the scores of each row alone, ``(1, tokens)``, without gradients; for frozen models.

    Processes share the work, but for whole distributions, of which they would have too much to tell.
    """
    model.eval()
    order = sorted(range(len(rows)), key=lambda index: len(rows[index].ids))
    size = current_batch_size(_AT_ONCE)
    batches = [order[start : start + size] for start in range(0, len(rows), size)]

    def scored(indices: list[int]) -> dict[int, TokenScores]:
        scores = score_rows(model, [rows[index] for index in indices], padding, whole)
        return {index: scores.part(place, place + 1) for place, index in enumerate(indices)}

    if whole or n_processes() == 1:
        found = {index: score for batch in batches for index, score in scored(batch).items()}
        return [found[index] for index in range(len(rows))]
    scores = run_distributed(
        model, batches, lambda batch: {i: score.to("cpu") for i, score in scored(batch).items()}
    )
    return [scores[index].to(model.device) for index in range(len(rows))]


def answer_probabilities(model: PreTrainedModel, rows: Sequence[Example], padding: int) -> Tensor:
    """Return the probability per token, exp(−S/n), of each row's answer, ``(rows,)``, on the CPU."""
    return torch.stack([(-one.mean_nll).exp()[0] for one in score_in_batches(model, rows, padding)]).cpu()


def stack(scores: Sequence[TokenScores]) -> TokenScores:
    """Return scores of single rows as one padded batch."""

    def padded(parts: list[Tensor | None]) -> Tensor | None:
        rows = [part[0] for part in parts if part is not None]
        return pad_sequence(rows, batch_first=True) if rows else None

    log_probs = pad_sequence([one.log_probs[0] for one in scores], batch_first=True)
    mask = pad_sequence([one.mask[0] for one in scores], batch_first=True)
    others = ("targets", "distributions", "log_normalisers")
    return TokenScores(log_probs, mask, *(padded([getattr(one, name) for one in scores]) for name in others))
