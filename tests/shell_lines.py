"""The shell lines of the README and the documentation, and what each of them calls."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]

SHELL = {"bash", "sh", "shell", "console"}
OWN = {"unequal", "make", "pip", "python"}
FOREIGN = {"accelerate", "cd", "export", "git", "lm_eval", "ray"}
"""Programs of others: their lines are known as shell lines and not looked into."""


@dataclass(frozen=True)
class Line:
    """One shell line: where it stands, and its words without comment, prompt sign and variables before it."""

    page: str
    number: int
    words: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.page}:{self.number}: {' '.join(self.words)}"


def shell_lines() -> list[Line]:
    """Return every shell line of every page."""
    return [line for page in PAGES for line in lines_of(page.read_text(encoding="utf-8"), page.name)]


def lines_of(text: str, page: str) -> list[Line]:
    """Return the shell lines of a page: blocks fenced as shell, and others that begin with a program."""
    found = []
    for number, block, is_shell in _blocks(text):
        lines = [(at, words) for at, line in _joined(block, number) if (words := _words(line))]
        if is_shell or (lines and lines[0][1][0] in OWN | FOREIGN):
            found += [Line(page, at, words) for at, words in lines]
    return found


def inline_commands(text: str) -> list[tuple[str, ...]]:
    """Return the words of code within sentences that begins with ``unequal``."""
    outside = re.sub(r"^(```|~~~).*?^\1", "", text, flags=re.MULTILINE | re.DOTALL)
    spans = re.findall(r"(?<!`)`(unequal [^`\n]+)`(?!`)", outside)
    return [tuple(shlex.split(span)) for span in spans]


def _blocks(text: str) -> Iterator[tuple[int, list[str], bool]]:
    """Yield blocks of code with the number of their first line and whether they are fenced as shell."""
    lines = text.splitlines()
    at = 0
    while at < len(lines):
        fence = re.match(r"\s*(```|~~~)\s*(\w*)", lines[at])
        if fence:
            end = next(i for i in range(at + 1, len(lines)) if lines[i].strip() == fence[1])
            if fence[2] in SHELL | {""}:
                yield at + 2, [line.strip() for line in lines[at + 1 : end]], bool(fence[2])
            at = end + 1
        elif lines[at].startswith("    ") and (at == 0 or not lines[at - 1].strip()):
            end = next((i for i in range(at, len(lines)) if not lines[i].startswith("    ")), len(lines))
            yield at + 1, [line.strip() for line in lines[at:end]], False
            at = end
        else:
            at += 1


def _joined(block: list[str], number: int) -> Iterator[tuple[int, str]]:
    """Yield the lines of a block with those that go on after a backslash put together."""
    whole, start = "", number
    for at, line in enumerate(block, start=number):
        start = start if whole else at
        whole += line.removesuffix("\\") + " " * line.endswith("\\")
        if not line.endswith("\\"):
            yield start, whole
            whole = ""


def _words(line: str) -> tuple[str, ...]:
    try:
        words = shlex.split(line.removeprefix("$ "), comments=True)
    except ValueError:  # an open quote: no shell line
        return ()
    while words and re.fullmatch(r"[A-Z_]+=\S*", words[0]):
        words = words[1:]
    return tuple(words)
