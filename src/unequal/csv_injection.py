"""Protection against CSV injection: cells that spreadsheets do not evaluate as formulas."""

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

MARK = "unequal_apostrophes"
"""The column of a fact table that lists the cells of each row that `escape_formula` changed."""
_FORMULA = re.compile(r"'*[=+\-@\t\r]")
_NUMBER = re.compile(r"[+-][\d.,%\s\[\]+-]*")  # as in '-0.3 [-0.5, -0.1]': no letter, so it can call nothing


def escape_formula(text: str) -> str:
    """Return the text, with an apostrophe in front if a spreadsheet might evaluate it as a formula."""
    return f"'{text}" if _FORMULA.match(text) and not _NUMBER.fullmatch(text) else text


def unescape_formula(cell: str) -> str:
    """Return the original text of a cell written by `escape_formula`."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell


def escape_formulas(frame: "pl.DataFrame") -> "pl.DataFrame":
    """Return the table with every text cell escaped by `escape_formula`."""
    import polars as pl

    texts = [name for name, kind in frame.schema.items() if kind == pl.String]
    return frame.with_columns(pl.col(name).map_elements(escape_formula, pl.String) for name in texts)
