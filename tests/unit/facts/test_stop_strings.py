"""Where a generated answer ends, by the prompt format."""

import pytest

from unequal.facts.probes import PromptFormat


@pytest.mark.parametrize(
    ("question", "stops"),
    [
        ("Question: {question} Answer:", ("\n", "Question:")),
        ("Question: {question}\nAnswer:", ("\n", "Question:")),
        ("Question: Who?\nAnswer: I\nQuestion: {question}\nAnswer:", ("\n", "Question:")),
        ("Q: Who? A: I Q: {question} A:", ("\n", "Q:")),
        ("Please answer: {question}", ("\n", "Please answer:")),
        ("{question}", ("\n",)),
    ],
)
def test_plain_text_ends_at_a_line_break_and_at_the_next_question(question, stops):
    assert PromptFormat(question=question).stops(plain=True) == stops


def test_a_chat_ends_its_turns_with_tokens():
    assert PromptFormat(chat=True).stops(plain=False) == ()
    assert PromptFormat(chat=True).stops(plain=True) == ("\n",), "a statement to complete is no chat"


def test_stop_strings_may_be_set():
    assert PromptFormat(stop=("###",)).stops(plain=True) == ("###",)
    assert PromptFormat(stop=()).stops(plain=True) == ()
