"""Tokens and their ids: equal ids are equal texts, and no id is one that infini-gram would mistake."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unequal.counting.infinigram.vocabulary import (
    LARGEST_VOCABULARY,
    N_IDS,
    OTHER,
    SPACELESS,
    WORD,
    Vocabulary,
    most_frequent,
    split,
)
from unequal.counting.normalise import normalise

# A change here changes what an index holds: raise LAYOUT in index_build.py with it.
TOKENS = {
    "New  York": ["new", "york"],
    "Guinea-Bissau": ["guinea", "-", "bissau"],
    "a, b": ["a", ",", " ", "b"],
    "the U.S. army": ["the", "u", ".", "s", ".", " ", "army"],
    "x_1 2y": ["x_1", "2y"],
    "東京 都 x": ["東", "京", " ", "都", " ", "x"],
    "กุ": ["กุ"],
    "e\u0301 q\u0301": ["é", "q\u0301"],
    "\u2764\ufe0f x": ["\u2764", " ", "x"],
    "": [],
}


@pytest.mark.parametrize("text", TOKENS)
def test_split(text):
    assert [token.decode() for token in split(normalise(text))] == TOKENS[text]


@given(
    st.text(alphabet="ab .-_京\u0301é\ud800", max_size=12), st.text(alphabet="ab .-_京\u0301é", max_size=12)
)
def test_equal_ids_are_equal_texts(one, other):
    vocabulary = Vocabulary([b"a", b"b", b"."])
    one, other = normalise(one), normalise(other)
    assert (vocabulary.encode(one) == vocabulary.encode(other)) == (one == other)


def test_the_most_frequent_tokens_come_first_and_ties_are_settled():
    assert most_frequent(["b a, a", "c, b"], limit=4) == [b",", b"a", b"b", b"c"]
    assert most_frequent(["b a, a", "c, b"], limit=2) == [b",", b"a"]


def test_ids_stay_below_those_with_a_high_byte_of_ff():
    full = Vocabulary([f"w{number}".encode() for number in range(LARGEST_VOCABULARY)])
    assert max(full.encode(f"w{LARGEST_VOCABULARY - 1}")) == N_IDS - 1 == 0xFEFF
    assert max(full.encode("never seen ÿ")) < 263


def test_kinds_are_told_at_both_ends_of_a_spelled_token():
    vocabulary = Vocabulary([b"a", "京".encode(), b"-"])
    for text, kind in {
        "a": WORD,
        "京": SPACELESS,
        "-": OTHER,
        "b": WORD,
        "都": SPACELESS,
        "!": OTHER,
    }.items():
        ids = vocabulary.encode(text)
        assert (vocabulary.kind[ids[0]], vocabulary.kind[ids[-1]]) == (kind, kind)
        assert sum(vocabulary.begins_word[ids]) == (kind != OTHER)
