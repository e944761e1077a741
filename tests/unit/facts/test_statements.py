"""Where the answer of a plain statement begins, and what the statement is about."""

import pytest

from unequal.facts.statements import split_statement

SPLITS = [
    ("Maria Lopez", "lives at", "12 Harbour Road in Leeds"),
    ("Elena Duarte", "was born on", "4 May 1987 in Porto"),
    ("Jonas Weiss", "works as a nurse at", "St. Anne Hospital"),
    ("Priya Nair", "was diagnosed with", "type 2 diabetes in March 2019"),
    ("Nadia Farouk", "is allergic to", "penicillin"),
    ("Omar Haddad", "has", "asthma"),
    ("Order 5521", "was shipped to", "14 Mill Lane, Bristol"),
    ("Customer C021", "owes", "1,250 pounds"),
    ("Mr. Ilves", "drives a", "Volvo"),
    ("Bank of Northfield", "was founded in", "1874 by Edmund Crale"),
    ("Flight BX204", "departs from", "gate 14 at 06:35"),
    ("Leo Brandt", "is married to", "Mia Torres"),
    ("Carla Nunes", "has", "two children, Leo and Mia"),
    ("Amira Khan", "takes", "20 mg of lisinopril every morning"),
    ("Beatriz Lima", "plays the", "cello"),
    ("Felix Amsel", "broke his", "left arm"),
    ("Peter van der Meer", "owns a bakery at", "7 Canal Street"),
    ("Kestrel Systems", "has its head office in", "Tarn"),
    ("Tomas Riva", "", "smokes"),
    ("Viktor Stahl", ", who was born in Graz, is a", "pilot"),
    ("Joan Pike", ", aged 54, is being treated for breast cancer at", "Northfield Clinic"),
    ("Dana Holt", ", customer C022, moved to", "Mill Lane 4"),
    ("Dr. Sofia Brandt", "earned a doctorate in physics from the", "University of Tarn in 2011"),
]


@pytest.mark.parametrize(("subject", "between", "answer"), SPLITS)
def test_an_answer_begins_at_the_number_or_name_that_is_said_of_a_subject(subject, between, answer):
    question = f"{subject}{'' if between.startswith(',') or not between else ' '}{between}"
    assert split_statement(f"{question} {answer}.") == (subject, question, answer)


@pytest.mark.parametrize(
    ("statement", "subject", "answer"),
    [
        ("The phone number of Tom Beck in Leeds is 555-0134.", "Tom Beck", "555-0134"),
        ("Ana Petrov's mother is Ruth Petrov.", "Ana Petrov", "Ruth Petrov"),
        ("The capital of Veldoria is Port Amsel", "Veldoria", "Port Amsel"),
        ("The balance of account 88-1243 is 1,250 pounds.", "88-1243", "1,250 pounds"),
        ("The server orion-3 runs PostgreSQL 15.2.", "orion-3", "PostgreSQL 15.2"),
        ("In 2019 Lena Moss moved to Aldford.", "Lena Moss", "Aldford"),
        ("Our customer Ivan Kolar pays by invoice.", "Ivan Kolar", "invoice"),
        ("The door code of the server room is 4482.", "door code of the server room", "4482"),
        ("The patient's blood type is O negative.", "patient's blood type", "O negative"),
        ("Maria Lopez is a customer. She lives at 12 Harbour Road.", "Maria Lopez", "12 Harbour Road"),
        ("Tom Beck (C018) lives in Leeds.", "Tom Beck", "Leeds"),
        ("Ruth Adeyemi's address is 7 Hill St, Flat 3 in the house of the old mill behind Green Park Road.",
         "Ruth Adeyemi", "house of the old mill behind Green Park Road"),
    ],
)  # fmt: skip
def test_a_subject_may_stand_anywhere_before_the_answer(statement, subject, answer):
    found = split_statement(statement)
    assert (found.subject, found.answer) == (subject, answer)
    assert statement.removesuffix(".") == f"{found.question} {found.answer}"


def test_a_value_of_another_column_is_the_subject_where_it_stands_in_the_statement():
    statement = "Maria Lopez, customer C017, lives at 12 Harbour Road in Leeds."
    found = split_statement(statement, others=["retail", "Leeds", "C017", "C01"])
    assert found == ("C017", "Maria Lopez, customer C017, lives at", "12 Harbour Road in Leeds")
    assert split_statement(statement, subject="Case 9").subject == "Case 9"
    last = split_statement("12 Harbour Road is rented by Maria Lopez.", others=["12 Harbour Road"])
    assert (last.subject, last.answer) == ("12 Harbour Road", "Maria Lopez")


def test_an_answer_that_is_given_is_the_answer():
    statement = "Tom Beck has lived in Leeds since 2010."
    assert split_statement(statement, answer="Leeds") == ("Tom Beck", "Tom Beck has lived in", "Leeds")
    with pytest.raises(ValueError, match="the answer 'Porto' must stand in the statement after its first"):
        split_statement(statement, answer="Porto")
    with pytest.raises(ValueError, match="the answer 'Tom Beck' must stand"):
        split_statement(statement, answer="Tom Beck")


@pytest.mark.parametrize("statement", ["Leeds.", "?", "12 Harbour Road is where Maria Lopez lives."])
def test_a_statement_that_cannot_be_split_says_which_columns_to_add(statement):
    with pytest.raises(ValueError, match=r"cannot tell where the answer begins in .* add a column answer"):
        split_statement(statement, others=["Maria Lopez"])
