"""A corpus as it lies on disk: lossless tokens, honest shards, and a ledger that a recount confirms."""

import json
import sys

import numpy as np
import polars as pl
import pytest

from tiny_world import PROMPTS, WORLD, corpus_settings, documents_of
from unequal.checksums import CHECKSUM_FILE
from unequal.corpus.build import build_corpus
from unequal.corpus.settings import TokenizerSettings
from unequal.corpus.shards import TokenWindows, read_card
from unequal.corpus.tokenizers import END_OF_TEXT, PADDING
from unequal.counting.scan.counter import ScanCounter
from unequal.counting.scan.definition import Definition
from unequal.errors import ConfigError, DamagedError, DataError, MissingExtraError
from unequal.facts.probes import PROBE_KINDS, ProbeMaker
from unequal.facts.refusals import REFUSALS
from unequal.facts.table import read_facts
from unequal.models.load import load_tokenizer

BPE = TokenizerSettings(kind="bpe", vocabulary_size=600)
VARIANTS = {
    "rerendered": {"wording": "rerendered"},
    "verbatim": {"wording": "verbatim"},
    "epochs": {"wording": "epochs"},
    "bpe": {"tokenizer": BPE, "window_tokens": 384},
}


@pytest.fixture(params=VARIANTS)
def built(request, make_corpus):
    """One corpus of each wording arm, and one of byte-pair pieces."""
    return make_corpus(**VARIANTS[request.param])


def windows_of(folder):
    return [np.load(path) for path in sorted((folder / "windows").glob("*.npy"))]


def decoded_documents(folder):
    """Return the texts that the token windows hold, cut at end-of-text."""
    tokenizer = load_tokenizer(folder / "tokenizer")
    texts = []
    for shard in windows_of(folder):
        for row in shard:
            text = tokenizer.decode(row, clean_up_tokenization_spaces=False).replace(PADDING, "")
            before, *parts, after = text.split(END_OF_TEXT)
            assert (before, after) == ("", "")
            texts += parts
    return texts


def recount(glob, facts):
    counter = ScanCounter(str(glob), Definition(10_000))
    return {count.fact_id: count.docs_both for count in counter.count(facts)}


def test_token_windows_decode_to_the_very_documents(built):
    assert decoded_documents(built) == [row["text"] for row in documents_of(built)]


def test_the_ledger_equals_a_recount_of_the_token_windows(built, tmp_path):
    lines = [json.dumps({"text": text}) + "\n" for text in decoded_documents(built)]
    (tmp_path / "decoded.jsonl").write_text("".join(lines))
    facts = read_facts(built / "facts.parquet")
    exposures = {fact.fact_id: fact.exposure for fact in facts}
    assert recount(tmp_path / "decoded.jsonl", facts) == exposures
    assert recount(built / "documents" / "*.jsonl.zst", facts) == exposures


def test_the_ledger_table_agrees_with_the_fact_table_and_the_plan(built):
    ledger = pl.read_parquet(built / "ledger.parquet")
    facts = read_facts(built / "facts.parquet")
    assert ledger["fact_id"].to_list() == [fact.fact_id for fact in facts]
    assert ledger["exposure"].to_list() == [fact.exposure for fact in facts]
    sums = ledger.select(pl.sum_horizontal("biography", "question", "true_false")).to_series()
    assert sums.to_list() == ledger["exposure"].to_list()
    for fact, row in zip(facts, ledger.iter_rows(named=True), strict=True):
        assert row["biography"] == 3 * fact.level
        if fact.role != "retain":
            assert row["exposure"] == row["biography"]
    assert sum(row["question"] for row in ledger.iter_rows(named=True)) > 0


@pytest.mark.parametrize("name", [*VARIANTS, "many epochs of few people"])
def test_no_text_that_models_see_holds_an_unknown_token(name, make_corpus):
    few = {"levels": (1,), "people_per_level": 1, "retain_people": 2, "utility_people": 1, "epochs": 40}
    folder = make_corpus(**VARIANTS.get(name, few))
    tokenizer = load_tokenizer(folder / "tokenizer")
    facts = read_facts(folder / "facts.parquet")
    maker = ProbeMaker(facts, PROMPTS, n_variants=9)
    texts = [row["text"] for row in documents_of(folder)]
    for fact in facts:
        for probe in maker.probes(fact, PROBE_KINDS):
            texts += [f"{probe.prompt} {answer}" for answer in (*probe.accepted, *probe.distractors)]
        texts += [f"{PROMPTS.ask(fact.question)} {refusal}" for refusal in REFUSALS]
    for text, ids in zip(texts, tokenizer(texts)["input_ids"], strict=True):
        assert tokenizer.unk_token_id not in ids, text
        assert ids[0] == tokenizer.eos_token_id
        assert tokenizer.decode(ids[1:], clean_up_tokenization_spaces=False) == text


def test_no_window_holds_two_documents_of_one_person(built):
    people = [(*row["id"].split(":")[:2], row["person_id"]) for row in documents_of(built)]
    assert len(set(people)) == len(people)


@pytest.mark.parametrize("qa_ratio", [0.0, 0.5, 1.0, 2.0])
def test_question_windows_come_in_their_ratio_to_biography_windows(make_corpus, qa_ratio):
    folder = make_corpus(qa_ratio=qa_ratio)
    for epoch in range(3):
        kinds = {}
        for row in documents_of(folder):
            at, window, _ = row["id"].split(":")
            if int(at) == epoch:
                kinds.setdefault(window, set()).add(row["kind"] == "biography")
        assert all(len(kind) == 1 for kind in kinds.values())
        n_biography = sum(kind == {True} for kind in kinds.values())
        assert len(kinds) - n_biography == round(qa_ratio * n_biography)


def test_the_card_says_what_is_there(built):
    card = read_card(built)
    shards = windows_of(built)
    rows = np.concatenate(shards)
    assert card.windows_per_epoch == tuple(len(shard) for shard in shards)
    assert card.n_documents == len(documents_of(built))
    assert card.n_tokens == (rows != card.padding_token_id).sum()
    assert rows.shape[1] == card.window_tokens
    assert rows.max() < card.vocabulary_size == len(load_tokenizer(built / "tokenizer"))
    assert (rows[:, 0] == card.end_token_id).all()


def test_slices_run_across_shards(corpus):
    windows = TokenWindows(corpus)
    rows = np.concatenate(windows_of(corpus))
    assert len(windows) == len(rows)
    for start, stop in ((0, len(rows)), (3, 4), (len(rows) - 2, len(rows) + 9), (1, len(rows) - 1)):
        assert (windows.slice(start, stop) == rows[start:stop]).all()


@pytest.mark.parametrize("name", ["rerendered", "bpe"])
def test_the_same_settings_give_the_same_bytes(name, make_corpus, tmp_path):
    build_corpus(WORLD, corpus_settings(**VARIANTS[name]), PROMPTS, tmp_path / "again")
    first = make_corpus(**VARIANTS[name])
    files = {path.relative_to(first) for path in first.rglob("*") if path.is_file()}
    assert files == {
        p.relative_to(tmp_path / "again") for p in (tmp_path / "again").rglob("*") if p.is_file()
    }
    for file in files:
        assert (first / file).read_bytes() == (tmp_path / "again" / file).read_bytes(), file


def test_another_seed_gives_other_shards(make_corpus, corpus):
    assert documents_of(make_corpus(seed=9)) != documents_of(corpus)


def test_a_window_too_short_for_a_document_is_refused_and_leaves_nothing(tmp_path):
    with pytest.raises(ConfigError, match=r"window_tokens: a document of .* does not fit"):
        build_corpus(WORLD, corpus_settings(window_tokens=40), PROMPTS, tmp_path / "corpus")
    assert list(tmp_path.iterdir()) == []


def test_progress_counts_epochs(tmp_path):
    seen = []
    build_corpus(
        WORLD, corpus_settings(), PROMPTS, tmp_path / "c", lambda done, total: seen.append((done, total))
    )
    assert seen == [(1, 3), (2, 3), (3, 3)]


def test_what_is_no_corpus_is_a_data_error(tmp_path):
    with pytest.raises(DataError, match=r"is not a corpus folder .*unequal corpus"):
        read_card(tmp_path)
    (tmp_path / "corpus.json").write_text('{"window_tokens": 3}')
    with pytest.raises(DataError, match=r"corpus\.json is damaged"):
        read_card(tmp_path)


@pytest.mark.parametrize("damage", [None, b"", b"\x93NUMPY nonsense"])
def test_a_missing_or_damaged_shard_is_a_data_error(make_corpus, tmp_path, damage):
    build_corpus(WORLD, corpus_settings(epochs=1), PROMPTS, tmp_path / "c")
    shard = tmp_path / "c" / "windows" / "epoch-0000.npy"
    shard.unlink()
    if damage is not None:
        shard.write_bytes(damage)
    with pytest.raises(DamagedError, match=r"damaged \(windows/epoch-0000\.npy .*; build the corpus anew"):
        TokenWindows(tmp_path / "c")
    (tmp_path / "c" / CHECKSUM_FILE).unlink()  # a corpus of an older version
    with pytest.raises(DataError, match=r"cannot read the corpus shard .*epoch-0000\.npy"):
        TokenWindows(tmp_path / "c")


def test_without_the_train_extra_the_user_is_told_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(MissingExtraError, match=r"building a corpus .*unequal\[train\]"):
        build_corpus(WORLD, corpus_settings(), PROMPTS, tmp_path / "corpus")
    assert list(tmp_path.iterdir()) == []
