"""What a table lacks is filled in: wrong answers that are wrong, and wordings in the question's language."""

import pytest

from unequal.facts.complete import completed, relation_templates
from unequal.facts.packaged import packaged_facts
from unequal.facts.schema import Fact
from unequal.facts.table import read_facts

CITIES = ("Oslo", "Lima", "Bern", "Rome", "Cairo", "Quito", "Paris", "Tunis", "Delhi", "Hanoi")


def fact(number, answer, relation="r", **more):
    words = {"subject": f"s{number}", "object": answer, "question": f"What of s{number}?", "answer": answer}
    return Fact(**({"fact_id": f"f{number}", "relation": relation} | words | more))


def plain_table():
    return [fact(i, city) for i, city in enumerate(CITIES)]


def wrong(facts, number=0):
    return set(completed(facts, {}).facts[number].distractors)


def test_wrong_answers_are_other_answers_of_the_relation_and_the_same_each_time():
    facts = [*plain_table(), fact(20, "Monday", relation="other")]
    done = completed(facts, {})
    for one in done.facts[:-1]:
        assert len(set(one.distractors)) == 7
        assert set(one.distractors) <= set(CITIES) - {one.answer}
    assert done.facts[-1].distractors == ()  # no other answer of its relation
    again = completed(list(reversed(facts)), {}).facts[::-1]
    assert [one.distractors for one in again] == [one.distractors for one in done.facts]
    assert done.filled == {"distractors": 10}
    assert done.notes == [
        "wrong answers were taken from the answers to other facts of the relation for 10 of 11 facts,"
        " which had none"
    ]


@pytest.mark.parametrize(
    "more",
    [
        {"answer_aliases": ["lima"]},
        {"object_aliases": ["LIMA "]},
        {"object": "Lima"},
        {"answer_aliases": ["Líma"]},
        {"answer_aliases": ["Lima City"]},
    ],
    ids=str,
)
def test_an_accepted_answer_is_never_a_wrong_one(more):
    facts = [fact(0, "Oslo", **more), *plain_table()[1:]]
    assert "Lima" not in wrong(facts)
    assert "Oslo" not in {name for one in completed(facts, {}).facts[:1] for name in one.distractors}


@pytest.mark.parametrize(
    "other",
    [
        fact(1, "Lima", subject="s0", question="And what else of s0?"),
        fact(1, "Lima", subject="S0", relation="r"),
        fact(1, "Lima", subject="x", subject_aliases=["s0"]),
        fact(1, "Lima", subject="x", question="what of s0"),
    ],
    ids=["subject", "case", "alias", "question"],
)
def test_another_right_answer_of_the_subject_is_never_a_wrong_one(other):
    assert "Lima" not in wrong([plain_table()[0], other, *plain_table()[2:]])


def test_what_another_fact_calls_the_same_thing_is_never_a_wrong_one():
    facts = [
        fact(0, "Yangon", answer_aliases=["Rangoon"]),
        fact(1, "Rangoon"),
        fact(2, "Old capital", answer_aliases=["Yangon"]),
        fact(3, "Yangon Region"),
        *(fact(i + 4, city) for i, city in enumerate(CITIES)),
    ]
    assert wrong(facts) <= set(CITIES)


def test_what_a_table_gives_stays_and_says_how_many_others_get():
    given = [fact(i, city, distractors=["a", "b", "c"]) for i, city in enumerate(CITIES)]
    done = completed([*given, fact(20, "Sofia")], {})
    assert done.facts[:-1] == given
    assert len(done.facts[-1].distractors) == 3  # as many choices as the others have


def test_answers_that_are_signs_or_in_other_scripts_are_told_apart():
    facts = [fact(i, sign) for i, sign in enumerate(["+", "−", "×", "北京", "東京", "القاهرة"])]
    assert wrong(facts) == {"−", "×", "北京", "東京", "القاهرة"}


def capital(**more):
    words = {"subject": "Norway", "relation": "capital", "object": "Oslo", "answer": "Oslo", "fact_id": "n"}
    return Fact(**(words | {"question": "What is the capital of Norway?"} | more))


def test_wordings_come_from_the_templates_of_the_relation():
    (one,) = completed([capital()], relation_templates()).facts
    assert one.paraphrases
    assert one.cloze
    assert one.reverse_question
    assert all("Norway" in text for text in (*one.paraphrases, *one.cloze))
    assert "Oslo" not in " ".join((*one.paraphrases, *one.cloze))
    assert completed([one], relation_templates()).filled == {}


@pytest.mark.parametrize(
    "more",
    [
        {"relation": "unheard of"},
        {"question": "Quelle est la capitale de la Norvège ?", "subject": "la Norvège"},
        {"question": "¿Cuál es la capital de Norway?"},
        {"question": "ノルウェーの首都は?"},
    ],
    ids=str,
)
def test_questions_without_templates_or_in_another_language_stay_as_they_are(more):
    (one,) = completed([capital(**more)], relation_templates()).facts
    assert (one.paraphrases, one.cloze, one.reverse_question) == ((), (), None)


def test_the_question_is_no_paraphrase_of_itself():
    held_out = relation_templates()["birth_city"].questions.held_out[0]
    question = held_out.replace("{subject}", "Arlo Venn")
    one = fact(0, "Torvale", relation="birth_city", subject="Arlo Venn", question=question)
    (done,) = completed([one], relation_templates()).facts
    assert done.paraphrases
    assert question not in done.paraphrases


def test_the_packaged_capitals_without_their_columns_are_all_completed():
    bare = {"paraphrases": (), "cloze": (), "distractors": (), "reverse_question": None}
    given = read_facts(packaged_facts())
    done = completed([one.model_copy(update=bare) for one in given], relation_templates())
    assert {len(one.distractors) for one in done.facts} == {7}
    assert all(one.paraphrases and one.cloze and one.reverse_question for one in done.facts)
    assert not any(
        set(one.distractors) & {other.answer, *other.answer_aliases}
        for one, other in zip(done.facts, given, strict=True)
    )
