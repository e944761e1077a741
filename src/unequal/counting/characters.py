"""Single characters that are changed before NFKC: those that nobody sees, signs, dashes and apostrophes.

NFKC makes letters and digits of many signs, and these would be part of the word beside them: Lego™ would
be "legotm", and Paris² "paris2". So a sign of ownership is white space, and every other sign (a superscript,
a circled number, a fraction, a unit in one character) stands between spaces. A subscript is not such a sign:
CO₂ is CO2. Characters that nobody sees (a soft hyphen, a zero-width space, a mark of direction) are taken
out. In loose spelling every dash is a hyphen and every apostrophe the straight one; letters that look like an
apostrophe stay in texts, and a name is looked for with each of them (`spellings`).
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
"""The code points that Unicode calls default ignorable, and the anchors of interlinear annotation."""

OWNERSHIP = "™℠®"
WAVES = "〜〰"  # dashes by category only
APOSTROPHES = "'`\u00b4՚׳‘’‛′‵❛❜"
"""Apostrophes, and other signs that are typed for one."""

LETTER_APOSTROPHES = "ʹʻʼʽʾʿꞌ"
"""Letters that look like one, such as the Hawaiian ʻokina; a word goes on after them, so texts keep them."""

FLAG = "\U0001f3f4[\U000e0020-\U000e007f]+"
"""A flag that is told from others by tags, such as Scotland's."""

_SIGN_TAGS = ("<super>", "<circle>", "<square>", "<fraction>")
_LAST = 0x1FBFF  # no character beyond it has a compatibility form


def is_invisible(character: str) -> bool:
    """Return whether nobody sees the character, so that it is taken out of names and texts."""
    return any(first <= ord(character) <= last for first, last in INVISIBLE_RANGES)


def code_points(characters: Iterable[str]) -> str:
    """Return the numbers and Unicode names of characters, each once: U+00AD SOFT HYPHEN."""
    return ", ".join(
        f"U+{ord(one):04X} {unicodedata.name(one, '')}".strip() for one in dict.fromkeys(characters)
    )


def prepared(text: str, spelling: Spelling) -> str:
    """Return a text with single characters changed as this module says; NFKC comes after it."""
    if text.isascii():
        return text.replace("`", "'") if spelling == "loose" else text
    changes, special = _changes(spelling)
    return special.sub(lambda found: changes.get(found[0], found[0]), text)


def spellings(name: str, spelling: Spelling) -> list[str]:
    """Return a name as it is, and in loose spelling with each letter for its apostrophes."""
    marks = f"{APOSTROPHES}{LETTER_APOSTROPHES}"
    if spelling == "exact" or not any(character in marks for character in name):
        return [name]
    return [name, *(straightened(name, own, marks) for own in f"'{LETTER_APOSTROPHES}")]


def straightened(text: str, own: str = "'", marks: str = LETTER_APOSTROPHES) -> str:
    """Return a text of the same length with one apostrophe for all of those given."""
    return text.translate(dict.fromkeys(map(ord, marks), own))


@cache
def _changes(spelling: Spelling) -> tuple[dict[str, str], re.Pattern[str]]:
    """Return what takes the place of each character, and the pattern that finds these characters."""
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
    """Return the straight apostrophe for every apostrophe and the hyphen for every dash."""
    dashes = [
        chr(code)
        for code in range(0x20000)
        if unicodedata.category(chr(code)) == "Pd" and chr(code) not in WAVES
    ]
    return dict.fromkeys([*dashes, "\u2212", "\u2043", "\u02d7"], "-") | dict.fromkeys(APOSTROPHES, "'")


def _is_sign(character: str, decomposition: str) -> bool:
    """Return whether a character with a compatibility form is a sign and not a letter or digit of a word."""
    category = unicodedata.category(character)
    if decomposition.startswith(_SIGN_TAGS):
        return True
    phrase = " " in unicodedata.normalize("NFKC", character).strip()
    return phrase or category[0] in "SP" or (category == "No" and not decomposition.startswith("<sub>"))


def _spaced(normal: str) -> str:
    """Return the form of a sign with a space where it begins or ends with what makes words."""
    before, after = (" " if _makes_words(end) else "" for end in (normal[0], normal[-1]))
    return f"{before}{normal}{after}"


def _makes_words(character: str) -> bool:
    return unicodedata.category(character)[0] in "LN"
