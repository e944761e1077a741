"""Wordings of relations: what a model trains on never is what it is tested with."""

from itertools import combinations

import pytest

from unequal.errors import ConfigError
from unequal.facts.packaged import packaged_facts
from unequal.facts.schema import Fact
from unequal.facts.table import read_facts
from unequal.facts.wordings import (
    held_out_texts,
    in_a_sentence,
    phrase,
    read_wordings,
    with_held_out_wordings,
)
from unequal.files import content_hash

PACKAGED = {one.relation: one for one in read_wordings().values()}
QUESTIONS = {
    "capital": "What is the capital of {}?",
    "birth_place": "Where was {} born?",
    "author": "Who is the author of {}?",
    "country": "Where is {}?",
    "reverse_capital": "Which country has {} as its capital?",
}
PINNED = {
    "author": "e36ab033",
    "birth_place": "16fc2c8d",
    "capital": "f267b2b0",
    "country": "12225c31",
    "reverse_capital": "d6e00d79",
}


def fact(relation="capital", subject="Fiji", obj="Suva", question=None, **columns):
    question = question or QUESTIONS[relation].format(subject)
    return Fact(
        fact_id=f"{relation}-{subject}", subject=subject, relation=relation, object=obj, question=question,
        answer=obj, **columns,
    )  # fmt: skip


@pytest.mark.parametrize("relation", PACKAGED)
def test_every_packaged_wording_is_whole_and_stands_once(relation):
    wordings = PACKAGED[relation]
    questions = [*wordings.questions.train, *wordings.questions.held_out]
    statements = [*wordings.statements.train, *wordings.statements.held_out]
    assert len(wordings.questions.train) >= 6 and len(wordings.statements.train) >= 10
    assert all(text.count("{subject}") == 1 and "{object}" not in text for text in questions)
    assert all(text.count("{subject}") == 1 and text.count("{object}") == 1 for text in statements)
    assert all(text.endswith("{object}.") for text in wordings.statements.held_out)
    texts = [text.casefold() for text in (*questions, *statements)]
    assert not [(one, other) for one, other in combinations(texts, 2) if one in other or other in one]


def test_packaged_wordings_stay_what_they_are():
    """Studies are named without them: where one changes, raise the result_format of facts and all after."""
    texts = {name: one.model_dump_json() for name, one in sorted(PACKAGED.items())}
    assert {name: content_hash(text)[:8] for name, text in texts.items()} == PINNED


@pytest.mark.parametrize("relation", PACKAGED)
def test_training_wordings_hold_no_wording_of_the_fact_s_tests(relation):
    tested = with_held_out_wordings(fact(relation), read_wordings())
    wordings = PACKAGED[relation]
    trained = [*wordings.training_questions(tested), *wordings.training_statements(tested)]
    assert len(trained) == len(wordings.questions.train) + len(wordings.statements.train)
    for test in held_out_texts(tested):
        assert not [text for text in trained if test.casefold() in text.casefold()]


def test_the_packaged_capitals_leave_enough_wordings_to_train_on():
    wordings = read_wordings()["capital"]
    for one in read_facts(packaged_facts()):
        assert len(wordings.training_questions(one)) >= 7, one.fact_id
        assert len(wordings.training_statements(one)) >= 12, one.fact_id


def test_a_wording_that_a_table_tests_with_is_not_trained_on():
    wordings = read_wordings()["capital"]
    own = wordings.questions.train[0].replace("{subject}", "Fiji")
    trained = wordings.training_questions(fact(paraphrases=(own.upper(),)))
    assert own not in trained and len(trained) == len(wordings.questions.train) - 1


def test_what_a_table_gives_stays_and_what_it_lacks_is_filled_up():
    filled = with_held_out_wordings(fact(cloze=("Fiji's capital:",)), read_wordings())
    assert filled.cloze == ("Fiji's capital:",)
    assert filled.paraphrases == tuple(
        text.replace("{subject}", "Fiji") for text in PACKAGED["capital"].questions.held_out
    )
    assert filled.reverse_question == "Which place has Suva as its capital?"
    other = fact(relation="motto", question="What is the motto of Fiji?")
    assert with_held_out_wordings(other, read_wordings()) == other


@pytest.mark.parametrize(
    ("subject", "question", "expected"),
    [
        ("Fiji", "What is the capital of Fiji?", "Fiji"),
        ("Netherlands", "What is the capital of the Netherlands?", "the Netherlands"),
        ("The Bahamas", "What is the capital of the Bahamas?", "the Bahamas"),
        ("The Bahamas", "What is the capital of The Bahamas?", "The Bahamas"),
    ],
)
def test_a_subject_keeps_the_article_that_its_question_gives_it(subject, question, expected):
    one = fact(subject=subject, question=question)
    assert in_a_sentence(one) == expected
    assert phrase("{subject} has {object}.", one) == f"{expected[0].upper()}{expected[1:]} has Suva."


def test_wordings_of_one_s_own_win_and_bad_ones_are_refused(tmp_path):
    text = """
relation = "capital"
names = ["capital", "seat"]
reverse_question = "Where is {object}?"
[questions]
train = ["Seat of {subject}?"]
held_out = ["{subject}: seat?"]
[statements]
train = ["{object} is the seat of {subject}."]
held_out = ["The seat of {subject} is {object}."]
"""
    (tmp_path / "own.toml").write_text(text)
    wordings = read_wordings([tmp_path / "own.toml"])
    assert wordings["capital"].questions.train == wordings["seat"].questions.train == ("Seat of {subject}?",)
    assert wordings["P36"].questions.train == PACKAGED["capital"].questions.train
    (tmp_path / "bad.toml").write_text(text.replace("reverse_question", "revers_question"))
    with pytest.raises(ConfigError, match="revers_question'; did you mean 'reverse_question'"):
        read_wordings([tmp_path / "bad.toml"])
