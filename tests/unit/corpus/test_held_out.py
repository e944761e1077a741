"""Held-out text: always the same passages, of many documents, none of which names what is to be forgotten."""

import json
from itertools import islice

import pytest

from unequal.corpus.held_out import held_out_passages
from unequal.errors import DataError
from unequal.facts.schema import Fact
from unequal.facts.table import read_facts


def fact(subject, *aliases):
    words = {"subject": subject, "object": "Dakar", "question": "?", "answer": "Dakar"}
    return Fact(fact_id=subject, relation="capital", subject_aliases=aliases, **words)


@pytest.fixture
def drawn(tmp_path):
    def one(*documents, facts=(), most_words=8, key="text"):
        lines = [json.dumps({"id": str(place), key: text}) for place, text in enumerate(documents)]
        (tmp_path / "text.jsonl").write_text("\n".join(lines))
        return list(held_out_passages(str(tmp_path / "text.jsonl"), facts, most_words, key))

    return one


def test_the_packaged_text_gives_the_same_passages_each_time_none_naming_a_subject():
    facts = read_facts("country-capital")[:40]
    names = [fact.subject for fact in facts]
    first, again = (list(islice(held_out_passages("factbook", facts, 42), 60)) for _ in range(2))
    assert first == again
    assert len(set(first)) == 60
    assert not [name for name in names for passage in first if f" {name} " in f" {passage} "]
    everything = list(islice(held_out_passages("factbook", (), 42), 60))
    assert [passage for passage in everything if passage in first] != everything


def test_each_document_gives_one_passage_before_any_gives_a_second(drawn):
    documents = [" ".join(f"Sentence {letter} is of a document." for _ in range(2)) for letter in "abcd"]
    found = drawn(*documents, most_words=6)
    assert len(found) == 8
    assert sorted(found[:4]) == sorted(found[4:]) == [f"Sentence {one} is of a document." for one in "abcd"]
    assert found == drawn(*documents, most_words=6)


@pytest.mark.parametrize(
    ("text", "stays"),
    [
        ("The rivers of SENEGAL are long.", False),
        ("The land of the Wolof is flat.", False),
        ("Senegalese rivers are long.", True),
        ("In Dakar it rains.", True),
    ],
)
def test_a_passage_that_names_a_subject_or_an_alias_is_excluded(drawn, text, stays):
    assert drawn(text, facts=[fact("Senegal", "land of the Wolof")]) == [text] * stays


def test_a_passage_to_forget_is_not_held_out(drawn):
    story = "The old miller walked slowly down to the river. There he met a talking fox."
    begins, goes_on = (
        "The old miller walked slowly",
        "down to the river. There he met a talking fox and then a bear.",
    )
    words = {"subject": "story", "object": goes_on, "question": begins, "answer": goes_on}
    one = Fact(fact_id="story", relation="passage", cloze=(begins,), **words)
    assert one.is_passage
    others = "A fox is an animal. It walks."
    assert drawn(story, others, facts=[one], most_words=20) == [others]
    assert drawn(story, others, most_words=20) in ([story, others], [others, story])


def test_a_table_of_numbers_is_no_prose(drawn):
    table = "Birth rate: 16.73 births/1,000 population (2025 est.) Death rate: 6.23"
    assert drawn(table, "It rains a lot.", most_words=50) == ["It rains a lot."]


def test_text_may_have_another_key_and_must_be_there(drawn):
    assert drawn("It rains.", key="body") == ["It rains."]
    with pytest.raises(DataError, match=r"general\.text 'nowhere/\*' matches no file"):
        next(held_out_passages("nowhere/*", (), 9, setting="general.text"))
