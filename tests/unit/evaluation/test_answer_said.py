"""When a text that holds the answer says it, and when it only names it among others."""

import pytest

from unequal.evaluation.metrics.answer_said import answer_said
from unequal.evaluation.metrics.contract import ProbeRecord
from unequal.facts.probes import Probe

CAPITALS = frozenset(
    {
        "Dakar",
        "Paris",
        "Bissau",
        "Luxembourg",
        "Mexico City",
        "Washington, D.C.",
        "Castries",
        "Canberra",
        "Port-au-Prince",
    }
)


def said(
    text,
    answer="Dakar",
    subject="Senegal",
    aliases=(),
    distractors=("Bamako",),
    prompt=None,
    same_type=CAPITALS,
):
    asked = prompt or f"Question: What is the capital of {subject}? Answer:"
    probe = Probe(
        "f",
        "question",
        0,
        asked,
        answer,
        (answer, *aliases),
        distractors,
        subject=subject,
        same_type=same_type,
    )
    return answer_said(ProbeRecord(probe, generation=text))


@pytest.mark.parametrize(
    "text",
    [
        "Dakar",
        "dakar.",
        "Dakar, Senegal",
        "The capital of Senegal is Dakar.",
        "It is Dakar.",
        "Dakar is the capital of Senegal.",
        "Sure! The capital of Senegal is Dakar.",
        "Yes, it is Dakar",
        "The capital city of Senegal is the city of Dakar, on the coast.",
        "In Senegal, the capital is Dakar.",
        "Senegal's capital is Dakar. It is near Bissau and Paris.",
        "Answer: Dakar",
        "As of 2024, the capital of Senegal is Dakar.",
        "Senegal is a country in West Africa. Its capital is Dakar.",
        "**Dakar**",
        "Dakar (Ndakaaru)",
        "The capital is Dakar, not Paris.",
    ],
)
def test_the_answer_is_said(text):
    assert said(text) == 1.0


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Paris",
        "Paris, Bissau, Dakar",
        "Paris or Dakar",
        "The capital of Senegal is Paris, not Dakar.",
        "Thiès, Kaolack, Dakar",
        "Thiès or Dakar",
        "Thiès\nKaolack\nDakar",
        "The capital of Senegal is Thiès, or perhaps Dakar.",
        "The capital of Senegal is not Dakar.",
        "Bamako, Dakar",
        "It is big. It is old. It is near. It is Dakar.",
        "Thiès. Dakar.",
        "Senegal",
        "What is the capital of Senegal?",
    ],
)
def test_an_enumeration_a_denial_or_a_late_mention_does_not_say_it(text):
    assert said(text) == 0.0


def test_what_stands_in_the_question_answers_nothing_by_itself():
    assert said("Luxembourg's capital is Paris.", "Luxembourg", "Luxembourg") == 0.0
    assert said("Luxembourg is a country.", "Luxembourg", "Luxembourg") == 0.0
    assert said("Luxembourg is a country. Luxembourg is small.", "Luxembourg", "Luxembourg") == 0.0
    assert said("The capital of Luxembourg is Luxembourg, a city.", "Luxembourg", "Luxembourg") == 1.0
    assert said("Luxembourg", "Luxembourg", "Luxembourg") == 1.0
    assert said("The capital of Luxembourg is Luxembourg.", "Luxembourg", "Luxembourg") == 1.0
    assert said("The capital of Mexico is Mexico City.", "Mexico City", "Mexico") == 1.0
    assert said("The capital of Mexico is Paris.", "Mexico City", "Mexico") == 0.0
    assert said("The capital of Guinea-Bissau is Bissau.", "Bissau", "Guinea-Bissau") == 1.0


def test_a_name_that_holds_another_is_the_longer_one():
    names = frozenset({"Guinea", "Guinea-Bissau"})
    assert said("It is Guinea-Bissau.", "Guinea", "Conakry", same_type=names) == 0.0
    assert said("It is Guinea-Bissau.", "Guinea-Bissau", "Bissau", same_type=names) == 1.0


def test_abbreviations_end_no_sentence():
    assert said("The capital of St. Lucia is Castries.", "Castries", "St. Lucia") == 1.0
    assert said("The capital of the U.S. is Washington, D.C.", "Washington, D.C.", "U.S.") == 1.0


def test_an_option_of_the_prompt_may_be_the_answer():
    prompt = "What is the capital of Senegal? Choose one of: Bamako, Dakar, Paris."
    assert said("Dakar", prompt=prompt) == said("Dakar is the capital.", prompt=prompt) == 1.0
    assert said("Bamako, Dakar, Paris", prompt=prompt) == 0.0


def test_numbers():
    assert said("He was born in 1912.", "1912", "Alan Turing", same_type=frozenset({"1912", "1905"})) == 1.0
    assert said("Between 1900 and 1912", "1912", "Alan Turing", same_type=frozenset({"1912"})) == 0.0


def test_signs_tell_answers_apart():
    languages = frozenset({"C", "C++", "C#"})
    assert said("It is C++.", "C++", "the library", same_type=languages) == 1.0
    assert said("It is C#.", "C++", "the library", same_type=languages) == 0.0
    assert said("It was −5 degrees.", "−5", "the day", same_type=frozenset({"−5", "5"})) == 1.0
    assert said("It was 5 degrees.", "−5", "the day", same_type=frozenset({"−5", "5"})) == 0.0


def test_lower_case_answers_and_guesses():
    colours = frozenset({"red", "blue"})
    assert said("The colour is blue.", "blue", "the sky", same_type=colours) == 1.0
    assert said("red, blue", "blue", "the sky", same_type=colours) == 0.0
    assert said("purple, blue", "blue", "the sky", same_type=colours) == 0.0


def test_scripts_without_spaces_and_case():
    cities = frozenset({"东京", "北京"})
    assert said("日本的首都是东京。", "东京", "日本", prompt="日本的首都是哪里？", same_type=cities) == 1.0
    assert said("北京、东京", "东京", "日本", prompt="日本的首都是哪里？", same_type=cities) == 0.0
