"""Sentences end where they end: not at abbreviations or initials, but at lines and stops of other scripts."""

import pytest

from unequal.corpus.sentences import passages, sentences

CUT = [
    ("One is. Two are! Three? Four", ["One is.", "Two are!", "Three?", "Four"]),
    ("Dr. J. R. Smith of the U.S. Army saw St. Louis. He left.", None),
    ('He said "Hi." She went.', ['He said "Hi."', "She went."]),
    ("It cost 3.5 million. In 1990 it fell.", ["It cost 3.5 million.", "In 1990 it fell."]),
    ("Title\n\nText of two\nlines.", ["Title", "Text of two", "lines."]),
    ("e.g. this and i.e. that, etc. No more.", ["e.g. this and i.e. that, etc.", "No more."]),
    ("lower case follows. it goes on.", ["lower case follows. it goes on."]),
    ("首都は東京。 はい。", ["首都は東京。", "はい。"]),
    ("Washington, D.C. is one.", ["Washington, D.C. is one."]),
    ("Établi à Paris. Été.", ["Établi à Paris.", "Été."]),
    ("", []),
    (" \n\n ", []),
]


@pytest.mark.parametrize(("text", "expected"), CUT, ids=range(len(CUT)))
def test_a_text_is_cut_at_its_sentences(text, expected):
    if expected is None:
        expected = ["Dr. J. R. Smith of the U.S. Army saw St. Louis.", "He left."]
    assert list(sentences(text)) == expected


@pytest.mark.parametrize("text", [text for text, _ in CUT])
def test_nothing_is_lost_and_nothing_is_added(text):
    assert "".join("".join(sentences(text)).split()) == "".join(text.split())


def test_passages_are_whole_sentences_up_to_their_length():
    text = " ".join(f"Sentence {n} has five words." for n in range(10)) + " " + "Long " * 30 + "end."
    found = list(passages(text, 12))
    assert [len(passage.split()) for passage in found] == [10] * 5 + [31]
    assert " ".join(found) == text
