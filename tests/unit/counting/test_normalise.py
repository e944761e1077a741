"""Normal forms are stable, and the class of every character agrees with its Unicode name."""

import re
import unicodedata

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import oracle
from gate import only_in_full
from unequal.counting.normalise import BORDER, Normaliser, normalise, normalise_with_spans, utf8
from unequal.counting.words import Rank, word_characters, words_of

NO_CHARACTER = ("Cn", "Co", "Cs")  # not assigned, for private use, halves of pairs
CODES = [
    code for code in range(0x110000) if code % 97 == 0 or unicodedata.category(chr(code)) not in NO_CHARACTER
]
"""Every character of Unicode, and some places where there is none."""
some_or_all = pytest.mark.parametrize("step", [37, *only_in_full(1)])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("  New\tYORK \n", "new york"),
        ("Straße", "strasse"),
        ("Ｐａｒｉｓ\u3000ﬁn", "paris fin"),
        ("Bogota\u0301", "bogot\u00e1"),
        ("İ", "i\u0307"),
        ("\u0390", "\u0390"),
        ("\x1f", ""),
        ("Lego\u2122 sets", "lego sets"),
        ("Torvale\u00b2 lies", "torvale 2 lies"),
        ("Bexley\u2460", "bexley 1"),
        ("M\u00aa Jos\u00e9", "m a jos\u00e9"),
        ("8\u00bd", "8 1\u20442"),
        ("5\u339e", "5 km"),
        ("CO\u2082", "co2"),
        ("25\u2103", "25\u00b0c"),
        ("Ham\u00adfurt", "hamfurt"),
        ("Kel\u200bburn\u200e\ufeff", "kelburn"),
        ("e\u00ad\u0301", "\u00e9"),
        ("Jean\u2011Paul O\u2019Brien", "jean-paul o'brien"),
        ("\u22125\u2014\u0149", "-5-\u02bcn"),
        ("\U0001f3f4\U000e0067\U000e007fa\U000e0067", "\U0001f3f4\U000e0067\U000e007fa"),
        ("", ""),
    ],
)
def test_normal_form(text, expected):
    assert normalise(text) == expected


def test_exact_spelling_keeps_dashes_and_apostrophes():
    assert normalise("Jean\u2011Paul O\u2019Brien\u2122", "exact") == "jean\u2010paul o\u2019brien"


@some_or_all
@pytest.mark.parametrize("spelling", ["loose", "exact"])
def test_every_character_is_stable_alone_and_beside_letters(spelling, step):
    for code in CODES[::step]:
        once = normalise(f"{chr(code)} a{chr(code)}b", spelling)
        assert normalise(once, spelling) == once, hex(code)


@some_or_all
def test_every_character_has_its_place(step):
    for code in range(0, 0x40000, step):
        text, begin, end = normalise_with_spans(f"b{chr(code)}a")
        assert " ".join(text.split()) == normalise(f"b{chr(code)}a"), hex(code)
        assert len(text) == len(begin) == len(end)
        assert (begin[0], end[-1]) == (0, 3)


@given(st.text())
def test_the_text_with_places_is_the_normal_form(text):
    placed = normalise_with_spans(text)
    assert " ".join(placed.text.split()) == normalise(text)
    assert all(0 <= begin < end <= len(text) for begin, end in zip(placed.begin, placed.end, strict=True))


def words_by_pattern(text):
    """The words of a text, from the classes for regular expressions."""
    plain, spaceless, marks = word_characters()
    return re.findall(rf"[{plain}][{plain}{marks}]*|[{spaceless}][{marks}]*", text)


@settings(deadline=None)
@given(st.text(alphabet="a1_\u00e9\u6771\u0e01\u0e38\u0301\u0915\u093f. \u2122\u00b2'-") | st.text())
def test_patterns_and_bytes_agree_on_words(text):
    data = text.encode("utf-8", "surrogatepass")
    words = words_of(data)
    starts, ends = np.flatnonzero(words.starts), np.flatnonzero(words.ends) + 1
    found = [data[a:b].decode("utf-8", "surrogatepass") for a, b in zip(starts, ends, strict=True)]
    assert found == words_by_pattern(text)


@some_or_all
def test_every_character_equals_the_oracle(step):
    for code in CODES[::step]:
        for spelling in ("loose", "exact"):
            assert normalise(f"a{chr(code)}b", spelling) == oracle.normal(f"a{chr(code)}b", spelling), hex(
                code
            )


@given(st.text())
def test_it_equals_the_oracle(text):
    assert normalise(text) == oracle.normal(text)


@given(st.lists(st.text(), min_size=1))
def test_a_block_equals_its_documents(texts):
    for keep_case in (False, True):
        block = Normaliser(keep_case).block(texts)
        # A character that becomes a space and a mark may leave the space at the beginning.
        assert [part.strip(b" ") for part in block.data.split(BORDER)] == [utf8(normalise(t)) for t in texts]
        assert [block.data[i - 1 : i] for i in block.first[1:-1]] == [BORDER] * (len(texts) - 1)
        assert len(block.cased) == (len(block.data) if keep_case else 0)


@some_or_all
def test_every_character_in_a_block_is_as_alone(step):
    codes = [code for code in CODES[::step] if not 0xD800 <= code < 0xE000]
    texts = [f"e{chr(code)}e{chr(code)}\u0301" for code in codes]
    block = Normaliser().block(texts)
    for text, part in zip(texts, block.data.split(BORDER), strict=True):
        assert part.strip(b" ") == utf8(normalise(text)), text


def places(text):
    """The characters at which words start, from the places of their bytes."""
    return [len(text.encode()[:byte].decode()) for byte in np.flatnonzero(words_of(text.encode()).starts)]


def test_every_letter_of_a_script_without_spaces_is_a_word():
    letters = [chr(code) for code in range(0x40000) if chr(code).isalnum() and not 0xD800 <= code < 0xE000]
    spaceless = words_of(" ".join(letters).encode()).spaceless
    offsets = np.cumsum([0, *(len(letter.encode()) + 1 for letter in letters)])
    disagree = [
        letter
        for letter, found in zip(letters, spaceless[offsets[:-1]], strict=True)
        if found != oracle.is_spaceless(letter) and normalise(letter) == letter
    ]
    assert [(hex(ord(c)), oracle.unicodedata.name(c, "?")) for c in disagree] == []


def test_word_starts():
    assert places("a b_1, 東京x e\u0301f") == [0, 2, 7, 8, 9, 11]
    assert places("it's U.S. 12") == [0, 3, 5, 7, 10]
    assert places("ก\u0e38ก a") == [0, 2, 4]
    assert places("") == []


@given(st.text(alphabet="a é東ก\u0e38\u0301_.1"))
def test_every_word_that_starts_ends(text):
    words = words_of(text.encode())
    starts, ends = np.flatnonzero(words.starts), np.flatnonzero(words.ends) + 1
    assert len(starts) == len(ends)
    assert (starts < ends).all()
    assert (ends[:-1] <= starts[1:]).all()


@given(st.lists(st.booleans(), max_size=300))
def test_rank_counts_what_stands_before(flags):
    rank = Rank(np.array(flags, dtype=np.bool_))
    places = np.arange(len(flags) + 1)
    assert rank(places).tolist() == [sum(flags[:place]) for place in places]
