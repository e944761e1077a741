"""Character replacements before NFKC: invisible characters, signs, dashes and apostrophes.

NFKC turns many signs into letters and digits, which would join the word beside them: Lego™ would
be "legotm", and Paris² "paris2". So trademark signs become white space, and every other sign (a superscript,
a circled number, a fraction, a one-character unit) is surrounded by spaces. A subscript is no such sign:
CO₂ becomes CO2. Invisible characters (a soft hyphen, a zero-width space, a direction mark) are
removed. In loose spelling every dash becomes a hyphen and every apostrophe a straight one. Letters that look
like an apostrophe stay in texts, and a name is searched with each of them (`spellings`).
"""

import re
import unicodedata
from collections.abc import Iterable
from functools import cache
from typing import Literal

Spelling = Literal["loose", "exact"]

INVISIBLE_RANGES = (
    (0x00AD, 0x00AD),  # soft hyphen
    (0x034F, 0x034F),  # combining grapheme joiner
    (0x061C, 0x061C),  # Arabic letter mark
    (0x115F, 0x1160),  # Hangul fillers
    (0x17B4, 0x17B5),  # Khmer inherent vowels
    (0x180B, 0x180F),  # Mongolian variation selectors and vowel separator
    (0x200B, 0x200F),  # zero-width space, joiners, marks of direction
    (0x202A, 0x202E),  # embedded direction
    (0x2060, 0x206F),  # word joiner, isolated direction
    (0x3164, 0x3164),  # Hangul filler
    (0xFE00, 0xFE0F),  # variation selectors
    (0xFEFF, 0xFEFF),  # zero-width no-break space, the byte order mark
    (0xFFA0, 0xFFA0),  # half-width Hangul filler
    (0xFFF0, 0xFFFB),  # interlinear annotation
    (0x1BCA0, 0x1BCA3),  # shorthand format controls
    (0x1D173, 0x1D17A),  # musical format controls
    (0xE0000, 0xE0FFF),  # tags, further variation selectors
)
"""Unicode's default-ignorable code points, and the anchors of interlinear annotation."""

OWNERSHIP = "™℠®"
WAVES = "〜〰"  # dashes by category only
APOSTROPHES = "'`\u00b4՚׳‘’‛′‵❛❜"
"""Apostrophes, and signs typed in their place."""

LETTER_APOSTROPHES = "ʹʻʼʽʾʿꞌ"
"""Letters that look like an apostrophe, such as the Hawaiian ʻokina; texts keep them as parts of words."""

FLAG = "\U0001f3f4[\U000e0020-\U000e007f]+"
"""Pattern of a flag emoji made with tag characters, such as Scotland's."""

_SIGN_TAGS = ("<super>", "<circle>", "<square>", "<fraction>")
_LAST = 0x1FBFF  # no character beyond it has a compatibility form


def is_invisible(character: str) -> bool:
    """Return whether a character is invisible and therefore removed from names and texts."""
    return any(first <= ord(character) <= last for first, last in INVISIBLE_RANGES)


def code_points(characters: Iterable[str]) -> str:
    """Return the distinct characters as code points with Unicode names, such as U+00AD SOFT HYPHEN."""
    return ", ".join(
        f"U+{ord(one):04X} {unicodedata.name(one, '')}".strip() for one in dict.fromkeys(characters)
    )


def prepared(text: str, spelling: Spelling) -> str:
    """Return a text with the character replacements of this module, before NFKC."""
    if text.isascii():
        return text.replace("`", "'") if spelling == "loose" else text
    changes, special = _changes(spelling)
    return special.sub(lambda found: changes.get(found[0], found[0]), text)


def spellings(name: str, spelling: Spelling) -> list[str]:
    """Return the spellings of a name to search: the given one and, if loose, one for each apostrophe."""
    marks = f"{APOSTROPHES}{LETTER_APOSTROPHES}"
    if spelling == "exact" or not any(character in marks for character in name):
        return [name]
    return [name, *(straightened(name, own, marks) for own in f"'{LETTER_APOSTROPHES}")]


def straightened(text: str, own: str = "'", marks: str = LETTER_APOSTROPHES) -> str:
    """Return a text with all given apostrophes replaced by one; its length is unchanged."""
    return text.translate(dict.fromkeys(map(ord, marks), own))


@cache
def _changes(spelling: Spelling) -> tuple[dict[str, str], re.Pattern[str]]:
    """Return the replacement of each character, and the pattern that finds these characters."""
    changes = {chr(code): "" for first, last in INVISIBLE_RANGES for code in range(first, last + 1)}
    changes |= dict.fromkeys(OWNERSHIP, " ")
    plain = _plain_spelling() if spelling == "loose" else {}
    changes |= plain
    for code in range(0x80, _LAST):
        own = chr(code)
        decomposition = unicodedata.decomposition(own)
        if not decomposition or own in changes:
            continue
        normal = unicodedata.normalize("NFKC", own)
        changed = "".join(plain.get(part, part) for part in normal)
        if decomposition[0] == "<" and _is_sign(own, decomposition):
            changed = _spaced(changed)
        if changed != normal:
            changes[own] = changed
    members = "".join(re.escape(character) for character in changes)
    return changes, re.compile(f"{FLAG}|[{members}]")


def _plain_spelling() -> dict[str, str]:
    """Return the replacements of apostrophes by the straight one and of dashes by the hyphen."""
    dashes = [
        chr(code)
        for code in range(0x20000)
        if unicodedata.category(chr(code)) == "Pd" and chr(code) not in WAVES
    ]
    return dict.fromkeys([*dashes, "\u2212", "\u2043", "\u02d7"], "-") | dict.fromkeys(APOSTROPHES, "'")


def _is_sign(character: str, decomposition: str) -> bool:
    """Return whether a character with a compatibility form is a sign rather than part of a word."""
    category = unicodedata.category(character)
    if decomposition.startswith(_SIGN_TAGS):
        return True
    phrase = " " in unicodedata.normalize("NFKC", character).strip()
    return phrase or category[0] in "SP" or (category == "No" and not decomposition.startswith("<sub>"))


def _spaced(normal: str) -> str:
    """Return the form of a sign, with a space beside a letter or digit at its ends."""
    before, after = (" " if _makes_words(end) else "" for end in (normal[0], normal[-1]))
    return f"{before}{normal}{after}"


def _makes_words(character: str) -> bool:
    return unicodedata.category(character)[0] in "LN"
