"""Text from elsewhere as it may be shown: nothing that a terminal obeys, no longer than a reader needs."""

import re
from typing import Any
from unicodedata import category

MOST_OF_A_MESSAGE = 2000
"""Characters of a message; both its ends are kept, since the last words say what to do."""

MOST_OF_A_CELL = 400
"""Characters of a cell of a table."""

MOST_OF_A_VALUE = 200
"""Characters of one value inside a message, and of a title."""

_JOINERS = "\u200c\u200d"  # parts of words in many scripts, and of emoji
_UNSEEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}
_NAMED = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
_WORD = re.compile(r"\S+")
_LONGEST_WORD = 350
_BREAK = re.compile(r"[ \t]*(?:\r?\n[ \t]*)+")


def visible(text: str) -> str:
    """Return the text with every character that controls a terminal, or that nobody sees, as its escape.

    These are control characters, line and paragraph separators, marks of direction and of format, and lone
    surrogates, as Unicode's categories have them; spaces of every width stay as they are.
    """
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else _escape(letter) for letter in text)


def one_line(text: str, most: int = MOST_OF_A_MESSAGE) -> str:
    """Return a message as one visible line of at most so many characters; line breaks become spaces.

    Of a word of 350 characters or more, such as a name that somebody made up to be long, both ends are kept.
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
    """Return a value as visible text of at most so many characters and a note of how many there were."""
    text = _written(value)
    cut = visible(text[:most])
    return cut if len(text) <= most else f"{cut}… ({len(text):,} characters)"


def _cut_words(text: str) -> str:
    return _WORD.sub(
        lambda word: word[0] if len(word[0]) < _LONGEST_WORD else f"{word[0][:150]}…{word[0][-50:]}", text
    )


def _written(value: Any) -> str:
    """Return a value as text; Python refuses to write out a number of many thousand digits."""
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
