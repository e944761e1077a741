"""Findings of reading a fact table: bad entries, excluded items and notes."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from unequal.errors import listed

KEPT = 50
LONGEST = 80


@dataclass
class Sentences:
    """Messages of one kind: their number, and the first ones."""

    n: int = 0
    first: list[str] = field(default_factory=list)

    def add(self, sentence: str) -> None:
        """Count a message, and keep it if it is among the first."""
        self.n += 1
        if self.n <= KEPT:
            self.first.append(sentence)

    def listed(self) -> str:
        """Return the kept messages in one line, with the number of the others."""
        return listed(self.first, n_all=self.n)


@dataclass
class Findings:
    """Findings of reading a fact table: ``bad`` entries, excluded list items (``left_out``) and ``notes``."""

    bad: Sentences = field(default_factory=Sentences)
    left_out: Sentences = field(default_factory=Sentences)
    notes: list[str] = field(default_factory=list)

    def note(self, sentences: Iterable[str]) -> None:
        """Add notes, each once."""
        self.notes += [one for one in sentences if one not in self.notes]


def shown(value: Any) -> str:
    """Return a value for a message: on one line, and truncated."""
    text = repr(value[: 2 * LONGEST] if isinstance(value, str | bytes) else value)
    whole = len(text) <= LONGEST and (not isinstance(value, str | bytes) or len(value) <= 2 * LONGEST)
    return text if whole else f"{text[: LONGEST - 1]}…"
