"""The rows that a model reads in one pass, padded or one after another."""

PADDING = 1


def rows_read(input_ids, position_ids=None):
    """Return ``(batch row, places)`` of every row; what fills a row up to some length is left out."""
    if position_ids is None:
        return [(row, [*range(input_ids.shape[1])]) for row in range(len(input_ids))]
    positions = position_ids[0].tolist()
    edges = [place for place in range(1, len(positions)) if positions[place] != positions[place - 1] + 1]
    shared = positions[edges[0]] if edges else 0  # what all rows begin with, at the start of the input
    starts = [shared, *(edge for edge in edges if edge > shared)]
    own = [range(start, stop) for start, stop in zip(starts, [*starts[1:], len(positions)], strict=True)]
    return [(0, [*range(shared), *row]) for row in own if len(row) > 1 or input_ids[0, row[0]] != PADDING]


def count_rows(passes):
    """Return a hook, to be registered before a model's forward with_kwargs, that notes each pass's rows."""

    def hook(_model, positional, named):
        ids = positional[0] if positional else named["input_ids"]
        passes.append(len(rows_read(ids, named.get("position_ids"))))

    return hook
