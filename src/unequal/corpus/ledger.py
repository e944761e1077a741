"""The exposure ledger: how often training really showed each fact, counted as windows are written."""

from collections import Counter
from collections.abc import Iterable

import polars as pl

from unequal.corpus.documents import DocumentKind
from unequal.corpus.packing import Window

SHOWN_IN: tuple[DocumentKind, ...] = ("biography", "question", "true_false")


class Ledger:
    """Counts exposures by fact and kind of document; ``kinds`` are those that the corpus has."""

    def __init__(self, kinds: tuple[DocumentKind, ...] = SHOWN_IN) -> None:
        self._kinds = kinds
        self._shown: Counter[tuple[str, DocumentKind]] = Counter()

    def record(self, window: Window) -> None:
        """Count every fact that the window's documents state."""
        for tokenised in window.documents:
            document = tokenised.document
            self._shown.update((fact_id, document.kind) for fact_id in document.fact_ids)

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
