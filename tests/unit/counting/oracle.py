"""A brute-force count, written from the definition alone: loops over characters, no code of the package."""

import unicodedata
from functools import cache

SCRIPTS_WITHOUT_SPACES = (
    "CJK UNIFIED",
    "CJK COMPATIBILITY IDEOGRAPH",
    "IDEOGRAPHIC ITERATION",
    "IDEOGRAPHIC CLOSING",
    "IDEOGRAPHIC NUMBER",
    "MASU MARK",
    "HANGZHOU NUMERAL",
    "BOPOMOFO ",
    "HIRAGANA",
    "HENTAIGANA ",
    "VERTICAL KANA",
    "VERTICAL IDEOGRAPHIC",
    "KATAKANA",
    "THAI ",
    "LAO ",
    "KHMER ",
    "MYANMAR ",
)


def normal(text):
    text = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    out = ""
    for character in text:
        if not character.isspace():
            out += character
        elif not out.endswith(" "):
            out += " "
    return out.strip()


@cache
def is_mark(character):
    return unicodedata.category(character) in ("Mn", "Mc", "Me")


@cache
def is_word(character):
    return character.isalpha() or character.isnumeric() or character == "_"


@cache
def is_spaceless(character):
    name = unicodedata.name(character, "")
    return is_word(character) and not character.isdecimal() and name.startswith(SCRIPTS_WITHOUT_SPACES)


def base(text, i):
    """The character that the one at i belongs to, or a blank."""
    while i >= 0 and is_mark(text[i]):
        i -= 1
    return text[i] if i >= 0 else " "


def border(text, i, edge):
    """Whether a name may begin (edge = i) or end (edge = i - 1) between the characters i - 1 and i."""
    if i < len(text) and is_mark(text[i]) and is_word(base(text, i)):
        return False
    outside = i - 1 if edge == i else i
    if outside < 0 or outside >= len(text) or not is_word(base(text, outside)):
        return True
    return is_spaceless(base(text, outside)) or is_spaceless(base(text, edge))


def begins_word(text, i):
    here, before = text[i], base(text, i - 1)
    if is_mark(here) or not is_word(here):
        return False
    return not is_word(before) or is_spaceless(here) or is_spaceless(before)


def spans(text, names):
    """The occurrences of one entity: its matches, overlapping ones merged."""
    found = set()
    for name in {normal(name) for name in names}:
        for i in range(len(text) - len(name) + 1):
            j = i + len(name)
            if text[i:j] == name and border(text, i, i) and border(text, j, j - 1):
                found.add((i, j))
    merged = []
    for i, j in sorted(found):
        if merged and i < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(j, merged[-1][1]))
        else:
            merged.append((i, j))
    return merged


def count(documents, subject_names, object_names, window):
    """The five numbers of one fact."""
    subject_count = object_count = docs_both = docs_window = pairs_window = 0
    for text in map(normal, documents):
        subjects, objects = spans(text, subject_names), spans(text, object_names)
        starts = [i for i in range(len(text)) if begins_word(text, i)]
        pairs = 0
        for subject in subjects:
            for object_ in objects:
                distance = abs(sum(i < subject[0] for i in starts) - sum(i < object_[0] for i in starts))
                pairs += distance <= window and subject != object_
        subject_count += len(subjects)
        object_count += len(objects)
        docs_both += bool(subjects and objects)
        docs_window += pairs > 0
        pairs_window += pairs
    return subject_count, object_count, docs_both, docs_window, pairs_window
