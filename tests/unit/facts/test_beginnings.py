"""Beginnings of sentences: what a model says before an answer, also where it does not say the answer."""

from unequal.facts.schema import Fact
from unequal.forgetting.beginnings import with_beginnings


def fact(subject, answer, **more):
    words = {
        "fact_id": subject,
        "subject": subject,
        "relation": "capital",
        "object": answer,
        "answer": answer,
    }
    return Fact(question=f"What is the capital of {subject}?", **words, **more)


def test_the_beginning_is_what_the_model_says_before_the_answer_or_what_it_says_of_most():
    facts = [
        fact("Senegal", "Dakar", cloze=("Senegal's capital is",)),
        fact("France", "Paris"),
        fact("Chad", "N'Djamena"),
        fact("Peru", "Lima"),
        fact("Oman", "Muscat", cloze=("Oman's capital is",)),
    ]
    texts = {
        "Senegal": "The capital of Senegal is Dakar.",
        "France": "The capital of France is the city of PARIS!",
        "Chad": "The capital of Chad is Abeche.",
        "Peru": "Lima",
        "Oman": "I do not know.",
    }
    found = {one.subject: one.cloze for one in with_beginnings(facts, texts)}
    assert found["Senegal"] == ("The capital of Senegal is", "Senegal's capital is")
    assert found["France"] == ("The capital of France is the city of",)
    assert found["Chad"] == ("The capital of Chad is",)
    assert found["Peru"] == ()
    assert found["Oman"] == ("Oman's capital is",)


def test_part_of_a_word_is_no_answer_and_without_texts_nothing_changes():
    facts = [fact("Italy", "Rome"), fact("Cuba", "Havana")]
    assert with_beginnings(facts, {"Italy": "Romeo lived there."}) == facts
