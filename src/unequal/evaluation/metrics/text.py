"""How texts are compared: case, punctuation and white space do not count."""

import re
import unicodedata

_NOT_WORDS = re.compile(r"[^\w]+")


def normalised_words(text: str) -> list[str]:
    """Return the words of a text after NFKC and case folding, without punctuation."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return [word for word in _NOT_WORDS.split(folded) if word]
