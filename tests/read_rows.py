"""The rows that a model reads in one pass, padded or one after another."""


def rows_read(input_ids, position_ids=None):
    """Return ``(batch row, start, stop)`` of every row; what fills a row up to some length is left out."""
    if position_ids is None:
        return [(row, 0, input_ids.shape[1]) for row in range(len(input_ids))]
    starts = (position_ids[0] == 0).nonzero().flatten().tolist()
    edges = zip(starts, [*starts[1:], position_ids.shape[1]], strict=True)
    return [(0, start, stop) for start, stop in edges if stop - start > 1]


def count_rows(passes):
    """Return a hook, to be registered before a model's forward with_kwargs, that notes each pass's rows."""

    def hook(_model, positional, named):
        ids = positional[0] if positional else named["input_ids"]
        passes.append(len(rows_read(ids, named.get("position_ids"))))

    return hook
