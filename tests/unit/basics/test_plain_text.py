"""What is shown is text: one line a message, nothing that a terminal obeys, no longer than a reader needs."""

import pickle
from unicodedata import category

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unequal.errors import ConfigError, DataError, UserError, listed
from unequal.plain_text import MOST_OF_A_MESSAGE, one_line, short, visible

HARMLESS = "\u200c\u200d"


def obeyed(text):
    """The characters that a terminal would obey, or that show a line in another order."""
    return [c for c in text if category(c) in {"Cc", "Cf", "Cs", "Zl", "Zp"} and c not in HARMLESS]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred\x1b[0m", r"\x1b[31mred\x1b[0m"),
        ("\x1b]0;title\x07", r"\x1b]0;title\x07"),
        ("10\b\b99", r"10\x08\x0899"),
        ("all fine\runequal", r"all fine\runequal"),
        ("a\u202egpj.exe", r"a\u202egpj.exe"),
        ("a\u2066b\u2069", r"a\u2066b\u2069"),
        ("a\x9b31mb", r"a\x9b31mb"),
        ("a\u2028b\u2029c\x85d\x0be", r"a\u2028b\u2029c\x85d\x0be"),
        ("\ud800", r"\ud800"),
        ("a\U000e0041", r"a\U000e0041"),
        ("[bold]x[/x] :smile:", "[bold]x[/x] :smile:"),
        ("Bogotá 東京 می\u200cخواهم 1\u00a0000", "Bogotá 東京 می\u200cخواهم 1\u00a0000"),
    ],
)
@pytest.mark.fault("text holds escape sequences or marks of direction", "it is shown escaped, on one line")
def test_what_a_terminal_would_obey_is_escaped(text, shown):
    assert visible(text) == shown
    assert short(text) == shown
    assert one_line(text) == shown
    assert str(DataError(text)) == shown


def test_line_breaks_become_spaces_in_a_message_and_escapes_in_a_value():
    assert one_line(" first\n   second\r\n\n\tthird\n") == "first second third"
    assert short("first\nsecond") == "first\\nsecond"


@given(st.text(st.characters(codec=None)), st.integers(1, 5))
def test_any_text_becomes_one_short_visible_line(text, times):
    for error in (UserError(text * times), ConfigError("a: " + text * 1000)):
        message = str(error)
        assert len(message) <= MOST_OF_A_MESSAGE
        assert not obeyed(message)
        assert len(message.splitlines()) <= 1
        again = pickle.loads(pickle.dumps(error))
        assert (type(again), str(again)) == (type(error), message)


def test_a_megabyte_in_a_message_is_cut_and_both_ends_stay():
    message = str(DataError(f"no file {'x' * 1_000_000}; give another --out"))
    assert message.startswith("no file xxx") and message.endswith("xxx; give another --out")
    assert len(message) < 300
    message = str(DataError(f"no name {'x ' * 1_000_000}; give another"))
    assert message.startswith("no name x x") and message.endswith("x x ; give another")
    assert len(message) == MOST_OF_A_MESSAGE


def test_a_long_value_says_how_long_it_is():
    assert short("x" * 1_000_000, 5) == "xxxxx… (1,000,000 characters)"
    assert short(12) == "12"
    assert "digits" in short(10**5000)  # Python refuses to write such a number out
    assert short({"a": 10**5000})


def test_problems_are_listed_in_one_line():
    assert listed(["a", "b", "c"], limit=2) == "a; b; … and 1 more"
    assert listed(["a\nb\x1b"]) == r"a b\x1b"
    many = listed([f"line {number}: {'x' * 100}" for number in range(1000)])
    assert many.startswith("line 0: xxx") and len(many) < MOST_OF_A_MESSAGE
    n_shown = many.count("line ")
    assert 5 < n_shown < 50 and many.endswith(f"; … and {1000 - n_shown} more")
