"""Probes: each kind asks what it should, and wrong answers are wrong."""

from collections import Counter

import pytest
from pydantic import ValidationError

from unequal.facts.probes import PROBE_KINDS, ProbeMaker, PromptFormat
from unequal.facts.schema import Fact

FACT = Fact(
    fact_id="f1",
    subject="Ada",
    subject_aliases=("Countess Ada",),
    relation="city",
    object="Paris",
    object_aliases=("City of Light",),
    question="Where does Ada live?",
    answer="in Paris",
    answer_aliases=("Paris, France",),
    paraphrases=("What is Ada's home?", "Which city is Ada's?"),
    cloze=("Ada lives in", "The home of Ada is"),
    distractors=("Rome", "Oslo"),
    reverse_question="Who lives in Paris?",
)
PROMPTS = PromptFormat(question="Q: {question}\nA:", true_false="Is this true? {statement} A:")


def other(fact_id, subject, city):
    return Fact(
        fact_id=fact_id,
        subject=subject,
        relation="city",
        object=city,
        question=f"Where is {subject}?",
        answer=city,
    )


TABLE = [FACT, other("f2", "Bob", "Paris"), other("f3", "Cleo", "Rome"), other("f4", "Dan", "Oslo")]


def made(kind, n_variants=9, fact=FACT, table=TABLE):
    return ProbeMaker(table, PROMPTS, n_variants).probes(fact, [kind])


def test_a_question_is_asked_in_the_format_and_accepts_every_alias():
    (probe,) = made("question")
    assert probe.prompt == "Q: Where does Ada live?\nA:"
    assert probe.answer == "in Paris"
    assert set(probe.accepted) == {"in Paris", "Paris, France", "City of Light"}
    assert probe.distractors == ("Rome", "Oslo")


def test_paraphrases_and_cloze_have_one_probe_a_wording():
    assert [(p.variant, p.prompt) for p in made("paraphrase")] == [
        (0, "Q: What is Ada's home?\nA:"),
        (1, "Q: Which city is Ada's?\nA:"),
    ]
    assert [p.prompt for p in made("cloze")] == ["Ada lives in", "The home of Ada is"]
    assert len(made("cloze", n_variants=1)) == 1


def test_a_reverse_question_accepts_every_subject_with_the_object():
    (probe,) = made("reverse")
    assert probe.prompt == "Q: Who lives in Paris?\nA:"
    assert probe.answer == "Ada"
    assert set(probe.accepted) == {"Ada", "Countess Ada", "Bob"}
    assert sorted(probe.distractors) == ["Cleo", "Dan"]


def test_reverse_distractors_never_stand_in_the_relation_to_the_object(world):
    facts = world.facts()
    maker = ProbeMaker(facts, PROMPTS)
    objects = {(fact.subject, fact.relation): fact.object for fact in facts}
    for fact in facts:
        (probe,) = maker.probes(fact, ["reverse"])
        assert len(set(probe.distractors)) == len(fact.distractors)
        assert all(objects[name, fact.relation] != fact.object for name in probe.distractors)
        assert set(probe.accepted) == {
            name
            for (name, relation), city in objects.items()
            if (relation, city) == (fact.relation, fact.object)
        }


def test_true_false_has_one_true_and_one_false_statement_whatever_the_variants():
    for n_variants in (1, 9):
        true, false = made("true_false", n_variants)
        assert (true.variant, true.prompt) == (0, "Is this true? Ada lives in Paris. A:")
        assert (true.answer, true.distractors) == ("True", ("False",))
        assert (false.variant, false.prompt) == (1, "Is this true? Ada lives in Rome. A:")
        assert (false.answer, false.distractors) == ("False", ("True",))


def test_what_a_fact_has_no_columns_for_is_not_asked():
    bare = TABLE[1]
    assert {kind: len(made(kind, fact=bare)) for kind in PROBE_KINDS} == {
        "question": 1,
        "paraphrase": 0,
        "cloze": 0,
        "reverse": 0,
        "true_false": 0,
    }


def test_kinds_come_in_the_order_asked_for_and_are_reproducible(world):
    facts = world.facts()
    maker = ProbeMaker(facts, PromptFormat(), n_variants=2)
    kinds = ("reverse", "question", "true_false", "cloze", "paraphrase")
    probes = maker.probes(facts[0], kinds)
    assert list(Counter(probe.kind for probe in probes).items()) == [
        ("reverse", 1),
        ("question", 1),
        ("true_false", 2),
        ("cloze", 2),
        ("paraphrase", 2),
    ]
    assert probes == ProbeMaker(facts, PromptFormat(), n_variants=2).probes(facts[0], kinds)


@pytest.mark.parametrize("text", ["no placeholder", "{question} {question}"])
def test_a_format_must_hold_its_placeholder_exactly_once(text):
    with pytest.raises(ValidationError, match=r"must hold \{question\} exactly once"):
        PromptFormat(question=text)
    with pytest.raises(ValidationError, match=r"must hold \{statement\} exactly once"):
        PromptFormat(true_false="{question}")


def test_braces_in_a_question_are_left_alone():
    assert PROMPTS.ask("What is {x}?") == "Q: What is {x}?\nA:"


EXAMPLES = [
    {"question": "Where does Zoe live?", "answer": "Oslo"},
    {"question": "Where does Max live?", "answer": "Paris"},
    {"question": "Is Ada at home?", "answer": "Yes"},
    {"question": "Where is in Paris?", "answer": "France"},
]


def test_solved_examples_stand_before_a_question_without_those_that_tell_its_answer():
    prompts = PromptFormat(question="Q: {question}\nA:", examples=EXAMPLES)
    assert prompts.prompt(FACT.question, FACT) == (
        "Q: Where does Zoe live?\nA: Oslo\nQ: Where does Ada live?\nA:"
    )
    assert prompts.prompt("Who?").count("Q: ") == len(EXAMPLES) + 1
    (reverse,) = ProbeMaker(TABLE, prompts).probes(FACT, ["reverse"])
    assert reverse.prompt == "Q: Where does Zoe live?\nA: Oslo\nQ: Who lives in Paris?\nA:"


def test_solved_examples_are_earlier_turns_of_a_chat():
    prompts = PromptFormat(chat=True, examples=EXAMPLES)
    (probe,) = ProbeMaker(TABLE, prompts).probes(FACT, ["question"])
    assert probe.prompt == FACT.question
    assert probe.chat.earlier == (("Where does Zoe live?", "Oslo"),)


@pytest.mark.parametrize("chat", [False, True])
def test_answers_after_a_statement_are_scored_there_and_generated_after_the_question(chat):
    prompts = PromptFormat(question="{question} A:", chat=chat, answer_after="statement")
    maker = ProbeMaker(TABLE, prompts, n_variants=1)
    question, cloze = maker.probes(FACT, ["question", "cloze"])
    assert question.prompt == "Where does Ada live? A:"
    prompt, context = question.scored
    assert (context.begun if chat else prompt.removeprefix(f"{question.prompt} ")) == "Ada lives in"
    assert cloze.scored == ("Ada lives in", None)
    (bare,) = maker.probes(TABLE[1], ["question"])
    assert bare.scored == (bare.prompt, bare.chat)


def test_a_statement_to_complete_is_asked_as_plain_text():
    fact = FACT.model_copy(update={"question": "Ada lives in"})
    prompts = PromptFormat(chat=True, answer_after="statement", examples=EXAMPLES)
    (probe,) = ProbeMaker([fact], prompts).probes(fact, ["question"])
    assert (probe.prompt, probe.chat, probe.statement) == ("Ada lives in", None, "")
