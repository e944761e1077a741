"""Rows of several lengths as one input of a model: one after another where it can, else padded."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import takewhile
from typing import NamedTuple

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from unequal.models.absorbed import asked_at, can_absorb, last_layer_absorbed
from unequal.models.configuration import window_of
from unequal.models.layers import last_layer_at
from unequal.models.packed_attention import can_do_without_padding, rows_apart
from unequal.scoring.logits import pad_rows

_WIDTHS, _TOKENS = 4, 64
"""Inputs are as wide, or as many tokens, as a multiple: a library that prepares for each shape sees few."""
_WORTH = 0.1  # of all tokens saved, from which on a beginning that rows share is read once


class Layout(NamedTuple):
    """What a model reads, ``(batch, seq)``, and where in it the tokens of spans stand, row by row."""

    input_ids: Tensor
    rows: Tensor
    places: Tensor
    position_ids: Tensor | None = None

    @property
    def extra(self) -> dict[str, Tensor]:
        """What the model is handed besides token ids."""
        return {} if self.position_ids is None else {"position_ids": self.position_ids}


class _Single(NamedTuple):
    """Rows in a single one, and rows of one token that fill it up.

    Of all of these the lengths, in order, and how long each is from its span to its end; then where each of
    the rows that were given begins.
    """

    layout: Layout
    lengths: list[int]
    needed: list[int]
    starts: list[int]


@contextmanager
def laid_out(
    model: PreTrainedModel, rows: Sequence[list[int]], spans: Sequence[tuple[int, int]], padding: int
) -> Iterator[Layout]:
    """Give the layout of rows of token ids, to be read while the block runs; spans are places in each row.

    The last layer runs at the spans alone where it can, so states elsewhere are of no use.
    """
    device = model.device
    longest = max(map(len, rows))
    if can_do_without_padding(model, longest):
        drops = _drops(model)
        shared = 0 if drops else _shared(rows, spans)
        own = [row[shared:] for row in rows]
        own_spans = [(start - shared, end - shared) for start, end in spans]
        single = _one_after_another(own, own_spans, rows[0][:shared], padding, device)
        layout = single.layout
        own_lengths = [len(row) for row in own]
        if not drops and can_absorb(model, own_lengths, own_spans, shared):
            asked = asked_at(single.starts, own_lengths, own_spans, shared)
            last = last_layer_absorbed(model, asked)
        else:
            last = last_layer_at(model, layout.rows, layout.places)
        with rows_apart(model, single.lengths, single.needed, shared), last:
            yield layout
        return
    window = window_of(model) or 0
    multiple = _WIDTHS if window % _WIDTHS == 0 else 1  # never wider than the window
    owners = torch.repeat_interleave(torch.tensor([end - start for start, end in spans]))
    places = torch.cat([torch.arange(*span) for span in spans])
    layout = Layout(pad_rows(rows, padding, device, multiple), owners.to(device), places.to(device))
    with last_layer_at(model, layout.rows, layout.places):
        yield layout


def _drops(model: PreTrainedModel) -> bool:
    """Return whether states are dropped at random now, which rows are to be independently of each other."""
    dropouts = (module for module in model.modules() if isinstance(module, nn.Dropout))
    return model.training and any(module.p > 0 for module in dropouts)


def _shared(rows: Sequence[list[int]], spans: Sequence[tuple[int, int]]) -> int:
    """Return with how many tokens before all spans every row begins, or 0 where sharing them saves little."""
    first, last = min(rows), max(rows)  # in the order of their tokens, so others begin as these two do
    alike = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(first, last, strict=False)))
    n_shared = min(alike, *(start for start, _ in spans))
    return n_shared if n_shared * (len(rows) - 1) >= _WORTH * sum(map(len, rows)) else 0


def _one_after_another(
    rows: Sequence[list[int]],
    spans: Sequence[tuple[int, int]],
    beginning: list[int],
    padding: int,
    device: torch.device,
) -> _Single:
    """Return rows in order of length in a single one, after what all begin with."""
    order = sorted(range(len(rows)), key=lambda index: len(rows[index]))
    shared = len(beginning)
    filling = -(shared + sum(map(len, rows))) % _TOKENS
    lengths = [1] * filling + [len(rows[index]) for index in order]
    needed = [1] * filling + [len(rows[index]) - spans[index][0] for index in order]
    input_ids = [*beginning, *[padding] * filling, *(token for index in order for token in rows[index])]
    starts, start = [0] * len(rows), shared + filling
    for index in order:
        starts[index] = start
        start += len(rows[index])
    places = [start + place for start, span in zip(starts, spans, strict=True) for place in range(*span)]
    positions = [*range(shared), *(shared + place for length in lengths for place in range(length))]
    ids, at, stand = (torch.tensor(column, device=device) for column in (input_ids, places, positions))
    return _Single(Layout(ids[None], torch.zeros_like(at), at, stand[None]), lengths, needed, starts)
