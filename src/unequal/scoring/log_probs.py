"""The teacher-forced pass: log-probabilities of right and wrong answers, each prompt encoded once."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from transformers import PreTrainedModel

from unequal.facts.probes import Probe
from unequal.models.capabilities import capabilities_of
from unequal.models.distributed import run_distributed
from unequal.models.fsdp import without_gradients
from unequal.models.packed_attention import mask_inputs
from unequal.oom import current_batch_size
from unequal.scoring.encoding import EncodedPrompt, Encoder, Tokenizer, encode_probe, length_batches, room
from unequal.scoring.logits import logits_at, pad_rows
from unequal.scoring.prefix_tree import Tree, grow, tree_mask

TOKEN_BUDGET = 4096  # padded tokens a forward pass; more is no faster on a CPU and takes more memory
_AT_ONCE = 64  # rows of logits, few enough to stay near the processor


@dataclass(frozen=True)
class AnswerScore:
    """One answer under teacher forcing; arrays have the shape ``(answer_tokens,)``."""

    log_probs: npt.NDArray[np.float64]  # natural logarithm of each token's probability
    ranks: npt.NDArray[np.int64]  # how many tokens are more probable: 0 for the most probable one
    ties: npt.NDArray[np.int64]  # how many others are exactly as probable; bf16 rounding makes many
    means: npt.NDArray[np.float64] | None = None  # of log p(v), over v ~ p: the negative entropy, in nats
    deviations: npt.NDArray[np.float64] | None = None  # standard deviation of the same


@dataclass(frozen=True)
class ProbeScore:
    """A probe's right answer and its distractors, scored."""

    probe: Probe
    right: AnswerScore
    wrong: tuple[AnswerScore, ...]


class AnswerPass:
    """Tokenised probes, to be scored again and again while a model changes.

    With ``share_prefix`` the answers of a prompt share one row through a tree-shaped attention mask;
    without it each answer has a row of its own; by default they share where the model supports it
    (`Capabilities.supports_shared_prefix`).
    With ``moments`` the mean and deviation of the model's distribution at each token come along.
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        probes: Sequence[Probe],
        share_prefix: bool | None = None,
        moments: bool = False,
        token_budget: int = TOKEN_BUDGET,
    ) -> None:
        self._probes = probes
        self._share_prefix = share_prefix
        self._moments = moments
        self._token_budget = token_budget
        encoder = Encoder.of(tokenizer)
        self._padding = encoder.padding
        self._encoded = [encode_probe(encoder, probe) for probe in probes]
        self._longest = max((item.longest for item in self._encoded), default=0)
        self._ready: dict[bool, _Ready] = {}

    def run(self, model: PreTrainedModel) -> list[ProbeScore]:
        """Return one score a probe, in order; values do not depend on batching, but for rounding.

        Raises `DataError` when a probe is longer than the model's window.
        """
        room(model, self._longest - 1)  # the last token of an answer is not read
        ready = self._made_ready(model)

        def scored(part: tuple[list[int], _TreeBatch]) -> dict[int, list[AnswerScore]]:
            indices, batch = part
            return dict(zip(indices, batch.score(model, self._moments), strict=True))

        with without_gradients(model):
            found = run_distributed(model, ready.batches, scored)
        scores: list[list[AnswerScore]] = [[] for _ in self._probes]
        for index, owner in enumerate(ready.owners):
            scores[owner].extend(found[index])
        return [
            ProbeScore(probe, right, tuple(wrong))
            for probe, (right, *wrong) in zip(self._probes, scores, strict=True)
        ]

    def _made_ready(self, model: PreTrainedModel) -> "_Ready":
        share = self._share_prefix
        if share is None:
            share = capabilities_of(model).supports_shared_prefix(self._longest)
        if share not in self._ready:
            self._ready[share] = _make_ready(self._encoded, share, self._token_budget, self._padding)
        return self._ready[share]


def log_probs(
    model: PreTrainedModel,
    tokenizer: Tokenizer,
    probes: Sequence[Probe],
    share_prefix: bool | None = None,
) -> list[ProbeScore]:
    """Return the scores of an `AnswerPass` that is run once."""
    return AnswerPass(tokenizer, probes, share_prefix).run(model)


@dataclass(frozen=True)
class _Ready:
    """All rows in batches, with their numbers, and the probe that each row belongs to."""

    batches: list[tuple[list[int], "_TreeBatch"]]
    owners: list[int]


def _make_ready(encoded: Sequence[EncodedPrompt], share: bool, token_budget: int, padding: int) -> _Ready:
    trees: list[Tree] = []
    owners: list[int] = []
    for owner, item in enumerate(encoded):
        groups = [item.continuations] if share else [[ids] for ids in item.continuations]
        trees += [grow(item.prompt, group) for group in groups]
        owners += [owner] * len(groups)
    batches = length_batches([len(tree.ids) for tree in trees], current_batch_size(token_budget))
    return _Ready(
        [(indices, _TreeBatch([trees[index] for index in indices], padding)) for indices in batches], owners
    )


class _TreeBatch:
    """Rows of similar length as tensors; logits that several answers share are computed once."""

    def __init__(self, trees: Sequence[Tree], padding: int) -> None:
        cpu = torch.device("cpu")
        self._answer_lengths = [tree.answer_lengths for tree in trees]
        self._input_ids = pad_rows([tree.ids for tree in trees], padding, cpu)
        longest = self._input_ids.shape[1]
        wanted = [row * longest + place for row, tree in enumerate(trees) for place in tree.reads]
        places, uses = np.unique(wanted, return_inverse=True)
        self._rows, self._places = (torch.from_numpy(part) for part in divmod(places, longest))
        self._uses = torch.from_numpy(uses)
        self._targets = torch.tensor([token for tree in trees for token in tree.targets])
        self._positions, self._mask = None, None
        if any(tree.branches for tree in trees):
            self._positions = pad_rows([tree.positions for tree in trees], 0, cpu)
            self._mask = tree_mask(trees, longest)

    def score(self, model: PreTrainedModel, moments: bool) -> list[list[AnswerScore]]:
        """Return the answers' scores of each row."""
        logits = self._logits(model)
        uses, targets = self._uses.to(logits.device), self._targets.to(logits.device)
        normalisers = torch.cat([part.logsumexp(1) for part in torch.split(logits, _AT_ONCE)])
        chosen = logits[uses, targets]
        columns = [(chosen - normalisers[uses]).double(), *_ranks_and_ties(logits, uses, chosen)]
        if moments:
            parts = torch.cat([_moments(part) for part in torch.split(logits, _AT_ONCE)])
            columns += parts[uses].unbind(1)
        arrays = [column.cpu().numpy() for column in columns]
        scores = []
        start = 0
        for lengths in self._answer_lengths:
            edges = start + np.cumsum([0, *lengths])
            scores.append([AnswerScore(*(array[a:b] for array in arrays)) for a, b in pairwise(edges)])
            start = edges[-1]
        return scores

    def _logits(self, model: PreTrainedModel) -> Tensor:
        device = model.device
        extra: dict[str, Tensor] = {}
        if self._mask is not None and self._positions is not None:
            extra = mask_inputs(model, self._mask, self._positions)
        rows, places = self._rows.to(device), self._places.to(device)
        return logits_at(model, self._input_ids.to(device), rows, places, **extra)


def _ranks_and_ties(logits: Tensor, uses: Tensor, chosen: Tensor) -> tuple[Tensor, Tensor]:
    """Return how many tokens are more probable than each chosen one, and how many others as probable."""
    counts = []
    room = logits.new_empty(2, min(_AT_ONCE, len(uses)), logits.shape[1])  # once: many would scatter the heap
    for rows, values in zip(torch.split(uses, _AT_ONCE), torch.split(chosen[:, None], _AT_ONCE), strict=True):
        others, flags = room[:, : len(rows)]
        torch.index_select(logits, 0, rows, out=others)
        found = (compare(others, values, out=flags).sum(1) for compare in (torch.gt, torch.eq))
        counts.append(torch.stack(list(found)).long())  # whole numbers, below 2^24
    ranks, equals = torch.cat(counts, dim=1)
    return ranks, (equals - 1).clamp(min=0)  # what is not a number does not even equal itself


def _moments(logits: Tensor) -> Tensor:
    """Return ``(n, 2)``: mean and standard deviation of the log-probability of a token drawn from each row.

    Source: Min-K%++ (Zhang et al., 2024), equation 3. A token of probability zero adds nothing to either.
    """
    logs = logits.log_softmax(1)
    probabilities = logs.exp()
    logs = logs.masked_fill(probabilities == 0, 0.0)
    means = (probabilities * logs).sum(1, keepdim=True)
    variances = (probabilities * (logs - means).square()).sum(1, keepdim=True)
    return torch.cat([means, variances.sqrt()], dim=1).double()
