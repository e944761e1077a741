"""The tokens by which answers are compared: counting's words, and the signs that tell answers apart.

A word is a run of letters, digits and underscores with their combining marks, or one letter of a script
without spaces (`counting.words`), in the normal form of counting. What tells two answers apart stays with it:
the sign of −5, the point of 3.5, what follows the letter in C++, C# and A−. 1,000 is 1000, and 3,5 is 3.5.
A symbol, such as € or % or ∞ or an emoji, is a token of its own, a currency sign always before its amount.
"""

import re
import unicodedata
from collections.abc import Iterator
from functools import cache, lru_cache
from typing import Literal, NamedTuple

from unequal.counting.characters import straightened
from unequal.counting.normalise import normalise_with_spans
from unequal.counting.words import word_characters

LONGEST_GRADE = 2  # letters before a minus that belongs to them, as in A− and AB−

_NUMBER = r"""
    (?<!\d[.,'])
    (?: \d{1,3} (?:,\d{3})+ (?:\.\d+)?      # 1,000.5
      | \d{1,2} (?:,\d{2})+ ,\d{3}          # 1,00,000
      | \d{1,3} (?:'\d{3})+ (?:\.\d+)?      # 1'000
      | \d{1,3} (?:\.\d{3}){2,} (?:,\d+)?   # 1.000.000
      | \d+\.\d+ | \d+,\d{1,2} | (?<!\d)(?<!\.)\.\d+
    ) (?![.,']?\d) | \d+"""
_DECIMAL_COMMA = re.compile(r"\d+,\d{1,2}")
_THIN_SPACE = re.compile(r"(?<=\d)[\u00a0\u2009\u202f](?=\d{3}(?!\d))")
_WRAPPING = (set("\"“”„«»‹›()[]{}'"), set("*~"), set(".,;:!?"))
_SIGNS = "%‰#"
_SHARP = str.maketrans("♯", "#")


class Token(NamedTuple):
    """A word, a sign, or a mark of punctuation that stands alone, and its part [start, end) of the text."""

    text: str
    start: int
    end: int
    kind: Literal["word", "sign", "mark"]


@lru_cache(maxsize=100_000)
def tokens_of(text: str) -> tuple[Token, ...]:
    """Return the tokens of a text in their order."""
    if not text.isascii():
        text = _THIN_SPACE.sub("'", text)
    normal = normalise_with_spans(text)
    plain = straightened(normal.text)
    pattern = _pattern(plain.isascii())
    return tuple(
        Token(word, normal.begin[start], normal.end[end - 1], kind)
        for found in pattern.finditer(plain)
        for word, start, end, kind in _tokens(found, plain)
    )


def is_word(token: str) -> bool:
    """Return whether a token is a word or a number and not a sign."""
    return any(character.isalnum() or character == "_" for character in token)


@cache
def _pattern(ascii_only: bool) -> re.Pattern[str]:
    """Return the pattern of all tokens; with ASCII alone it needs no table of all characters."""
    plain, spaceless, marks = ("a-z0-9_", "", "") if ascii_only else word_characters()
    currency = "".join(chr(code) for code in range(0x2100) if unicodedata.category(chr(code)) == "Sc")
    letter = rf"| [{spaceless}][{marks}]*" if spaceless else ""
    return re.compile(
        rf"""
        (?P<alone> (?<!\S) [^\s{plain}{spaceless}{marks}]+ (?!\S) )
        | (?P<sign> (?<![{plain}{marks})\]%-])- | (?<=[{plain}{marks}])\+ )?
          (?: (?P<before> [{currency}][ ]? ) (?P<minus> - )? )?
          (?<![{plain}{marks}]) (?P<number> {_NUMBER} )
          (?P<rest> [{plain}{marks}]* ) (?P<plus> \++ (?![{plain}+]) )?
          (?P<after> [ ]?[{currency}] (?![ ]?\d) )?
        | (?P<word> [{plain}][{plain}{marks}]* {letter} ) (?P<glued> [+\#♯♭]+ (?![{plain}+\#]) )?
        | (?P<other> [^\s{plain}{spaceless}] )
        """,
        re.VERBOSE,
    )


def _tokens(
    found: re.Match[str], normal: str
) -> Iterator[tuple[str, int, int, Literal["word", "sign", "mark"]]]:
    """Yield what a match of the pattern gives: text, start and end in the normal form, and kind."""
    if found["number"]:
        yield from _amount(found)
    elif found["word"]:
        end = found.end()
        grade = len(found["word"]) <= LONGEST_GRADE and found["word"].isalpha() and not found["glued"]
        if grade and normal[end : end + 1] == "-" and not (normal[end + 1 : end + 2] or " ").isalnum():
            yield found["word"] + "-", found.start(), end + 1, "word"
        else:
            yield found[0].translate(_SHARP), found.start(), end, "word"
    elif found["alone"]:
        for place, sign in _unwrapped(found["alone"]):
            start = found.start() + place
            yield sign, start, start + 1, "sign" if _is_sign(sign) else "mark"
    elif _is_sign(found[0]) and not (found[0] == "+" and normal[found.end() : found.end() + 1].isdecimal()):
        yield found[0], found.start(), found.end(), "sign"


def _amount(found: re.Match[str]) -> Iterator[tuple[str, int, int, Literal["word", "sign", "mark"]]]:
    """Yield the currency, where there is one, and then the number, both with the place of the whole."""
    before, after = found["before"], found["after"]
    if before or after:
        yield (before or after).strip(), found.start(), found.end(), "sign"
    sign = found["sign"] or found["minus"] or ""
    number = _canonical(found["number"]) + found["rest"] + (found["plus"] or "")
    yield sign + number, found.start(), found.end(), "word"


def _canonical(number: str) -> str:
    """Return a number without the marks that group its digits, and with a point before its decimals."""
    if _DECIMAL_COMMA.fullmatch(number):
        return number.replace(",", ".")
    if number.count(".") > 1:
        return number.replace(".", "").replace(",", ".")
    ungrouped = number.replace(",", "").replace("'", "")
    return f"0{ungrouped}" if ungrouped.startswith(".") else ungrouped


def _unwrapped(signs: str) -> list[tuple[int, str]]:
    """Return the signs of a stretch without words, with their places, free of quotes if that leaves some."""
    if signs.replace("…", "..").strip(".") == "" and len(signs) > 1:
        return []
    left = list(enumerate(signs))
    for wrapping in _WRAPPING:
        left = [(place, sign) for place, sign in left if sign not in wrapping] or left
    return left


def _is_sign(character: str) -> bool:
    tag = "\U000e0020" <= character <= "\U000e007f"
    return tag or character in _SIGNS or unicodedata.category(character)[0] == "S"
