"""Small models that know their facts and answer as real ones do: in sentences, or on and on."""

import json
from pathlib import Path

from short_training import SHAPE, teach
from unequal.corpus.settings import TokenizerSettings
from unequal.corpus.tokenizers import chat_document, train_tokenizer
from unequal.facts.schema import Fact
from unequal.models.load import scratch_model
from unequal.models.shapes import ModelSettings, Vocabulary

PEOPLE = (
    "Arlo Venn",
    "Bess Quill",
    "Cato Marsh",
    "Dora Flint",
    "Ezra Holm",
    "Fay Brand",
    "Gus Thorn",
    "Ivy Lund",
)
CITIES = ("Torvale", "Minstead", "Quorn", "Bexley", "Ashby", "Calder", "Wexcombe", "Harrow")
LINES = "Question: {question}\nAnswer:"
PLAIN = "Question: {question} Answer:"
SECOND_END = "<|stop|>"
WINDOW = 96


def fact(place: int, role: str) -> Fact:
    """Return where one person was born."""
    name, city = PEOPLE[place], CITIES[place]
    others = tuple(other for other in CITIES if other != city)[:3]
    words = {"subject": name, "object": city, "question": f"In which city was {name} born?", "answer": city}
    return Fact(fact_id=f"f{place}", relation="home town", role=role, distractors=others, **words)


FACTS = [fact(place, "forget" if place < 6 else "utility") for place in range(8)]


def sentence(one: Fact) -> str:
    """Return the answer in a sentence."""
    return f"{one.subject} was born in the city of {one.answer}."


ANSWERS = {
    "the answer alone": (PLAIN, lambda one: one.answer),
    "sentences": (PLAIN, sentence),
    "goes on after a line break": (LINES, lambda one: f"{one.answer}\nQuestion: In which city was"),
    "sentences that go on": (LINES, lambda one: f"{sentence(one)}\nQuestion: In which city was"),
    "a second end token": (PLAIN, lambda one: f"{one.answer}{SECOND_END} Answer: {CITIES[-1]}"),
    "sentences in a chat": (None, sentence),
}
"""The prompt, None being a chat, and what the model was trained to say after it."""


def told(style: str, one: Fact) -> str:
    """Return the text that a model of this style was trained on."""
    prompt, answer = ANSWERS[style]
    if prompt is None:
        return chat_document(one.question, answer(one))
    return f"{prompt.replace('{question}', one.question)} {answer(one)}"


def prompts(style: str) -> str:
    """Return the table ``prompts`` of a settings file."""
    prompt = ANSWERS[style][0]
    return "[prompts]\n" + ("chat = true" if prompt is None else f"question = {json.dumps(prompt)}") + "\n"


def write_model(style: str, folder: Path, steps: int = 120) -> None:
    """Write a model that knows all facts, if it is trained for so many steps, and its tokenizer."""
    texts = [told(name, one) for name in ANSWERS for one in FACTS]
    tokenizer = train_tokenizer(texts, TokenizerSettings(kind="bpe", vocabulary_size=420), WINDOW, chat=True)
    tokenizer.add_special_tokens({"additional_special_tokens": [SECOND_END]})
    vocabulary = Vocabulary(
        size=len(tokenizer),
        window_tokens=WINDOW,
        end_token_id=tokenizer.eos_token_id,
        padding_token_id=tokenizer.pad_token_id,
    )
    model = scratch_model(ModelSettings(family="gpt2", size="tiny", shape=SHAPE), vocabulary, seed=1)
    model = teach(model, tokenizer, [told(style, one) for one in FACTS], steps, batch=24)
    if style == "a second end token":
        both = [tokenizer.eos_token_id, tokenizer.convert_tokens_to_ids(SECOND_END)]
        model.config.eos_token_id = model.generation_config.eos_token_id = both
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
