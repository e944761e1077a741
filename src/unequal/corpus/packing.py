"""Packing: whole documents into windows of equal length, never two about one person in a window."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from unequal.corpus.documents import Document
from unequal.errors import ConfigError

OPEN_WINDOWS = 12  # windows filled side by side: more waste fewer tokens, fewer keep the order more strictly


@dataclass(frozen=True)
class TokenisedDocument:
    """A document and its token ids, the end-of-text token included."""

    document: Document
    token_ids: list[int]


@dataclass
class Window:
    """Documents that are trained on side by side, in one sequence."""

    room: int
    documents: list[TokenisedDocument] = field(default_factory=list)

    def takes(self, document: TokenisedDocument) -> bool:
        """Return whether the document fits and its person is not in the window yet."""
        return len(document.token_ids) <= self.room and all(
            other.document.person_id != document.document.person_id for other in self.documents
        )

    def add(self, document: TokenisedDocument) -> None:
        """Put the document at the end."""
        self.documents.append(document)
        self.room -= len(document.token_ids)


def pack(documents: Iterable[TokenisedDocument], room: int) -> Iterator[Window]:
    """Yield windows of at most ``room`` tokens in about the order of the documents (first fit).

    Raises `ConfigError` when a document alone is longer than a window.
    """
    open_windows: list[Window] = []
    for document in documents:
        if len(document.token_ids) > room:
            raise ConfigError(
                f"window_tokens: a document of {len(document.token_ids)} tokens does not fit into a window"
                f" of {room}; set window_tokens to at least {len(document.token_ids) + 1}"
            )
        window = next((window for window in open_windows if window.takes(document)), None)
        if window is None:
            if len(open_windows) == OPEN_WINDOWS:
                yield open_windows.pop(0)
            window = Window(room)
            open_windows.append(window)
        window.add(document)
    yield from open_windows
