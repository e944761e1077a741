"""Cells of CSV files that no spreadsheet takes for formulas, whatever text they hold."""

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

MARK = "unequal_apostrophes"
"""The column of a fact table that names, row by row, the cells before which `inert` put an apostrophe."""
_FORMULA = re.compile(r"'*[=+\-@\t\r]")
_NUMBER = re.compile(r"[+-][\d.,%\s\[\]+-]*")  # as in '-0.3 [-0.5, -0.1]': no letter, so it can call nothing


def inert(text: str) -> str:
    """Return the text with an apostrophe before it where a spreadsheet might reckon with it."""
    return f"'{text}" if _FORMULA.match(text) and not _NUMBER.fullmatch(text) else text


def as_written(cell: str) -> str:
    """Return the text that `inert` made the cell of."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell


def inert_frame(frame: "pl.DataFrame") -> "pl.DataFrame":
    """Return the table with every text inert."""
    import polars as pl

    texts = [name for name, kind in frame.schema.items() if kind == pl.String]
    return frame.with_columns(pl.col(name).map_elements(inert, pl.String) for name in texts)
