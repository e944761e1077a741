"""What the command line shows: one console, tables, and a progress bar that says how long it will take.

All of it is text: no markup, no emoji codes, and what would control the terminal is shown escaped.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from textwrap import wrap
from threading import Event, Thread
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
from unequal.progress import Progress, parts_shown_by

BETWEEN_LINES = 30.0
"""Seconds between lines of progress where there is no terminal."""
SLACK = 1.0
"""Seconds by which a line may be early."""
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
def progress_bar(description: str, unit: str = "") -> Iterator[Progress]:
    """Yield a function ``(done, total)`` that moves a bar, or in a pipe says a line each half minute.

    Both also say how far the pass or training is that runs now. With the unit ``bytes`` the bar says how many
    were done a second.
    """
    if not console.is_terminal:
        lines = _Lines(description)
        with parts_shown_by(lines.part), each_half_minute(lines.say_if_due):
            yield lines.report
        return
    speed = [TransferSpeedColumn()] if unit == "bytes" else []
    drawn = bars(BarColumn(), TaskProgressColumn(), *speed, TimeRemainingColumn())
    with drawn:
        task = drawn.add_task(short(description), total=None)

        def part(noun: str, done: int, total: int) -> None:
            drawn.update(task, description=short(f"{description} ({noun} {done} of {total})"))

        with parts_shown_by(part):
            yield lambda done, total: drawn.update(task, completed=done, total=total)


@contextmanager
def each_half_minute(work: Callable[[], None]) -> Iterator[None]:
    """Call a function each half minute while the block runs, however long a single part of it takes."""
    ended = Event()

    def repeat() -> None:
        while not ended.wait(BETWEEN_LINES):
            work()

    thread = Thread(target=repeat, name="progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


class _Lines:
    """Lines of progress: what is done and left, at most one each half minute."""

    def __init__(self, description: str) -> None:
        self._description = description
        self._began = self._last = monotonic()
        self._done, self._total = 0, 0
        self._part = ""

    def report(self, done: int, total: int) -> None:
        """Take in what is done of all."""
        self._done, self._total = done, total
        if 0 < done < total:
            self.say_if_due()

    def part(self, noun: str, done: int, total: int) -> None:
        """Take in what is done of the part that runs now."""
        self._part = f", {noun} {done} of {total}"

    def say_if_due(self) -> None:
        """Print a line, unless there was one within the last half minute."""
        now = monotonic()
        if now - self._last < BETWEEN_LINES - SLACK:
            return
        self._last = now
        done, total, so_far = self._done, self._total, now - self._began
        if 0 < done <= total:
            state = f"{done / total:.0%}, about {so_far * (total - done) / done:.0f} s left"
        else:
            state = f"{so_far:.0f} s so far"
        say(f"{self._description}: {state}{self._part}")
