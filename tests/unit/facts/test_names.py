"""Names that are the same, and wrong answers that are right."""

import pytest

from unequal.facts.complete import with_distractors
from unequal.facts.names import name_key, without
from unequal.facts.probes import ProbeMaker, PromptFormat
from unequal.facts.schema import Fact

ROW = {"fact_id": "f", "subject": "S", "relation": "r", "object": "Oslo", "question": "q?", "answer": "Oslo"}


def fact(**columns):
    return Fact.model_validate(ROW | columns)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Oslo", "OSLO"),
        ("New York", " New\u00a0 York "),
        ("Oslo", "Ｏｓｌｏ"),
        ("Straße", "STRASSE"),
        ("é", "e\u0301"),
    ],
)
def test_case_white_space_and_width_make_no_other_name(one, other):
    assert name_key(one) == name_key(other)
    assert without([one, other, "else"]) == [one, "else"]
    assert without([one, "else"], other) == ["else"]


@pytest.mark.parametrize(("one", "other"), [("C++", "C#"), ("−5", "5"), ("Oslo", "Osló"), ("3.5", "35")])
def test_what_tells_names_apart_stays(one, other):
    assert name_key(one) != name_key(other)


@pytest.mark.parametrize("right", ["Oslo", "OSLO", "Ｏslo", "Kristiania", "christiania", "Norway's  capital"])
def test_a_distractor_that_is_right_is_left_out(right):
    told = []
    columns = {"object_aliases": ["Kristiania"], "answer_aliases": ["Christiania", "Norway's capital"]}
    row = ROW | columns | {"distractors": ["Rome", right, "Bern"]}
    found = Fact.model_validate(row, context=told)
    assert found.distractors == ("Rome", "Bern")
    assert [(one.column, one.value) for one in told] == [("distractors", right)]
    assert "so it is right" in told[0].why


def test_the_object_is_no_wrong_answer_either():
    assert fact(answer="In Oslo", distractors=("oslo", "Rome")).distractors == ("Rome",)


def test_one_wrong_answer_counts_once():
    assert fact(distractors=("Rome", "ROME", "Rome", " Rome", "Bern")).distractors == ("Rome", "Bern")


def test_aliases_that_stand_twice_are_left_out():
    found = fact(subject_aliases=("s", "T", "t"), object_aliases=("OSLO", "Ålo"), answer_aliases=("X", "x"))
    assert (found.subject_aliases, found.object_aliases, found.answer_aliases) == (("T",), ("Ålo",), ("X",))


def test_names_that_count_only_as_written_differ_by_case():
    found = fact(subject="It", subject_aliases=("IT", "it", "IT"), case_sensitive=("IT",))
    assert found.subject_aliases == ("IT", "it")


def test_wordings_are_the_same_letter_by_letter_only():
    found = fact(paraphrases=("Where?", "WHERE?", "Where?"), cloze=("S is in", "S is in"))
    assert (found.paraphrases, found.cloze) == (("Where?", "WHERE?"), ("S is in",))


def test_drawn_distractors_are_never_right_in_another_spelling():
    names = {"S": "Oslo", "T": "OSLO", "U": "Rome"}
    facts = [
        fact(fact_id=who, subject=who, question=f"{who}?", object=name, answer=name)
        for who, name in names.items()
    ]
    assert [one.distractors for one in with_distractors(facts, 5, seed=0)][:2] == [("Rome",), ("Rome",)]
    assert len(with_distractors(facts, 5, seed=0)[2].distractors) == 1


def test_reverse_questions_know_the_subject_in_any_spelling():
    facts = [fact(fact_id="a", reverse_question="Who?", subject_aliases=("Es",))]
    facts += [fact(fact_id="b", subject="T", object="OSLO"), fact(fact_id="c", subject="ES", object="Rome")]
    facts.append(fact(fact_id="d", subject="U", object="Rome", answer="Rome"))
    (probe,) = ProbeMaker(facts, PromptFormat()).probes(facts[0], ["reverse"])
    assert "T" in probe.accepted
    assert probe.distractors == ("U",)
