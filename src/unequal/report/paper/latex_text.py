"""LaTeX escapes: any text in ASCII, with specials escaped, accents and symbols as commands."""

import unicodedata
from itertools import pairwise

ESCAPES = {character: f"\\{character}" for character in "{}&%$#_"}
ESCAPES |= {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
ESCAPES |= {"<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", '"': r"\textquotedbl{}"}
ESCAPES |= {"`": r"\textasciigrave{}", "'": r"\textquotesingle{}"}
LETTERS = {"ß": "ss", "æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L"}
LETTERS |= {"đ": "dj", "Đ": "DJ", "ð": "dh", "Ð": "DH", "þ": "th", "Þ": "TH", "ı": "i", "ȷ": "j", "ŋ": "ng"}
PUNCTUATION = {"–": "--", "—": "---", "‘": "`", "’": "'", "“": "``", "”": "''", "\u00a0": "~", "‑": "-"}
PUNCTUATION |= {"…": r"\ldots{}", "·": r"\textperiodcentered{}", "•": r"\textbullet{}", "¿": "?`", "¡": "!`"}
PUNCTUATION |= {"«": r"\guillemotleft{}", "»": r"\guillemotright{}", "„": r"\quotedblbase{}"}
PUNCTUATION |= {"§": r"\S{}", "©": r"\textcopyright{}", "£": r"\pounds{}", "€": r"\texteuro{}"}
MATHS = {"−": "-", "×": r"\times", "÷": r"\div", "±": r"\pm", "≤": r"\leq", "≥": r"\geq", "≠": r"\neq"}
MATHS |= {"≈": r"\approx", "∞": r"\infty", "→": r"\rightarrow", "←": r"\leftarrow", "↑": r"\uparrow"}
MATHS |= {"↓": r"\downarrow", "′": "'", "″": "''", "√": r"\surd", "∑": r"\sum", "∈": r"\in", "°": r"^{\circ}"}
MATHS |= {"¹": "^1", "²": "^2", "³": "^3", "½": r"\frac12", "¼": r"\frac14", "¾": r"\frac34", "µ": r"\mu"}
MATHS |= {"∆": r"\Delta", "¬": r"\neg", "⋅": r"\cdot", "∼": r"\sim", "✓": r"\surd", "✕": r"\times"}
ACCENTS = {"GRAVE": "`", "ACUTE": "'", "CIRCUMFLEX": "^", "TILDE": "~", "DIAERESIS": '"', "RING": "r"}
ACCENTS |= {"MACRON": "=", "DOT": ".", "BREVE": "u", "CARON": "v", "DOUBLE ACUTE": "H"}
ACCENTS |= {"CEDILLA": "c", "OGONEK": "k", "DOT BELOW": "d", "MACRON BELOW": "b"}
SAME_IN_LATIN = {
    "ALPHA": "A",
    "BETA": "B",
    "EPSILON": "E",
    "ZETA": "Z",
    "ETA": "H",
    "IOTA": "I",
    "KAPPA": "K",
}
SAME_IN_LATIN |= {"MU": "M", "NU": "N", "OMICRON": "O", "RHO": "P", "TAU": "T", "CHI": "X"}
LIGATURES = {"--", ",,", "''", "``", "?`", "!`", "<<", ">>"}


def escaped(text: str) -> str:
    """Return text that LaTeX sets as it reads, with T1 fonts and textcomp.

    A character that these fonts lack is written as its number, such as ``U+4E1C``, so that nothing stops the
    typesetting and nothing vanishes.
    """
    words = " ".join(unicodedata.normalize("NFC", text).split())
    apart = [f"{one}{{}}" if one + after in LIGATURES else one for one, after in pairwise([*words, ""])]
    return "".join(_set(one[0]) + one[1:] for one in apart)


def _set(character: str) -> str:
    if character in ESCAPES:
        return ESCAPES[character]
    if character.isascii():
        return character if character.isprintable() else ""
    if character in LETTERS:
        return f"\\{LETTERS[character]}{{}}"
    if character in PUNCTUATION:
        return PUNCTUATION[character]
    if character in MATHS:
        return f"${MATHS[character]}$"
    return _accented(character) or _greek(character) or rf"\texttt{{U+{ord(character):04X}}}\allowbreak{{}}"


def _accented(character: str) -> str:
    """Return a Latin letter with its accents as commands, one around the other; empty for any other."""
    base, *marks = list(unicodedata.normalize("NFD", character))
    if not marks or not base.isascii() or not base.isalpha():
        return ""
    found = {"i": r"\i{}", "j": r"\j{}"}.get(base, base)
    for mark in marks:
        name = (
            unicodedata.name(mark, "")
            .removeprefix("COMBINING ")
            .removesuffix(" ACCENT")
            .removesuffix(" ABOVE")
        )
        if name not in ACCENTS:
            return ""
        found = f"\\{ACCENTS[name]}{{{found}}}"
    return found


def _greek(character: str) -> str:
    """Return a Greek letter without accents in mathematics; empty for any other."""
    _, _, rest = unicodedata.name(character, "").partition("GREEK ")
    size, _, name = rest.partition(" LETTER ")
    name = {"FINAL SIGMA": "varsigma", "LAMDA": "LAMBDA"}.get(name, name)
    if size not in ("SMALL", "CAPITAL") or not name or " " in name:
        return ""
    if size == "CAPITAL":
        return f"$\\mathrm{{{SAME_IN_LATIN[name]}}}$" if name in SAME_IN_LATIN else f"$\\{name.capitalize()}$"
    return "$o$" if name == "OMICRON" else f"$\\{name.lower()}$"
