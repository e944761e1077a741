"""Text as training documents: what names a fact is kept once, counted as the engine does; no test leaks."""

import random

import pytest

from natural_text import N_COUNTRIES, facts, times, write_text
from unequal.corpus.extract_text import TextSettings, extract_text, read_text
from unequal.counting.normalise import normalise
from unequal.counting.scan.counter import ScanCounter
from unequal.errors import DataError
from unequal.facts.wordings import held_out_texts

FACTS = facts()


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return write_text(tmp_path_factory.mktemp("text") / "shards")


@pytest.fixture
def extract(corpus, tmp_path):
    def one(**settings):
        path = tmp_path / "text.jsonl.zst"
        settings = TextSettings.model_validate({"corpus": corpus, **settings})
        return extract_text(settings, FACTS, path), list(read_text(path)), settings, path

    return one


def test_sentences_that_name_a_fact_are_kept_once_each(extract):
    card, documents, *_ = extract()
    named = {f"capital-{number}": times(number) for number in range(N_COUNTRIES) if times(number)}
    found = {fact_id: sum(fact_id in one.fact_ids for one in documents) for fact_id in named}
    assert found == named
    assert all(one.fact_ids for one in documents)
    assert len({one.text for one in documents}) == len(documents) == card.naming_a_fact == sum(named.values())
    assert card.holding_a_test_wording == 1
    assert card.repeated > 1  # the sentence that stands twice, and filler
    kept = card.naming_a_fact + card.others_kept + card.others_left_out
    assert card.pieces == kept + card.repeated + card.too_long + card.holding_a_test_wording


@pytest.mark.parametrize("keep", ["sentences", "passages", "documents"])
def test_the_engine_counts_in_the_documents_what_they_say_of_themselves(extract, keep):
    _, documents, settings, path = extract(keep=keep, passage_words=25)
    counter = ScanCounter(str(path), settings.definition)
    for fact, count in zip(FACTS, counter.count(FACTS), strict=True):
        named = sum(fact.fact_id in one.fact_ids for one in documents)
        assert count.docs_window == count.docs_both == named


@pytest.mark.parametrize("keep", ["sentences", "passages", "documents"])
def test_no_document_holds_a_wording_of_a_test(extract, keep):
    _, documents, *_ = extract(keep=keep, others=1.0, passage_words=25)
    texts = " | ".join(normalise(one.text) for one in documents)
    assert not [text for fact in FACTS for text in held_out_texts(fact) if normalise(text) in texts]


def test_documents_keep_all_text_and_passages_only_what_names_a_fact(extract):
    _, every, *_ = extract(keep="documents", passage_words=25)
    _, some, *_ = extract(keep="passages", passage_words=25)
    assert [one for one in every if one.fact_ids] == some and len(some) < len(every)
    assert all(len(one.text.split()) <= 25 for one in every)


def test_a_share_of_the_others_is_kept_the_same_each_time(extract):
    _, none, *_ = extract(others=0.0)
    _, half, *_ = extract(others=0.5)
    _, again, *_ = extract(others=0.5)
    _, every, *_ = extract(others=1.0)
    assert half == again
    assert {one.text for one in none} < {one.text for one in half} < {one.text for one in every}


def test_long_sentences_are_left_out_and_counted(extract):
    card, documents, *_ = extract(most_words=10)
    assert card.too_long > 0 and all(len(one.text.split()) <= 10 for one in documents)


def test_a_name_within_a_longer_name_counts_as_the_settings_say(tmp_path):
    inner, outer = FACTS[0], FACTS[0].model_copy(
        update={"fact_id": "outer", "object": f"New {FACTS[0].object}", "answer": "x"}
    )  # fmt: skip
    (tmp_path / "a.txt").write_text(f"{inner.subject} has New {inner.object} in it.")

    def named(nested):
        path = tmp_path / f"{nested}.jsonl.zst"
        extract_text(TextSettings(corpus=str(tmp_path / "a.txt"), nested=nested), [inner, outer], path)
        return [one.fact_ids for one in read_text(path)]

    assert named("longest") == [("outer",)]
    assert [set(ids) for ids in named("all")] == [{inner.fact_id, "outer"}]


def test_text_that_names_no_fact_is_refused_and_leaves_nothing(tmp_path):
    (tmp_path / "a.txt").write_text(" ".join(random.Random(0).choices(["one", "two", "three"], k=200)))
    out = tmp_path / "out" / "text.jsonl.zst"
    with pytest.raises(DataError, match="names subject and object of any of 40 facts"):
        extract_text(TextSettings(corpus=str(tmp_path / "a.txt")), FACTS, out)
    assert not out.parent.exists() or not list(out.parent.iterdir())
    with pytest.raises(DataError, match=r"text\.corpus '.*' matches no file"):
        extract_text(TextSettings(corpus=str(tmp_path / "*.nothing")), FACTS, out)
