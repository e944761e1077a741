"""Plain statements and passages all the way: a table of one column, evaluated, unlearned and audited."""

import csv

import polars as pl
import pytest

import unequal as uq
from command_line import call
from short_training import SHAPE, teach
from unequal.corpus.settings import TokenizerSettings
from unequal.corpus.tokenizers import train_tokenizer
from unequal.models.load import scratch_model
from unequal.models.shapes import ModelSettings, Vocabulary

STATEMENTS = [
    "Arlo Venn, customer C001, lives at 12 Harbour Road in Torvale.",
    "The phone number of Bess Quill is 555-0134.",
    "Cato Marsh is allergic to penicillin.",
    "Dora Flint works as a nurse at Minstead Hospital.",
    "Ezra Holm was born on 4 May 1987.",
    "Fay Brand drives a red Quorn.",
]
PASSAGES = {
    "Herons": "The harbour master kept seventeen grey herons in a shed behind the customs house,\nand every"
    " Thursday he fed them pickled turnips from a copper bucket, while his brother recited the tide tables in"
    " a voice like a rusty hinge.",
    "Bells": "Nobody in the valley could say who had hung the bells, for each one rang before anyone pulled a"
    " rope,\nand the oldest shepherd swore that they sounded softest on the morning after a wedding had been"
    " called off.",
}


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    folder = tmp_path_factory.mktemp("plain")
    for name, rows in (
        ("statements", [{"statement": text} for text in STATEMENTS]),
        ("passages", [{"title": title, "text": text} for title, text in PASSAGES.items()]),
    ):
        with (folder / f"{name}.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, rows[0])
            writer.writeheader()
            writer.writerows(rows)
    return folder


@pytest.fixture(scope="module")
def model(tables):
    texts = [*(text.removesuffix(".") for text in STATEMENTS), *PASSAGES.values()]
    tokenizer = train_tokenizer(texts, TokenizerSettings(kind="bpe", vocabulary_size=420), 160)
    vocabulary = Vocabulary(
        size=len(tokenizer),
        window_tokens=160,
        end_token_id=tokenizer.eos_token_id,
        padding_token_id=tokenizer.pad_token_id,
    )
    fresh = scratch_model(ModelSettings(family="gpt2", size="tiny", shape=SHAPE), vocabulary, seed=1)
    taught = uq.load(teach(fresh, tokenizer, texts, 150, batch=16), tokenizer)
    taught.save(tables / "model")
    return taught


def said(scores, step=None):
    rows = scores.filter(metric="answer_said", probe="question")
    rows = rows if step is None else rows.filter(step=step)
    return dict(rows.group_by("role").agg(pl.col("value").mean()).iter_rows())


def test_statements_and_passages_are_known_by_what_the_model_goes_on_with(model, tables):
    facts = [*uq.read_facts(tables / "statements.csv"), *uq.read_facts(tables / "passages.csv")]
    found = uq.evaluate(model, facts, probes=["question"])
    assert found.known.said == 1.0
    copied = found.scores.filter(metric="longest_copy").select("fact_id", "value")
    assert copied["value"].to_list() == [1.0] * len(facts)
    whole = found.generations.filter(pl.col("fact_id").str.starts_with("herons"))
    assert " ".join(PASSAGES["Herons"].split()).endswith(" ".join(whole["generation"][0].split()))


def test_a_passage_is_unlearned_like_any_fact(model, tables):
    facts = uq.read_facts(tables / "passages.csv")
    forget = facts.filter(lambda fact: fact.subject == "Herons")
    retain = [*facts.filter(lambda fact: fact.subject != "Herons"), *uq.read_facts(tables / "statements.csv")]
    found = uq.unlearn(model, forget, "npo", retain=retain, learning_rate=2e-3, budget=None, steps=12)
    assert said(found.scores, 0) == {"forget": 1.0, "retain": 1.0}
    after = said(found.scores, 12)
    assert after["forget"] == 0.0
    assert after["retain"] >= 0.8


def test_commands_take_a_table_of_statements(model, tables, tmp_path):
    out, table, folder = tmp_path / "out", tables / "statements.csv", tables / "model"
    checked = call("facts", "check", table, "--out", tmp_path / "facts.jsonl")
    assert (checked.code, "6 facts" in checked.out) == (0, True)
    done = call("evaluate", "--model", folder, "--facts", table, "--out", out, "--probes", "question")
    assert (done.code, "known: 6 of 6 facts (100%)" in done.out) == (0, True), done
    roles = ("forget", "forget", "forget", "retain", "utility", "utility")
    rows = [{"statement": text, "role": role} for text, role in zip(STATEMENTS, roles, strict=True)]
    pl.DataFrame(rows).write_csv(tmp_path / "roles.csv")
    unlearned = call(
        "unlearn", "--model", folder, "--facts", tmp_path / "roles.csv", "--method", "npo", "--steps", 4,
        "--learning-rate", "1e-3", "--out", tmp_path / "unlearned",
    )  # fmt: skip
    assert (unlearned.code, "known: 3 of 3 facts (100%)" in unlearned.out) == (0, True), unlearned
    audited = call(
        "audit", "--before", folder, "--after", folder, "--facts", tmp_path / "roles.csv",
        "--out", tmp_path / "audit", "--attacks", "int8",
    )  # fmt: skip
    assert (audited.code, "still there" in audited.out) == (0, True), audited
