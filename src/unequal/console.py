"""What the command line shows: one console, tables, and a progress bar that says how long it will take.

All of it is text: no markup, no emoji codes, and what would control the terminal is shown escaped.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from textwrap import wrap
from time import monotonic
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    ProgressColumn,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.progress import Progress as ProgressBars
from rich.segment import Segment, Segments
from rich.table import Table
from rich.text import Text

from unequal import distributed_env
from unequal.plain_text import MOST_OF_A_CELL, one_line, short, visible
from unequal.progress import Progress

BETWEEN_LINES = 30.0
"""Seconds between lines of progress where there is no terminal."""
WORD_OF_A_CELL = 40
console = Console(highlight=False, markup=False, emoji=False, quiet=not distributed_env.is_main_process())


def show_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Print a table; title, columns and cells are plain text, and long ones are cut.

    Outside a terminal it is as wide as it must be for no name to be broken.
    """
    table = Table(title=Text(short(title), style="table.title"), title_justify="left", header_style="bold")
    for column in columns:
        table.add_column(Text(short(column)), overflow="fold")
    for row in rows:
        table.add_row(*(Text("" if cell is None else short(cell, MOST_OF_A_CELL)) for cell in row))
    before = console.width
    if not console.is_terminal:
        console.width = max(before, _words(columns, rows))
    try:
        console.print(table)
    finally:
        console.width = before


def _words(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> int:
    """Return the width of a table in which no column's name and no word of a cell is broken."""
    widths = []
    for place, column in enumerate(columns):
        cells = [short(row[place], WORD_OF_A_CELL) for row in rows if row[place] is not None]
        words = [word for text in (short(column), *cells) for word in text.split()]
        widths.append(3 + max(map(len, words), default=0))
    return 1 + sum(widths)


def show_list(rows: Sequence[tuple[str, str]]) -> None:
    """Print names with a text each; a name is never broken, and outside a terminal a row is one line with"
    " a tab."""
    indent = 2 + max((len(name) for name, _ in rows), default=0)
    for name, text in rows:
        if console.is_terminal:
            lines = wrap(one_line(text), max(console.width - indent, WORD_OF_A_CELL)) or [""]
            show_text(f"{name:<{indent}}" + f"\n{' ' * indent}".join(lines))
        else:
            row = Segment(f"{one_line(name)}\t{one_line(text)}\n")  # a text would have blanks for the tab
            console.print(Segments([row]), end="", crop=False)


def say(text: str, on: Console = console) -> None:
    """Print a text as one line."""
    on.print(one_line(text), markup=False, emoji=False, highlight=False, soft_wrap=True)


def show_text(text: str) -> None:
    """Print a text of several lines, such as a docstring, as it is."""
    lines = "\n".join(map(visible, text.split("\n")))
    console.print(lines, markup=False, emoji=False, highlight=False, soft_wrap=True)


def bars(*columns: ProgressColumn, on: Console = console) -> ProgressBars:
    """Return progress bars with these columns behind their names; they leave no trace."""
    return ProgressBars(TextColumn("{task.description}", markup=False), *columns, console=on, transient=True)


@contextmanager
def progress_bar(description: str, unit: str = "", in_lines: bool = False) -> Iterator[Progress]:
    """Yield a function ``(done, total)`` that moves a bar; nothing is drawn outside a terminal.

    With the unit ``bytes`` the bar also says how many were done a second. With ``in_lines`` there is a line
    each half minute outside a terminal.
    """
    if in_lines and not console.is_terminal:
        yield _lines(description)
        return
    speed = [TransferSpeedColumn()] if unit == "bytes" else []
    drawn = bars(BarColumn(), TaskProgressColumn(), *speed, TimeRemainingColumn())
    drawn.disable = not console.is_terminal
    with drawn:
        task = drawn.add_task(short(description), total=None)
        yield lambda done, total: drawn.update(task, completed=done, total=total)


def _lines(description: str) -> Progress:
    """Return a function ``(done, total)`` that says each half minute what is done and left."""
    began = last = monotonic()

    def report(done: int, total: int) -> None:
        nonlocal last
        now = monotonic()
        if now - last >= BETWEEN_LINES and 0 < done < total:
            last = now
            left = (now - began) * (total - done) / done
            say(f"{description}: {done / total:.0%}, about {left:.0f} s left")

    return report
