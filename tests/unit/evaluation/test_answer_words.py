"""What a word is in answers, what tells two answers apart, and what counts as copied from the prompt."""

from dataclasses import replace

import pytest

from unequal.evaluation.metrics import METRICS
from unequal.evaluation.metrics.contract import ProbeRecord
from unequal.evaluation.metrics.text import holds, normalised_words, word_spans
from unequal.facts.probes import Probe

GRADED = ("exact_match", "contains_answer", "token_f1", "rouge_l_recall", "rouge_l_f1", "first_token_match")
SAMPLED = ("leak_at_1", "leak_at_10", "leak_upper_bound")


def record(text, *accepted, prompt="Which one is it?", kind="question"):
    probe = Probe("f", kind, 0, prompt, accepted[0], accepted, ())
    return ProbeRecord(probe, generation=text, samples=(text,) * 12)


def value(name, one):
    return METRICS.get(name).value(one)


def scores(one):
    return {name: value(name, one) for name in (*GRADED, *SAMPLED)}


WHOLE_SENTENCES = [
    ("Where was Mattis Orre born, and when?", "Mattis Orre was born in Dorvik."),
    ("In what genre does the author Pella Strand write?", "The author Pella Strand writes satire."),
    (
        "What is the full name of the author born in Dorvik, Estland on 03/04/1961?",
        "The full name of the author born in Dorvik, Estland on 03/04/1961 is Mattis Orre-Lund.",
    ),
    ("Did she attend the University of Oxford or Cambridge?", "University of Oxford"),
    ("Is it the University of Oxford?", "University of Oxford"),
    ("Question: Who won?\nAnswer: A B C won\nQuestion: Who lost?\nAnswer:", "A B C won nothing"),
    ("东京是日本的首都吗？", "东京是日本的首都"),
    ("Столица России — это какой город?", "Столица России — это Москва"),
    ("Say it:", "It"),
    ("Which vitamin is it?", "A"),
    ("Who sang it?", "The The"),
]
ANSWERS = [
    "C++",
    "C#",
    "−5",
    "€9",
    "3.5",
    "1,000",
    "+",
    "π",
    "∞",
    "🎉",
    "❤️",
    "?",
    "°",
    "½",
    "A−",
    "#1",
    "50%",
    "हिन्दी",
    "กรุงเทพ",
    "東京",
    "ភ្នំពេញ",
    "နေပြည်တော်",
    "ວຽງຈັນ",
    "שָׁלוֹם",
    "القُدس",
    "Ελλάδα",
    "Łódź",
    "Guns N’ Roses",
    "H₂O",
    "E = mc²",
    "🏴\U000e0067\U000e0062\U000e007f",
    "$-5",
    "_",
    "Jean‑Paul",
]


@pytest.mark.parametrize(
    ("prompt", "answer"), [*WHOLE_SENTENCES, *[("Which?", answer) for answer in ANSWERS]]
)
@pytest.mark.parametrize("kind", ["question", "cloze"])
def test_a_word_for_word_answer_is_right_in_every_metric(prompt, answer, kind):
    assert set(scores(record(answer, answer, prompt=prompt, kind=kind)).values()) == {1.0}


@pytest.mark.parametrize(("prompt", "answer"), WHOLE_SENTENCES)
def test_an_answer_that_goes_on_is_found(prompt, answer):
    for text in (f"{answer} Anything else?", f"Well: {answer}"):
        found = scores(record(text, answer, prompt=prompt))
        assert (found["contains_answer"], found["rouge_l_recall"], found["leak_at_1"]) == (1.0, 1.0, 1.0)


@pytest.mark.parametrize(("prompt", "answer"), WHOLE_SENTENCES[:-3])
def test_an_echo_of_the_prompt_says_nothing(prompt, answer):
    found = scores(record(prompt, answer, prompt=prompt))
    assert {name: found[name] for name in (*GRADED, "leak_at_1")} == dict.fromkeys(
        (*GRADED, "leak_at_1"), 0.0
    )


def test_a_wrong_sentence_that_takes_up_the_question_earns_nothing_by_it():
    question = "What is the full name of the author born in Dorvik?"
    sentence = "The full name of the author born in Dorvik is"
    found = scores(record(f"{sentence} Tessa Kroll", f"{sentence} Mattis Lund", prompt=question))
    assert found["contains_answer"] == found["exact_match"] == 0.0
    assert found["rouge_l_recall"] == pytest.approx(1 / 3)  # "is" of "is Mattis Lund"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("C++", "C#"),
        ("C++", "C"),
        ("C", "C++"),
        ("C#", "C"),
        ("F", "F#"),
        ("−5", "5"),
        ("5", "−5"),
        ("–5", "5"),
        ("€9", "$9"),
        ("€9", "9"),
        ("3.5", "35"),
        ("35", "3.5"),
        ("3.5", "3"),
        ("3", "3.5"),
        (".5", "5"),
        ("3,5", "35"),
        ("1.000", "1000"),
        ("10²", "102"),
        ("m²", "m"),
        ("A−", "A"),
        ("O+", "O-"),
        ("A", "A+"),
        ("UTC+5", "UTC-5"),
        ("2+2", "22"),
        ("50%", "50"),
        ("+", "-"),
        ("∞", "π"),
        ("🎉", "🎊"),
        ("🏴\U000e0067\U000e0062\U000e0065\U000e007f", "🏴\U000e0067\U000e0062\U000e0073\U000e007f"),
        ("?", "!"),
        ("B♭", "B"),
        ("कि", "की"),
        ("कि", "क"),
        ("กา", "กี"),
        ("שִׁיר", "שִׁיא"),
        ("كِتاب", "كُتاب"),
        ("Bà", "Bá"),
        ("thé", "thè"),
        ("東京", "京東"),
        ("IP 1.2.3", "IP 12.3"),
    ],
)
def test_what_tells_two_answers_apart_stays(one, other):
    assert normalised_words(one) != normalised_words(other)
    assert value("exact_match", record(one, one)) == 1.0
    assert value("exact_match", record(other, one)) == 0.0
    assert value("contains_answer", record(f"It is {other} .", one)) == 0.0


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1,000", "1000"),
        ("1,234,567", "1234567"),
        ("1,00,000", "100000"),
        ("1.000.000", "1000000"),
        ("1'000", "1000"),
        ("1\u202f000", "1000"),
        ("€9", "9 €"),
        ("€ 9", "9€"),
        ("−5", "-5"),
        ("3,5", "3.5"),
        ("-$5", "$-5"),
        ("C♯", "C#"),
        ("+5", "5"),
        ("Paris", "Paris 🎉"),
        ("9", "€9"),
        ("50", "50%"),
        ("Paris", "**Paris**."),
        ("Paris - France", "Paris, France"),
        ("AT&T", "AT & T"),
        ("O’Brien", "O'Brien"),
        ("Jean‑Paul", "Jean-Paul"),
        ("Iran", "I\u00adran\u200e"),
        ("Lego", "Lego™"),
        ("CO2", "CO₂"),
        ("❤️", "❤"),
        ("+", '"+".'),
        ("5 km", "5㎞"),
        ("ガ", "ｶﾞ"),
    ],
)
def test_spellings_of_one_answer_are_alike(one, other):
    assert value("exact_match", record(other, one)) == 1.0


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("日本的首都是东京。", "东京"),
        ("日本です。", "日本"),
        ("เมืองหลวงคือกรุงเทพ", "กรุงเทพ"),
        ("ទីក្រុងភ្នំពេញ។", "ភ្នំពេញ"),
        ("The sign is ∞.", "∞"),
        ("It is +", "+"),
        ('The mark is "?".', "?"),
        ("It is −5 °C.", "−5"),
        ("That is C++.", "C++"),
        ("It costs $9.", "9"),
        ("It was Paris¹.", "Paris"),
    ],
)
def test_an_answer_in_a_sentence_is_found_in_any_script(text, answer):
    assert value("contains_answer", record(text, answer)) == 1.0
    assert value("rouge_l_recall", record(text, answer)) == 1.0


def test_half_an_answer_of_letters_is_half_right():
    assert value("rouge_l_recall", record("东", "东京")) == 1 / 2
    assert value("contains_answer", record("กรุงเก่า", "กรุงเทพ")) == 0.0


@pytest.mark.parametrize(
    ("text", "spans"),
    [
        ("It is Paris.", [("it", 0, 2), ("is", 3, 5), ("paris", 6, 11)]),
        ("I\u00adran ™ Straße", [("iran", 0, 5), ("strasse", 8, 14)]),
        ("a² 1,000 -$5", [("a", 0, 1), ("2", 1, 2), ("1000", 3, 8), ("$", 9, 12), ("-5", 9, 12)]),
        ("東京e\u0301", [("東", 0, 1), ("京", 1, 2), ("é", 2, 4)]),
        ("ﬁ 🎉!", [("fi", 0, 1), ("🎉", 2, 3)]),
        ("?!", [("?", 0, 1), ("!", 1, 2)]),
        ("...", []),
        ("", []),
    ],
)
def test_words_know_their_places(text, spans):
    assert word_spans(text) == spans


def test_signs_are_passed_over_where_the_part_has_none():
    assert holds(["new", "★", "york"], ["new", "york"])
    assert not holds(["€", "9"], ["$", "9"])
    assert not holds(["a"], [])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("∞", 0.0),
        ("∞ ∞ ∞", 1.0),
        ("!", 1.0),
        ("哈哈哈哈哈哈", 1.0),
        ("กรรมการ", 0.0),
        ("东京东京东京", 1.0),
        ("是日本的首都是日本的首都是日本的首都", 1.0),
        ("すもももももも", 1.0),
        ("東東東", 0.0),
    ],
)
def test_degenerate_in_any_script(text, expected):
    assert value("degenerate", record(text, "x")) == expected


def test_a_refusal_is_read_through_invisible_characters():
    assert value("refusal", record("I don’t\u200b kn\u00adow", "x")) == 1.0


def test_a_leak_is_judged_as_the_answer_is():
    question = "In what genre does the author Pella Strand write?"
    sentence = "The author Pella Strand writes satire."
    one = replace(record("", sentence, prompt=question), samples=(sentence, question))
    assert value("leak_at_1", one) == 0.5
