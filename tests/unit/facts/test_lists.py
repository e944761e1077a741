"""Lists in one cell of text, as people and programs write them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unequal.facts.lists import ListSyntaxError, list_in

texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)


@pytest.mark.parametrize(
    ("text", "items"),
    [
        ("['Oh', 'Oo']", ["Oh", "Oo"]),
        ("[\"it's\", 'Oo',]", ["it's", "Oo"]),
        ("['Oh' \"it's\"\n 'Oo']", ["Oh", "it's", "Oo"]),
        ('["a|b", "caf\\u00e9"]', ["a|b", "café"]),
        ("('Oh', 'Oo')", ["Oh", "Oo"]),
        ("('Oh',)", ["Oh"]),
        ("{'Oh', 'Oo'}", ["Oh", "Oo"]),
        ("[u'Oh', None, nan]", ["Oh", None, None]),
        ("[np.str_('Oh'), np.str_('Oo')]", ["Oh", "Oo"]),
        ("array(['Oh', 'Oo'], dtype=object)", ["Oh", "Oo"]),
        ("[]", []),
        ("()", []),
        ("", []),
        ("Oh|Oo", ["Oh", "Oo"]),
        ("Oh", ["Oh"]),
        ('("Heroes")', ['("Heroes")']),
        ("(What's the Story) Morning Glory?", ["(What's the Story) Morning Glory?"]),
        ("('Round Midnight)", ["('Round Midnight)"]),
        ("[sic] Foo|Bar", ["[sic] Foo", "Bar"]),
        ("[Untitled]|", ["[Untitled]"]),
        ("['Til Tuesday]|", ["['Til Tuesday]"]),
    ],
)
def test_lists_are_read_as_they_are_written(text, items):
    assert list_in(text) == items


@pytest.mark.parametrize(
    "text",
    [
        "[Untitled]",
        "[sic] Foo",
        '["a", "b"',
        '["a|b", "c"',
        "['a' 'b', 'c']",
        "['a''b']",
        "['a' ... 'z']",
        "[Oh, Oo]",
    ],
)
def test_what_only_begins_as_a_list_is_refused_with_the_ways_to_write_it(text):
    with pytest.raises(ListSyntaxError, match=r'JSON array, such as \["a", "b"\]') as caught:
        list_in(text)
    assert "a|b" in str(caught.value)
    assert "has a bar at its end" in str(caught.value)


@settings(deadline=None)
@given(items=st.lists(texts, min_size=1, max_size=4))
def test_every_list_of_python_and_numpy_comes_back(items):
    assert list_in(repr(items)) == items
    assert list_in(repr(tuple(items))) == items
    objects = np.array(items, dtype=object)
    assert list_in(str(objects)) == items
    assert list_in(repr(objects)) == items
