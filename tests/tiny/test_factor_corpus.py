"""A corpus with crossed factors as it lies on disk: an honest ledger, whole columns, no unknown token."""

import hashlib
import json
import sys

import numpy as np
import polars as pl
import pytest

from tiny_world import PROMPTS, corpus_settings, documents_of
from unequal.corpus.build import build_corpus
from unequal.corpus.factor_ledger import MEASURED
from unequal.corpus.factors import FACTORS
from unequal.corpus.settings import TokenizerSettings
from unequal.counting.scan.counter import ScanCounter
from unequal.counting.scan.definition import Definition
from unequal.errors import ConfigError
from unequal.facts.probes import PROBE_KINDS, ProbeMaker
from unequal.facts.table import read_facts
from unequal.facts.world.world import WorldSettings
from unequal.models.load import load_tokenizer

WORLD = WorldSettings(seed=5, n_distractors=3, relations=("birth_city", "university", "major", "employer"))
FACTOR_SETTINGS = {"common_objects": 2, "massed_epochs": 2}
CROSSED = {
    "people_per_level": 16,
    "epochs": 8,
    "retain_people": 20,
    "utility_people": 12,
    "factors": FACTOR_SETTINGS,
}
BPE = {"tokenizer": TokenizerSettings(kind="bpe", vocabulary_size=600), "window_tokens": 384}


@pytest.fixture(scope="module", params=["word", "bpe"])
def built(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("crossed") / "corpus"
    changes = BPE if request.param == "bpe" else {}
    build_corpus(WORLD, corpus_settings(**CROSSED, **changes), PROMPTS, folder)
    return folder


@pytest.fixture(scope="module")
def ledger(built):
    return pl.read_parquet(built / "ledger.parquet")


def test_a_recount_of_the_shards_equals_the_ledger(built, ledger):
    facts = read_facts(built / "facts.parquet")
    counter = ScanCounter(str(built / "documents" / "*.jsonl.zst"), Definition(10_000))
    recounted = {count.fact_id: count.docs_both for count in counter.count(facts)}
    assert recounted == dict(ledger.select("fact_id", "exposure").iter_rows())
    assert recounted == {fact.fact_id: fact.exposure for fact in facts}


def test_exposures_are_the_level_times_the_epochs(built, ledger):
    facts = read_facts(built / "facts.parquet")
    for fact, row in zip(facts, ledger.iter_rows(named=True), strict=True):
        assert fact.fact_id == row["fact_id"]
        if fact.role != "retain":
            assert row["exposure"] == row["biography"] + row["question"] == 8 * fact.level
        assert (row["question"] > 0) == (row["asked"] == "yes" or fact.role == "retain")


def test_the_ledger_and_the_facts_name_every_level(built, ledger):
    assert ledger.columns[5:] == [*FACTORS, *MEASURED]
    facts = pl.read_parquet(built / "facts.parquet")
    assert facts.select("fact_id", *FACTORS).equals(ledger.select("fact_id", *FACTORS))
    forget = facts.filter(pl.col("role") == "forget")
    assert forget.select(*FACTORS).null_count().row(0) == (0,) * len(FACTORS)
    for name, factor in FACTORS.items():
        assert set(forget[name]) == {factor.low, factor.high}


def test_what_was_measured_is_what_the_documents_say(built, ledger):
    rows = documents_of(built)
    windows = {key: n for n, key in enumerate(dict.fromkeys(row["id"].rsplit(":", 1)[0] for row in rows))}
    last = len(windows) - 1
    for fact, measured in list(zip(read_facts(built / "facts.parquet"), ledger.to_dicts(), strict=True))[::7]:
        shows = [r for r in rows if fact.subject in r["text"] and fact.object in r["text"]]
        shows = [r for r in shows if not r["text"].endswith(" False")]
        assert measured["answer_words"] == len(fact.object.split())
        if not shows:
            assert measured["mean_place"] is measured["last_place"] is measured["epochs_shown"] is None
            continue
        places = [windows[r["id"].rsplit(":", 1)[0]] / last for r in shows]
        assert measured["mean_place"] == pytest.approx(np.mean(places))
        assert measured["last_place"] == pytest.approx(max(places))
        assert measured["epochs_shown"] == len({r["id"].split(":")[0] for r in shows})
        assert measured["distinct_texts"] == len({r["text"] for r in shows})


def test_the_surprisal_of_answers_is_that_of_their_share(built, ledger):
    facts = pl.read_parquet(built / "facts.parquet").filter(pl.col("exposure") > 0)
    shares = facts.group_by("relation", "object").agg(pl.col("exposure").sum().alias("shown"))
    shares = shares.with_columns((pl.col("shown") / pl.col("shown").sum().over("relation")).alias("share"))
    joined = facts.join(shares, on=["relation", "object"]).join(ledger, on="fact_id")
    assert joined["answer_bits"].to_list() == pytest.approx((-joined["share"].log(2)).to_list())
    common = joined.filter(pl.col("object_popularity") == "common")["answer_bits"].mean()
    assert joined.filter(pl.col("object_popularity") == "rare")["answer_bits"].mean() > common + 1


def test_no_text_that_models_see_holds_an_unknown_token(built):
    tokenizer = load_tokenizer(built / "tokenizer")
    facts = read_facts(built / "facts.parquet")
    maker = ProbeMaker(facts, PROMPTS, n_variants=9)
    texts = [row["text"] for row in documents_of(built)]
    for fact in facts:
        for probe in maker.probes(fact, PROBE_KINDS):
            texts += [f"{probe.prompt} {answer}" for answer in (*probe.accepted, *probe.distractors)]
    for text, ids in zip(texts, tokenizer(texts)["input_ids"], strict=True):
        assert tokenizer.unk_token_id not in ids, text


def test_no_window_holds_two_documents_of_one_person(built):
    people = [(*row["id"].split(":")[:2], row["person_id"]) for row in documents_of(built)]
    assert len(set(people)) == len(people)


def test_the_same_settings_give_the_same_bytes(tmp_path):
    for name in ("one", "two"):
        build_corpus(WORLD, corpus_settings(**CROSSED), PROMPTS, tmp_path / name)
    files = [path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*") if path.is_file()]
    assert len(files) > 10
    for file in files:
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes(), file


def test_a_world_that_lacks_long_answers_is_refused_and_leaves_nothing(tmp_path):
    world = WorldSettings(relations=("birth_city", "university", "birth_date"))
    with pytest.raises(ConfigError, match=r"factors\.cross: objects of birth_date have one length"):
        build_corpus(world, corpus_settings(**CROSSED), PROMPTS, tmp_path / "corpus")
    assert list(tmp_path.iterdir()) == []


PINNED = {"rerendered": "ab484875e471083b", "verbatim": "d9f217379fc9f972", "epochs": "a6b8f2a90dc9cd2c"}


@pytest.mark.parametrize("wording", PINNED)
def test_corpora_without_factors_stay_what_they_are(wording, make_corpus):
    """Texts, token ids, facts and ledger of old studies; where they change on purpose, result_format does."""
    folder = make_corpus(wording=wording)
    found = hashlib.sha256(json.dumps(documents_of(folder)).encode())
    for path in sorted((folder / "windows").glob("*.npy")):
        found.update(np.load(path).astype("<u2").tobytes())
    for name in ("facts", "ledger"):
        found.update(pl.read_parquet(folder / f"{name}.parquet").write_json().encode())
    assert found.hexdigest()[:16] == PINNED[wording]


def test_the_command_crosses_factors_too(tmp_path):
    from command_line import call, toml

    table = {
        "out": str(tmp_path / "corpus"),
        "world": {"relations": list(WORLD.relations), "n_distractors": 3},
        "corpus": {
            "levels": [0, 1],
            "window_tokens": 160,
            **CROSSED,
            "factors": {**FACTOR_SETTINGS, "cross": ["asked"]},
        },
    }
    (tmp_path / "corpus.toml").write_text(toml(table))
    result = call("corpus", "--config", tmp_path / "corpus.toml")
    assert result.code == 0, (result.err, sys.version)
    assert "asked" in pl.read_parquet(tmp_path / "corpus" / "ledger.parquet").columns
