"""Prefix trees: a prompt and all its continuations in one row under a tree attention mask."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True)
class Tree:
    """A prompt and the tokens of its continuations; those that begin alike share their first tokens."""

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


def grow(prompt: list[int], continuations: Sequence[list[int]]) -> Tree:
    """Return the tree of a prompt; the last token of a continuation predicts nothing and is excluded."""
    ids, positions = list(prompt), list(range(len(prompt)))
    parents = list(range(-1, len(prompt) - 1))
    reads: list[int] = []
    places: dict[tuple[int, int], int] = {}
    for continuation in continuations:
        parent = len(prompt) - 1
        reads.append(parent)
        for depth, token in enumerate(continuation[:-1]):
            place = places.setdefault((parent, token), len(ids))
            if place == len(ids):
                ids.append(token)
                parents.append(parent)
                positions.append(len(prompt) + depth)
            reads.append(place)
            parent = place
    targets = [token for continuation in continuations for token in continuation]
    return Tree(ids, positions, parents, reads, targets, list(map(len, continuations)))


def tree_mask(trees: Sequence[Tree], longest: int) -> Tensor:
    """Return ``(batch, 1, longest, longest)``, true where a token (row) may look at another (column)."""
    mask = np.zeros((len(trees), 1, longest, longest), dtype=bool)
    mask[:, 0, range(longest), range(longest)] = True  # padding too, so that no row of the mask is empty
    for seen, tree in zip(mask[:, 0], trees, strict=True):
        for place, parent in enumerate(tree.parents[1:], start=1):
            seen[place] |= seen[parent]
    return torch.from_numpy(mask)
