"""Where a generated answer ends: at end-of-text tokens of the model, and at stop strings in its text."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


def end_tokens(model: "PreTrainedModel") -> frozenset[int]:
    """Return the ids at which ``model.generate`` would end, and those of the configuration.

    The generation configuration, the configuration and that of its text part may each name one or several.
    """
    config = model.config
    parts = (config.get_text_config(),) if hasattr(config, "get_text_config") else ()
    sources = (getattr(model, "generation_config", None), config, *parts)
    found: set[int] = set()
    for source in sources:
        ids = getattr(source, "eos_token_id", None)
        found.update([ids] if isinstance(ids, int) else ids or ())
    return frozenset(found)


def cut_text(text: str, stops: Sequence[str]) -> str:
    """Return a text up to the first stop string, without white space at either side.

    White space that stands first does not count, so that an answer may begin on a line of its own.
    """
    text = text.lstrip()
    return text[: min((place for stop in stops if (place := text.find(stop)) >= 0), default=None)].rstrip()


class Stopper:
    """Sees from the tokens of a text whether it holds a stop string, without decoding it at every token."""

    def __init__(self, tokenizer: "PreTrainedTokenizerBase", stops: Sequence[str]) -> None:
        self._tokenizer = tokenizer
        self._stops = tuple(stops)
        self._last = {stop[-1] for stop in stops}
        self._may_complete: dict[int, bool] = {}

    def stops(self, said: list[int], token: int) -> bool:
        """Append the token; return whether the text now holds a stop string."""
        said.append(token)
        if token not in self._may_complete:
            self._may_complete[token] = not self._last.isdisjoint(self._tokenizer.decode([token]))
        if not self._may_complete[token]:
            return False
        text = self._tokenizer.decode(said, skip_special_tokens=True).lstrip()
        return any(stop in text for stop in self._stops)

    def text(self, ids: Sequence[int]) -> str:
        """Return the ids as text without special tokens, up to where it ends."""
        return cut_text(str(self._tokenizer.decode(ids, skip_special_tokens=True)), self._stops)
