"""Gathering: tables of all kinds become facts that can be counted, split and asked for."""

import json
from collections import Counter

import pytest
from pydantic import ValidationError

from unequal.errors import DataError
from unequal.facts.fictitious import STEM, fictitious_facts, is_fictitious
from unequal.facts.packaged import packaged_facts
from unequal.facts.reverse import NO_QUESTION, TOLD
from unequal.facts.schema import Fact
from unequal.facts.study_facts import FactsSettings, FactTable, gather_facts, with_distractors
from unequal.facts.table import read_facts
from unequal.facts.write import write_facts

CAPITALS = read_facts(packaged_facts())


def gathered(*tables, **settings):
    return gather_facts(FactsSettings.model_validate({"tables": tables, **settings}))


@pytest.fixture
def questions(tmp_path):
    """EntityQuestions of two relations, one name that is its own answer, and two answers to one question."""
    rows = [
        {"question": f"Where was Person {n} born?", "answers": [f"Town {n % 7}"], "relation": "P19"}
        for n in range(20)
    ]
    rows += [
        {"question": "Who is the author of Same?", "answers": ["Same"], "relation": "P50"},
        {"question": "Who is the author of Two?", "answers": ["One"], "relation": "P50"},
        {"question": "Who is the author of Two?", "answers": ["Other"], "relation": "P50"},
        {"question": "Who is the author of Book?", "answers": ["Writer"], "relation": "P50"},
    ]
    path = tmp_path / "questions.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_the_packaged_table_is_kept_but_for_countries_named_as_their_capital():
    found = gathered({"file": "country-capital"})
    same = [fact for fact in CAPITALS if fact.subject.casefold() == fact.object.casefold()]
    assert len(found.facts) == len(CAPITALS) - len(same) and same
    assert found.dropped["country-capital"] == Counter({"one name is both subject and object": len(same)})
    assert {fact.model_extra["fact_table"] for fact in found.facts} == {"country-capital"}
    assert all(fact.distractors and fact.cloze and fact.paraphrases for fact in found.facts)


def test_a_public_set_gets_wordings_and_wrong_answers(questions):
    found = gathered({"set": "entityquestions", "files": [questions]}, n_distractors=3)
    assert Counter(fact.relation for fact in found.facts) == {"P19": 20, "P50": 1}
    assert found.dropped["entityquestions"]["its question has another answer too"] == 2
    for fact in found.facts:
        assert fact.paraphrases and fact.cloze and fact.reverse_question
    births = [fact for fact in found.facts if fact.relation == "P19"]
    towns = {fact.object for fact in births}
    for fact in births:
        assert len(fact.distractors) == 3 and set(fact.distractors) <= towns - {fact.object}


def test_several_tables_have_names_and_ids_of_their_own(questions):
    set_ = {"set": "entityquestions", "files": [questions]}
    found = gathered({**set_, "name": "one"}, {**set_, "name": "two", "relations": ["P19"], "most": 5})
    assert Counter(fact.model_extra["fact_table"] for fact in found.facts) == {"one": 21, "two": 5}
    assert len({fact.fact_id for fact in found.facts}) == 26
    assert found.dropped["two"]["not drawn"] == 15
    assert gathered({**set_, "most": 5}) == gathered({**set_, "most": 5})


def test_an_object_that_is_right_in_another_fact_of_the_subject_is_no_wrong_answer():
    def fact(number, subject, obj):
        return Fact(fact_id=str(number), subject=subject, relation="r", object=obj, question="?", answer=obj)

    facts = [fact(0, "A", "x"), fact(1, "a", "y"), fact(2, "B", "z"), fact(3, "C", "w")]
    found = with_distractors(facts, 10, seed=0)
    assert set(found[0].distractors) == set(found[1].distractors) == {"z", "w"}
    given = facts[0].model_copy(update={"distractors": ("q",)})
    assert with_distractors([given], 10, seed=0) == [given]


def test_made_up_facts_ask_as_the_others_about_names_that_are_none():
    made = fictitious_facts(CAPITALS, 30, seed=0)
    assert len(made) == 30 and made == fictitious_facts(CAPITALS, 30, seed=0)
    names = {name.casefold() for fact in CAPITALS for name in (fact.subject, *fact.subject_aliases)}
    stems = {word[:STEM] for name in names for word in name.split() if len(word) >= STEM}
    objects = {fact.object for fact in CAPITALS}
    assert len({fact.subject for fact in made}) == 30
    for fact in made:
        assert is_fictitious(fact) and fact.role == "never_seen" and fact.exposure == 0
        assert not stems & {word[:STEM].casefold() for word in fact.subject.split() if len(word) >= STEM}
        assert fact.subject in fact.question and all(fact.subject in text for text in fact.cloze)
        assert fact.answer == fact.object and fact.object in objects
        assert fact.object not in fact.distractors and set(fact.distractors) <= objects
        assert not fact.subject_aliases and not fact.object_aliases
    assert {fact.subject for fact in made} != {
        fact.subject for fact in fictitious_facts(CAPITALS, 30, seed=1)
    }


def test_made_up_facts_need_subjects_that_stand_in_their_question():
    nameless = [fact.model_copy(update={"question": "Which one is it?"}) for fact in CAPITALS]
    assert fictitious_facts(nameless, 5, seed=0) == []
    assert fictitious_facts(CAPITALS, 0, seed=0) == []


def test_the_content_of_a_table_is_that_of_its_files_wherever_they_lie(tmp_path):
    write_facts(CAPITALS[:5], tmp_path / "a.jsonl")
    (tmp_path / "deep").mkdir()
    write_facts(CAPITALS[:5], tmp_path / "deep" / "a.jsonl")
    write_facts(CAPITALS[:6], tmp_path / "b.jsonl")
    one, same, other = (
        FactTable(file=tmp_path / name).content() for name in ("a.jsonl", "deep/a.jsonl", "b.jsonl")
    )
    assert one == same != other
    hub = FactTable(set="zsre", hub="someone/zsre_qa")
    assert hub.content() != FactTable(set="zsre", hub="someone/zsre_qa", revision="abc").content()


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ({}, "give either file"),
        ({"file": "a.csv", "set": "zsre"}, "give either file"),
        ({"set": "zsre"}, "comes from files or from hub; give one of them"),
        ({"set": "zsre", "files": ["a"], "hub": "b/c"}, "comes from files or from hub"),
        ({"file": "a.csv", "hub": "b/c"}, "belong to a set"),
        ({"set": "zsree", "hub": "b/c"}, "unknown fact set 'zsree'; did you mean 'zsre'?"),
    ],
)
def test_a_table_that_says_too_little_or_too_much_is_refused(table, expected):
    with pytest.raises(ValidationError, match=expected.replace("?", r"\?")):
        FactTable.model_validate(table)


def test_two_tables_of_one_name_are_refused():
    tables = [{"file": "a.csv"}, {"file": "deep/a.csv"}]
    with pytest.raises(ValidationError, match="two tables are called 'a'; give one of them another name"):
        FactsSettings.model_validate({"tables": tables})


def test_a_bad_table_is_named(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"fact_id": "x"}\n')
    with pytest.raises(DataError, match=r"a\.jsonl"):
        gathered({"file": tmp_path / "a.jsonl"})


def test_a_table_may_be_asked_the_other_way_round():
    """A question that tells its answer (Guatemala City), or that two countries answer, is none."""
    forward = gathered({"file": "country-capital"}, made_up=2)
    found = gathered({"file": "country-capital", "reverse": True}, made_up=2)
    facts = {fact.fact_id: fact for fact in found.facts}
    athens = facts["reverse-capital-greece"]
    assert (athens.subject, athens.object, athens.answer) == ("Athens", "Greece", "Greece")
    assert athens.relation == "reverse_capital"
    assert (athens.question, athens.reverse_question) == (
        "Which country has Athens as its capital?",
        "What is the capital of Greece?",
    )
    assert set(athens.object_aliases) == set(athens.answer_aliases) == {"Hellenic Republic"}
    assert athens.subject_aliases == ()
    assert all("Athens" in text for text in (*athens.paraphrases, *athens.cloze))
    assert "Greece" not in athens.distractors
    assert len(athens.distractors) == 7
    assert set(athens.distractors) < {fact.object for fact in facts.values()}
    assert "reverse-capital-guatemala" not in facts
    assert "reverse-capital-jamaica" not in facts  # Kingston is Norfolk Island's too
    assert found.dropped["country-capital"] == {TOLD: 11, NO_QUESTION: 2}
    assert sum(map(is_fictitious, found.facts)) == 2
    assert not {fact.relation for fact in forward.facts} & {fact.relation for fact in found.facts}
