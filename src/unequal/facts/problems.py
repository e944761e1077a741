"""What reading a table found: bad entries, of which the first are kept, and what a user should know."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from unequal.errors import listed

KEPT = 50
LONGEST = 80


@dataclass
class Sentences:
    """Sentences of one kind: how many there were, and the first of them."""

    n: int = 0
    first: list[str] = field(default_factory=list)

    def add(self, sentence: str) -> None:
        """Count a sentence, and keep it if it is among the first."""
        self.n += 1
        if self.n <= KEPT:
            self.first.append(sentence)

    def listed(self) -> str:
        """Return the kept sentences in one line, and how many more there were."""
        return listed(self.first, n_all=self.n)


@dataclass
class Findings:
    """What reading a fact table found: ``bad`` entries, items ``left_out`` of lists, and other ``notes``."""

    bad: Sentences = field(default_factory=Sentences)
    left_out: Sentences = field(default_factory=Sentences)
    notes: list[str] = field(default_factory=list)

    def note(self, sentences: Iterable[str]) -> None:
        """Keep each different sentence once."""
        self.notes += [one for one in sentences if one not in self.notes]


def shown(value: Any) -> str:
    """Return a value as a message shows it: on one line, and cut where it is long."""
    text = repr(value[: 2 * LONGEST] if isinstance(value, str | bytes) else value)
    whole = len(text) <= LONGEST and (not isinstance(value, str | bytes) or len(value) <= 2 * LONGEST)
    return text if whole else f"{text[: LONGEST - 1]}…"
