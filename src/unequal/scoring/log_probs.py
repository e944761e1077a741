"""The teacher-forced pass: log-probabilities of right and wrong answers, each prompt read only once."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from transformers import PreTrainedModel

from unequal.facts.probes import Probe
from unequal.scoring.encoding import EncodedPrompt, encode, length_batches
from unequal.scoring.forward import logits_at, pad_rows

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

TOKEN_BUDGET = 8192  # padded tokens a forward pass


@dataclass(frozen=True)
class AnswerScore:
    """One answer under teacher forcing; arrays have the shape ``(answer_tokens,)``."""

    log_probs: npt.NDArray[np.float64]  # natural logarithm of each token's probability
    ranks: npt.NDArray[np.int64]  # 0 where the token is the most probable one


@dataclass(frozen=True)
class ProbeScore:
    """A probe's right answer and its distractors, scored."""

    probe: Probe
    right: AnswerScore
    wrong: tuple[AnswerScore, ...]


@dataclass(frozen=True)
class _Tree:
    """A prompt and the tokens of all continuations in one row, each continuation seeing only its own."""

    ids: list[int]
    positions: list[int]
    parents: list[int]  # the place in the row that comes before, -1 for the first
    reads: list[int]  # for each answer token, the place whose logits predict it
    targets: list[int]
    answer_lengths: list[int]

    @property
    def branches(self) -> bool:
        """Whether any token follows another than the one before it."""
        return any(parent != place - 1 for place, parent in enumerate(self.parents))


class AnswerPass:
    """Probes made ready once, to be scored again and again while a model changes.

    With ``share_prefix`` the answers of a prompt share one row through a tree-shaped attention mask;
    without it (for models that take no such mask) each answer has a row of its own.
    """

    def __init__(
        self, tokenizer: "PreTrainedTokenizerBase", probes: Sequence[Probe], share_prefix: bool = True
    ) -> None:
        self._probes = probes
        encoded = [encode(tokenizer, probe.prompt, (probe.answer, *probe.distractors)) for probe in probes]
        trees, self._owners = _trees(encoded, share_prefix)
        lengths = [len(tree.ids) for tree in trees]
        self._batches = [
            (indices, _TreeBatch([trees[index] for index in indices], tokenizer.pad_token_id))
            for indices in length_batches(lengths, TOKEN_BUDGET)
        ]

    def run(self, model: PreTrainedModel) -> list[ProbeScore]:
        """Return one score a probe, in order; values do not depend on batching, but for rounding."""
        found: dict[int, list[AnswerScore]] = {}
        for indices, batch in self._batches:
            found.update(zip(indices, batch.score(model), strict=True))
        scores: list[list[AnswerScore]] = [[] for _ in self._probes]
        for index, owner in enumerate(self._owners):
            scores[owner].extend(found[index])
        return [
            ProbeScore(probe, right, tuple(wrong))
            for probe, (right, *wrong) in zip(self._probes, scores, strict=True)
        ]


def log_probs(
    model: PreTrainedModel,
    tokenizer: "PreTrainedTokenizerBase",
    probes: Sequence[Probe],
    share_prefix: bool = True,
) -> list[ProbeScore]:
    """Return the scores of an `AnswerPass` that is run once."""
    return AnswerPass(tokenizer, probes, share_prefix).run(model)


def _trees(encoded: Sequence[EncodedPrompt], share_prefix: bool) -> tuple[list[_Tree], list[int]]:
    """Return the rows to score, and the probe that each belongs to."""
    trees: list[_Tree] = []
    owners: list[int] = []
    for owner, item in enumerate(encoded):
        groups = [item.continuations] if share_prefix else [[ids] for ids in item.continuations]
        trees += [_tree(item.prompt, group) for group in groups]
        owners += [owner] * len(groups)
    return trees, owners


def _tree(prompt: list[int], continuations: Sequence[list[int]]) -> _Tree:
    ids, positions = list(prompt), list(range(len(prompt)))
    parents = list(range(-1, len(prompt) - 1))
    reads: list[int] = []
    targets: list[int] = []
    for continuation in continuations:
        place = len(prompt) - 1
        for depth, token in enumerate(continuation):
            reads.append(place)
            targets.append(token)
            if depth + 1 < len(continuation):  # the last token predicts nothing we ask for
                parents.append(place)
                place = len(ids)
                ids.append(token)
                positions.append(len(prompt) + depth)
    return _Tree(ids, positions, parents, reads, targets, [len(ids) for ids in continuations])


class _TreeBatch:
    """Rows of similar length as tensors."""

    def __init__(self, trees: Sequence[_Tree], padding: int) -> None:
        cpu = torch.device("cpu")
        self._answer_lengths = [tree.answer_lengths for tree in trees]
        self._input_ids = pad_rows([tree.ids for tree in trees], padding, cpu)
        self._rows = torch.tensor([row for row, tree in enumerate(trees) for _ in tree.reads])
        self._places = torch.tensor([place for tree in trees for place in tree.reads])
        self._targets = torch.tensor([token for tree in trees for token in tree.targets])
        self._extra: dict[str, Tensor] = {}
        if any(tree.branches for tree in trees):
            self._extra = {
                "attention_mask": _tree_mask(trees, self._input_ids.shape[1]),
                "position_ids": pad_rows([tree.positions for tree in trees], 0, cpu),
            }

    @torch.inference_mode()
    def score(self, model: PreTrainedModel) -> list[list[AnswerScore]]:
        """Return the answers' scores of each row."""
        device = model.device
        extra = {name: tensor.to(device) for name, tensor in self._extra.items()}
        rows, places = self._rows.to(device), self._places.to(device)
        logits = logits_at(model, self._input_ids.to(device), rows, places, **extra)
        chosen = logits.gather(1, self._targets.to(device)[:, None])
        values = (chosen.squeeze(1) - logits.logsumexp(1)).double().cpu().numpy()
        ranks = (logits > chosen).sum(1).cpu().numpy()
        scores = []
        start = 0
        for lengths in self._answer_lengths:
            edges = start + np.cumsum([0, *lengths])
            scores.append([AnswerScore(values[a:b], ranks[a:b]) for a, b in pairwise(edges)])
            start = edges[-1]
        return scores


def _tree_mask(trees: Sequence[_Tree], longest: int) -> Tensor:
    """Return ``(batch, 1, longest, longest)``, true where a token (row) may look at another (column)."""
    mask = np.zeros((len(trees), 1, longest, longest), dtype=bool)
    for index, tree in enumerate(trees):
        for place, parent in enumerate(tree.parents):
            if parent >= 0:
                mask[index, 0, place] = mask[index, 0, parent]
            mask[index, 0, place, place] = True
        unused = range(len(tree.ids), longest)
        mask[index, 0, unused, unused] = True  # padding sees itself, so that no row of the mask is empty
    return torch.from_numpy(mask)
