"""An audit of a model against itself finds what it knows still there, however the model answers."""

import json

import polars as pl
import pytest

from command_line import call
from short_training import SHAPE, teach
from unequal.audit.page import render_audit
from unequal.corpus.settings import TokenizerSettings
from unequal.corpus.tokenizers import chat_document, train_tokenizer
from unequal.facts.schema import Fact
from unequal.facts.table import facts_frame
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


def fact(place, role):
    name, city = PEOPLE[place], CITIES[place]
    words = {"subject": name, "object": city, "question": f"In which city was {name} born?", "answer": city}
    return Fact(fact_id=f"f{place}", relation="home town", role=role, **words)


FACTS = [fact(place, "forget" if place < 6 else "utility") for place in range(8)]


def sentence(one):
    return f"{one.subject} was born in the city of {one.answer}."


ANSWERS = {
    "the answer alone": (PLAIN, lambda one: one.answer),
    "sentences": (PLAIN, sentence),
    "goes on after a line break": (LINES, lambda one: f"{one.answer}\nQuestion: In which city was"),
    "sentences that go on": (LINES, lambda one: f"{sentence(one)}\nQuestion: In which city was"),
    "a second end token": (PLAIN, lambda one: f"{one.answer}{SECOND_END} Answer: {CITIES[-1]}"),
    "sentences in a chat": (None, sentence),
}


def told(name, one):
    prompt, answer = ANSWERS[name]
    if prompt is None:
        return chat_document(one.question, answer(one))
    return f"{prompt.replace('{question}', one.question)} {answer(one)}"


@pytest.fixture(scope="module")
def tokenizer():
    texts = [told(name, one) for name in ANSWERS for one in FACTS]
    settings = TokenizerSettings(kind="bpe", vocabulary_size=420)
    made = train_tokenizer(texts, settings, 96, chat=True)
    made.add_special_tokens({"additional_special_tokens": [SECOND_END]})
    return made


@pytest.fixture(scope="module", params=ANSWERS)
def audited(request, tokenizer, tmp_path_factory):
    """The folder of an audit of a model against itself, and the answer of the command line."""
    folder = tmp_path_factory.mktemp("itself")
    vocabulary = Vocabulary(
        size=len(tokenizer),
        window_tokens=96,
        end_token_id=tokenizer.eos_token_id,
        padding_token_id=tokenizer.pad_token_id,
    )
    model = scratch_model(ModelSettings(family="gpt2", size="tiny", shape=SHAPE), vocabulary, seed=1)
    model = teach(model, tokenizer, [told(request.param, one) for one in FACTS], 120, batch=24)
    if request.param == "a second end token":
        both = [tokenizer.eos_token_id, tokenizer.convert_tokens_to_ids(SECOND_END)]
        model.config.eos_token_id = model.generation_config.eos_token_id = both
    model.save_pretrained(folder / "model")
    tokenizer.save_pretrained(folder / "model")
    facts_frame(FACTS).write_parquet(folder / "facts.parquet")
    prompt = ANSWERS[request.param][0]
    prompts = "chat = true" if prompt is None else f"question = {json.dumps(prompt)}"
    attacks = 'attacks = ["int8", "choice", {kind = "relearn", steps = 2}, {kind = "sample", n = 4, k = 2}]'
    (folder / "audit.toml").write_text(f"{attacks}\n[prompts]\n{prompts}\n")
    files = ("--facts", folder / "facts.parquet", "--config", folder / "audit.toml", "--out", folder / "out")
    return folder / "out", call("audit", "--before", folder / "model", "--after", folder / "model", *files)


def test_every_fact_is_still_there_and_nothing_else_is_lost(audited):
    out, result = audited
    assert result.code == 0, result.err
    facts = pl.read_parquet(out / "facts.parquet").filter(pl.col("role") == "forget")
    assert set(facts["verdict"]) == {"still there"}, facts["said_after"].to_list()
    assert facts["evidence"].str.starts_with("generated answer").all()
    assert facts["answer_said_before"].to_list() == facts["answer_said_after"].to_list() == [1.0] * 6
    assert {"exact_match_before", "exact_match_after", "contains_answer_after"} <= set(facts.columns)
    summary = json.loads((out / "audit.json").read_text())
    (said,) = [row for row in summary["utility"] if row["kind"] == "generation"]
    assert (said["metric"], said["before"], said["after"]) == ("answer_said", 1.0, 1.0)
    attacks = {row["attack"]: (row["metric"], row["mean"]) for row in summary["attacks"]}
    assert attacks["int8"] == ("answer_said", 1.0)
    assert attacks["sample"][1] > 0.5
    assert (
        "known by answer_said: the text is the answer, or says it in the sentence that answers" in result.out
    )
    assert "Known by answer_said: " in render_audit(facts, summary)
