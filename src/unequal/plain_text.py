"""Sanitised text for messages: without terminal control characters, and truncated."""

import re
from typing import Any
from unicodedata import category

MOST_OF_A_MESSAGE = 2000
"""Maximum characters of a message; both ends are kept, since the end says what to do."""

MOST_OF_A_CELL = 400
"""Maximum characters of a table cell."""

MOST_OF_A_VALUE = 200
"""Maximum characters of a value in a message, and of a title."""

_JOINERS = "\u200c\u200d"  # parts of words in many scripts, and of emoji
_UNSEEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}
_NAMED = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
_WORD = re.compile(r"\S+")
_LONGEST_WORD = 350
_BREAK = re.compile(r"[ \t]*(?:\r?\n[ \t]*)+")


def visible(text: str) -> str:
    """Return the text with control and invisible characters escaped.

    These are control characters, line and paragraph separators, format and direction characters, and lone
    surrogates, by Unicode category. Spaces of every width are kept.
    """
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else _escape(letter) for letter in text)


def one_line(text: str, most: int = MOST_OF_A_MESSAGE) -> str:
    """Return a message as one sanitised line of at most ``most`` characters; line breaks become spaces.

    Words of 350 characters or more are shortened to their two ends.
    """
    for most_seen in (1000 * most, 2 * most):  # what is cut away later need not be looked at
        if len(text) > most_seen:
            text = f"{text[: most_seen // 2]} {text[-most_seen // 2 :]}"
        text = _cut_words(text)
    line = _cut_words(visible(_BREAK.sub(" ", text.strip())))
    if len(line) <= most:
        return line
    tail = most // 3
    return f"{line[: most - tail - 3]} … {line[-tail:]}"


def short(value: Any, most: int = MOST_OF_A_VALUE) -> str:
    """Return a value as sanitised text, truncated to ``most`` characters with a note of its full length."""
    text = _written(value)
    cut = visible(text[:most])
    return cut if len(text) <= most else f"{cut}… ({len(text):,} characters)"


def _cut_words(text: str) -> str:
    return _WORD.sub(
        lambda word: word[0] if len(word[0]) < _LONGEST_WORD else f"{word[0][:150]}…{word[0][-50:]}", text
    )


def _written(value: Any) -> str:
    """Return a value as text, also for integers with more digits than Python converts."""
    try:
        return str(value)
    except ValueError:
        return f"a {type(value).__name__} with more digits than can be shown"


def _escape(letter: str) -> str:
    if category(letter) not in _UNSEEN or letter in _JOINERS:
        return letter
    if letter in _NAMED:
        return _NAMED[letter]
    return letter.encode("unicode_escape", "surrogatepass").decode("ascii")
