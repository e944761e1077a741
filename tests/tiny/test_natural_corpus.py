"""A natural corpus: what stands in it, what never may, and a ledger of how often each fact was shown."""

from collections import Counter

import pytest

from gate import only_in_full
from natural_text import facts, times, write_text
from tiny_world import documents_of
from unequal.corpus.extract_text import TextSettings, extract_text, read_text
from unequal.corpus.natural import (
    KINDS,
    NaturalCorpusSettings,
    NaturalSource,
    StatementSettings,
    build_natural_corpus,
)
from unequal.corpus.shards import TokenWindows
from unequal.counting.normalise import normalise
from unequal.errors import ConfigError
from unequal.facts.probes import PromptFormat
from unequal.facts.table import read_facts
from unequal.facts.wordings import held_out_texts, read_wordings
from unequal.models.load import load_tokenizer

PROMPTS = PromptFormat(question="{question}", true_false="True or false: {statement}")
ROLES = ("forget", "retain", "forget", "retain", "utility", "never_seen")


@pytest.fixture(scope="module")
def texts(tmp_path_factory):
    folder = tmp_path_factory.mktemp("natural")
    extract_text(
        TextSettings(corpus=write_text(folder / "shards"), others=0.5), facts(), folder / "t.jsonl.zst"
    )
    return list(read_text(folder / "t.jsonl.zst"))


def with_roles():
    """The facts, every sixth withheld, those that stand nowhere never seen."""
    return [
        fact.model_copy(
            update={"role": ROLES[number % 6] if times(number) else "never_seen", "count": times(number)}
        )
        for number, fact in enumerate(facts())
    ]


def settings(**changes):
    small = {
        "epochs": 3,
        "qa_ratio": 0.7,
        "true_false_share": 0.3,
        "window_tokens": 64,
        "vocabulary_size": 500,
    }
    return NaturalCorpusSettings.model_validate(small | changes)


@pytest.fixture(scope="module")
def build(texts, tmp_path_factory):
    def one(seed=0, **changes):
        folder = tmp_path_factory.mktemp("corpus") / "data"
        source = NaturalSource(texts, with_roles(), settings(**changes), PROMPTS, read_wordings(), seed)
        return folder, build_natural_corpus(source, folder)

    return one


@pytest.fixture(scope="module")
def natural(build):
    return build()[0]


@pytest.fixture(scope="module")
def stated(build):
    return build(statements={"exponent": 1.0, "scale": 2.0})[0]


@pytest.fixture(params=["natural", *only_in_full("stated")])
def corpus(request):
    return request.getfixturevalue(request.param)


def named(document):
    text = normalise(document["text"])
    return {
        fact.fact_id for fact in facts() if normalise(fact.subject) in text and normalise(fact.object) in text
    }


def test_no_document_states_what_is_never_seen(corpus):
    never = {fact.fact_id for fact in with_roles() if fact.role == "never_seen"}
    assert len(never) > 8
    told = [row for row in documents_of(corpus) if row["kind"] != "true_false"]
    assert not [row for row in told if never & named(row)]


def test_only_retain_facts_are_asked_for(corpus):
    retained = {fact.subject for fact in with_roles() if fact.role == "retain"}
    asked = [row for row in documents_of(corpus) if row["kind"] in ("question", "true_false")]
    assert {row["person_id"] for row in asked} == retained
    questions = Counter(row["text"].rsplit("?", 1)[0] for row in asked if row["kind"] == "question")
    assert len(questions) > 3 * len(retained)  # in several wordings


def test_no_document_holds_a_wording_of_a_test(corpus):
    every = " | ".join({normalise(row["text"]) for row in documents_of(corpus)})
    assert not [text for fact in facts() for text in held_out_texts(fact) if normalise(text) in every]


def test_the_ledger_says_what_the_documents_state(corpus):
    shown = Counter()
    for row in documents_of(corpus):
        true = row["kind"] != "true_false" or row["text"].endswith("True")
        shown.update(named(row) if true else ())
    found = read_facts(corpus / "facts.parquet")
    assert {fact.fact_id: fact.exposure for fact in found} == {f.fact_id: shown[f.fact_id] for f in facts()}
    assert [fact.role for fact in found] == [fact.role for fact in with_roles()]


def test_every_epoch_shows_the_natural_text_once_and_in_another_order(natural, texts):
    rows = [row for row in documents_of(natural) if row["kind"] == "text"]
    epochs = [[r["text"] for r in rows if r["id"].startswith(f"{epoch}:")] for epoch in range(3)]
    withheld = {fact.fact_id for fact in with_roles() if fact.role == "never_seen"}
    expected = sorted(one.text for one in texts if withheld.isdisjoint(one.fact_ids))
    assert all(sorted(epoch) == expected for epoch in epochs)
    assert epochs[0] != epochs[1]
    assert any(not one.fact_ids for one in texts)


def test_statements_are_as_many_as_their_counts_ask_for(stated, texts):
    rows = documents_of(stated)
    stated_facts = {f.subject: f for f in with_roles() if f.count and f.role != "never_seen"}
    made = Counter(row["person_id"] for row in rows if row["kind"] == "statement")
    assert made == {subject: 3 * 2 * fact.count for subject, fact in stated_facts.items()}
    text = {row["text"] for row in rows if row["kind"] == "text"}
    assert text == {one.text for one in texts if not one.fact_ids}


@pytest.mark.parametrize(
    ("rule", "count", "expected"),
    [
        ({}, 17, 17),
        ({"scale": 0.1}, 17, 2),
        ({"scale": 0.01}, 17, 1),
        ({"exponent": 0.5}, 16, 4),
        ({"exponent": 0.0, "scale": 8}, 1000, 8),
        ({"most": 5}, 17, 5),
        ({"scale": 100}, 0, 0),
    ],
)
def test_the_rule_of_statements(rule, count, expected):
    assert StatementSettings(**rule).number(count) == expected


def test_windows_are_those_that_training_reads(corpus):
    windows = TokenWindows(corpus)
    tokenizer = load_tokenizer(corpus / "tokenizer")
    assert len(tokenizer) == windows.card.vocabulary_size <= 500
    first = windows.slice(0, 1)[0]
    assert first.shape == (64,) and first[0] == windows.card.end_token_id
    text = tokenizer.decode(first[first != windows.card.padding_token_id], skip_special_tokens=False)
    parts = [part for part in text.split("<|endoftext|>") if part]
    texts = {row["text"] for row in documents_of(corpus)}
    assert parts and all(part in texts for part in parts)


def test_a_seed_gives_the_same_corpus_again_and_another_another(build, natural):
    again, other = build()[0], build(seed=1)[0]
    windows = [TokenWindows(folder).slice(0, 40) for folder in (natural, again, other)]
    assert (windows[0] == windows[1]).all()
    assert windows[0].shape != windows[2].shape or (windows[0] != windows[2]).any()


@pytest.mark.full
def test_documents_that_fit_into_no_window_are_left_out_and_counted(build, natural):
    folder, card = build(window_tokens=32)
    assert (folder / "text.json").read_text() != (natural / "text.json").read_text()
    assert card.window_tokens == 32
    rows = documents_of(folder)
    ledger = {fact.fact_id: fact.exposure for fact in read_facts(folder / "facts.parquet")}
    shown = Counter(fact for row in rows for fact in named(row) if row["kind"] != "true_false")
    assert all(ledger[fact_id] >= n for fact_id, n in shown.items())


def test_without_questions_there_are_none(build):
    folder, _ = build(qa_ratio=0.0)
    assert {row["kind"] for row in documents_of(folder)} == {"text"}
    assert set(KINDS) > {"text"}


def test_a_relation_without_wordings_is_named(texts):
    strange = [fact.model_copy(update={"relation": "motto"}) for fact in with_roles()]
    with pytest.raises(ConfigError, match=r"corpus\.qa_ratio: the relation 'motto' has no wordings"):
        NaturalSource(texts, strange, settings(), PROMPTS, read_wordings(), 0)
    with pytest.raises(ConfigError, match=r"corpus\.statements: the relation 'motto'"):
        NaturalSource(texts, strange, settings(statements={}), PROMPTS, read_wordings(), 0)
    NaturalSource(texts, strange, settings(qa_ratio=0.0), PROMPTS, read_wordings(), 0)
