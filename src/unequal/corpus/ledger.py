"""The exposure ledger: how often training showed each fact, counted as windows are written."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

import polars as pl

from unequal.corpus.documents import DocumentKind
from unequal.corpus.packing import Window

SHOWN_IN: tuple[DocumentKind, ...] = ("biography", "question", "true_false")


@dataclass
class Places:
    """Where training showed a fact: numbers of windows, epochs, and the texts."""

    windows: list[int] = field(default_factory=list)
    epochs: set[int] = field(default_factory=set)
    texts: set[str] = field(default_factory=set)


class Ledger:
    """Counts exposures by fact and kind of document; ``kinds`` are those that the corpus has.

    Where asked to it keeps their places too.
    """

    def __init__(self, kinds: tuple[DocumentKind, ...] = SHOWN_IN, with_places: bool = False) -> None:
        self._kinds = kinds
        self._shown: Counter[tuple[str, DocumentKind]] = Counter()
        self._with_places = with_places
        self.places: dict[str, Places] = defaultdict(Places)
        self.n_windows = 0

    def record(self, window: Window, epoch: int = 0) -> None:
        """Count every fact that the window's documents state."""
        for tokenised in window.documents:
            document = tokenised.document
            self._shown.update((fact_id, document.kind) for fact_id in document.fact_ids)
            for fact_id in document.fact_ids if self._with_places else ():
                places = self.places[fact_id]
                places.windows.append(self.n_windows)
                places.epochs.add(epoch)
                places.texts.add(document.text)
        self.n_windows += 1

    def exposure(self, fact_id: str) -> int:
        """Return how often the fact was shown, in documents of any kind."""
        return sum(self._shown[fact_id, kind] for kind in self._kinds)

    def frame(self, fact_ids: Iterable[str]) -> pl.DataFrame:
        """Return one row a fact: ``fact_id``, one column a kind of document, and their sum ``exposure``."""
        rows = [
            {
                "fact_id": fact_id,
                **{kind: self._shown[fact_id, kind] for kind in self._kinds},
                "exposure": self.exposure(fact_id),
            }
            for fact_id in fact_ids
        ]
        return pl.DataFrame(rows)
