"""Packing: rows of several lengths as one input of a model, without padding where it supports that."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import accumulate, takewhile
from typing import NamedTuple

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from unequal.models.capabilities import capabilities_of
from unequal.models.configuration import window_of
from unequal.models.layers import last_layer_at
from unequal.models.packed_attention import packed_rows
from unequal.scoring.logits import pad_rows

_WIDTHS, _TOKENS = 4, 64
"""Inputs are padded to a multiple in width, or in tokens: libraries that prepare for each shape see few."""
_WORTH = 0.1  # share of all tokens saved, from which on a shared prefix is encoded once


class Layout(NamedTuple):
    """The input ids ``(batch, seq)``, and the positions of the spans' tokens in them, row by row."""

    input_ids: Tensor
    rows: Tensor
    places: Tensor
    position_ids: Tensor | None = None

    @property
    def extra(self) -> dict[str, Tensor]:
        """The model's inputs besides token ids."""
        return {} if self.position_ids is None else {"position_ids": self.position_ids}


@contextmanager
def laid_out(
    model: PreTrainedModel, rows: Sequence[list[int]], spans: Sequence[tuple[int, int]], padding: int
) -> Iterator[Layout]:
    """Yield the layout of rows of token ids, to be run in the block; spans are positions in each row.

    The last layer runs at the spans alone where it can, so states elsewhere are of no use.
    """
    device = model.device
    longest = max(map(len, rows))
    if capabilities_of(model).supports_packing(longest):
        shared = 0 if _drops(model) else _shared(rows, spans)
        layout, lengths = _packed(rows, spans, shared, padding, device)
        with packed_rows(model, lengths, shared), last_layer_at(model, layout.rows, layout.places):
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
    """Return whether dropout is active, which must be independent between rows."""
    dropouts = (module for module in model.modules() if isinstance(module, nn.Dropout))
    return model.training and any(module.p > 0 for module in dropouts)


def _shared(rows: Sequence[list[int]], spans: Sequence[tuple[int, int]]) -> int:
    """Return the length of the prefix shared by all rows before their spans, or 0 where it saves little."""
    first, last = min(rows), max(rows)  # in the order of their tokens, so others begin as these two do
    alike = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(first, last, strict=False)))
    n_shared = min(alike, *(start for start, _ in spans))
    return n_shared if n_shared * (len(rows) - 1) >= _WORTH * sum(map(len, rows)) else 0


def _packed(
    rows: Sequence[list[int]],
    spans: Sequence[tuple[int, int]],
    shared: int,
    padding: int,
    device: torch.device,
) -> tuple[Layout, list[int]]:
    """Return rows packed into one, after the ``shared`` tokens of all, and their lengths without these.

    Rows stand in order of length, after rows of one padding token that fill the input up.
    """
    own = [row[shared:] for row in rows]
    order = sorted(range(len(own)), key=lambda index: len(own[index]))
    filling = -(shared + sum(map(len, own))) % _TOKENS
    lengths = [1] * filling + [len(own[index]) for index in order]
    input_ids = [*rows[0][:shared], *[padding] * filling, *(token for index in order for token in own[index])]
    starts = dict(zip(order, accumulate(lengths[filling:], initial=filling), strict=False))
    places = [starts[index] + place for index, span in enumerate(spans) for place in range(*span)]
    positions = [*range(shared), *(shared + place for length in lengths for place in range(length))]
    ids, at, stand = (torch.tensor(column, device=device) for column in (input_ids, places, positions))
    return Layout(ids[None], torch.zeros_like(at), at, stand[None]), lengths
