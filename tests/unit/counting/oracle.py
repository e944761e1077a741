"""A brute-force count, written from the definition alone: loops over characters, no code of the package."""

import unicodedata
from functools import cache
from itertools import accumulate

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


UNSEEN = "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u3164\ufeff\uffa0"
UNSEEN_RANGES = (
    "180b-180f 200b-200f 202a-202e 2060-206f fe00-fe0f fff0-fffb 1bca0-1bca3 1d173-1d17a e0000-e0fff"
)
HYPHENS = "\u2212\u2043\u02d7"
APOSTROPHE_NAMES = (
    "GRAVE ACCENT",
    "ACUTE ACCENT",
    "ARMENIAN APOSTROPHE",
    "HEBREW PUNCTUATION GERESH",
    "LEFT SINGLE QUOTATION MARK",
    "RIGHT SINGLE QUOTATION MARK",
    "SINGLE HIGH-REVERSED-9 QUOTATION MARK",
    "PRIME",
    "REVERSED PRIME",
    "HEAVY SINGLE TURNED COMMA QUOTATION MARK ORNAMENT",
    "HEAVY SINGLE COMMA QUOTATION MARK ORNAMENT",
)


@cache
def is_unseen(character):
    spans = ([int(end, 16) for end in span.split("-")] for span in UNSEEN_RANGES.split())
    return character in UNSEEN or any(first <= ord(character) <= last for first, last in spans)


@cache
def spelled(character):
    """The hyphen or the apostrophe that a character is a spelling of, or the character."""
    if character in HYPHENS or (unicodedata.category(character) == "Pd" and character not in "\u301c\u3030"):
        return "-"
    return "'" if unicodedata.name(character, "") in APOSTROPHE_NAMES else character


@cache
def loose(character):
    """The character as loose spelling has it, where need be in its compatibility form."""
    if spelled(character) != character:
        return spelled(character)
    form = unicodedata.normalize("NFKC", character)
    changed = "".join(map(spelled, form))
    return character if changed == form else changed


@cache
def apart(character):
    """A sign whose compatibility form holds letters or digits: that form, parted from its neighbours."""
    kind, _, _ = unicodedata.decomposition(character).partition(" ")
    form = unicodedata.normalize("NFKC", character)
    if character in "\u2122\u2120\u00ae":
        return " "
    if not kind.startswith("<") or kind == "<sub>":
        return character
    sign = kind in ("<super>", "<circle>", "<square>", "<fraction>")
    sign = sign or unicodedata.category(character) in (  # signs, punctuation and numbers that are no digits
        "No",
        "So",
        "Sc",
        "Sk",
        "Sm",
        "Po",
        "Ps",
        "Pe",
        "Pf",
        "Pd",
    )
    if not sign and " " not in form.strip():
        return character
    before = " " if form[0].isalpha() or form[0].isnumeric() else ""
    after = " " if form[-1].isalpha() or form[-1].isnumeric() else ""
    return before + form + after if before or after else character


def prepared(text, spelling):
    out = ""
    for place, character in enumerate(text):
        tag = "\U000e0020" <= character <= "\U000e007f"
        if tag and text[:place].rstrip("".join(map(chr, range(0xE0020, 0xE0080))))[-1:] == "\U0001f3f4":
            out += character
        elif not is_unseen(character):
            out += "".join(map(loose, apart(character))) if spelling == "loose" else apart(character)
    return out


def normal(text, spelling="loose"):
    text = prepared(text, spelling)
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


def cased(text):
    """The text in NFKC with white space collapsed, its case kept, character for character beside `normal`."""
    out = []
    for character in " ".join(unicodedata.normalize("NFKC", prepared(text, "loose")).split()):
        folded = normal(character) or " "
        out += [character] + [""] * (len(folded) - 1)
    return out


def is_acronym(name):
    return name.upper() == name and name.lower() != name


def matches(raw, names, case="fold", as_written=()):
    """The spans of one entity's names in the text, overlapping ones too."""
    text, written = normal(raw), cased(raw)
    found = set()
    variants = [(own, variant) for own in names for variant in apostrophes(own)]
    for own, as_spelled in variants:
        name = normal(as_spelled)
        exact = case == "exact" or own in as_written or (case == "acronyms" and is_acronym(own))
        for i in range(len(text) - len(name) + 1):
            j = i + len(name)
            same = text[i:j] == name and border(text, i, i) and border(text, j, j - 1)
            if same and (not exact or "".join(written[i:j]) == "".join(cased(as_spelled))):
                found.add((i, j))
    return found


LETTERS = "\u02b9\u02bb\u02bc\u02bd\u02be\u02bf\ua78c"


def apostrophes(name):
    """The name with the straight apostrophe, and with each letter that looks like one."""
    marks = [c for c in name if c in LETTERS or spelled(c) == "'"]
    out = {name}
    for own in ("'" + LETTERS) if marks else "":
        out.add("".join(own if c in marks else c for c in name))
    return out


def leftmost_longest(found):
    taken, position = set(), 0
    for i in sorted({i for i, _ in found}):
        if i >= position:
            position = max(j for k, j in found if k == i)
            taken.add((i, position))
    return taken


def merged(found):
    """The occurrences: matches of one entity, overlapping ones merged."""
    out = []
    for i, j in sorted(found):
        if out and i < out[-1][1]:
            out[-1] = (out[-1][0], max(j, out[-1][1]))
        else:
            out.append((i, j))
    return out


def count_all(documents, facts, window=100, unit="words", distance="start", nested="all", case="fold"):
    """The six numbers of every fact: (subject names, object names, names that count only as written)."""
    sums = [[0] * 7 for _ in facts]
    for raw in documents:
        text = normal(raw)
        starts = [unit == "characters" or begins_word(text, i) for i in range(len(text))] + [False]
        place = [0, *accumulate(starts)]
        every = [[matches(raw, names, case, fact[2]) for names in fact[:2]] for fact in facts]
        if nested == "longest":
            longest = leftmost_longest({span for both in every for one in both for span in one})
            every = [[one & longest for one in both] for both in every]
        for total, both in zip(sums, every, strict=True):
            subjects, objects = map(merged, both)
            near = []
            for s in subjects:
                for o in objects:
                    first, second = sorted([s, o])
                    gap = max(0, place[second[0]] - place[first[1]])
                    apart = gap if distance == "gap" else place[second[0]] - place[first[0]]
                    if apart <= window and s != o:
                        near.append((s, o))
            numbers = (len(subjects), len(objects), bool(subjects and objects), bool(near), len(near))
            anchors = (len({s for s, _ in near}), len({o for _, o in near}))
            for at, number in enumerate((*numbers, *anchors)):
                total[at] += number
    return [(*total[:5], total[5] if total[0] <= total[1] else total[6]) for total in sums]


def count(documents, subject_names, object_names, window):
    """The six numbers of one fact."""
    return count_all(documents, [(subject_names, object_names, ())], window)[0]


def spans(text, names):
    """The occurrences of one entity in a text in normal form."""
    return merged(matches(text, names))
