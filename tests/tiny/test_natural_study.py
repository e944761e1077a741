"""A natural study the whole way through the command line: real text, counted, learned, unlearned, judged."""

import json
import shutil

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from command_line import call, finish, start, toml
from natural_text import facts, times, write_text
from unequal.evaluation.score_table import SCORE_KEY, SCORE_SCHEMA
from unequal.facts.write import write_facts

pytestmark = pytest.mark.full

KINDS = ("facts", "text", "count", "split", "corpus", "pretrain", "baseline", "unlearn")


def values(folder, **changes):
    """A study of the small text: one model, that learns statements, and two methods."""
    return {
        "name": "natural-small",
        "source": "natural",
        "seeds": [0],
        "facts": {"tables": [{"file": str(folder / "facts.jsonl"), "name": "towns"}], "made_up": 6},
        "text": {"corpus": str(folder / "shards" / "*.jsonl.zst"), "others": 0.3},
        "split": {"buckets": {"n_bins": 2}, "retain_share": 0.4, "withheld_share": 0.1, "unseen": 5},
        "corpus": {"epochs": 12, "window_tokens": 64, "vocabulary_size": 500, "statements": {"scale": 2.0}},
        "prompts": {"question": "{question}"},
        "models": [{"family": "gpt2", "size": "tiny", "shape": {"width": 64, "layers": 2, "heads": 2}}],
        "methods": [{"kind": "npo", "learning_rate": 1e-3}, {"kind": "graddiff", "learning_rate": 1e-3}],
        "targets": [{"relation": "towns"}, {"relation": "capital", "bucket": 1, "methods": ["npo"]}],
        "unlearn": {"steps": 2, "batch_size": 8},
        "evaluate": {"facts_per_role": 6, "allow_unknown": True},
    } | changes


@pytest.fixture(scope="module")
def material(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    write_text(folder / "shards")
    write_facts(facts(), folder / "facts.jsonl")
    (folder / "run.toml").write_text(toml(values(folder)))
    return folder


@pytest.fixture(scope="module")
def finished(material):
    out = material / "out"
    result = finish(start("study", "run", material / "run.toml", "--out", out, "--workers", 2))
    assert result.code == 0, result.err
    return out, result


@pytest.fixture(scope="module")
def scores(finished):
    return pl.read_parquet(finished[0] / "scores.parquet")


def table(out, kind, name="facts.parquet"):
    (path,) = out.glob(f"{kind}/*/{name}")
    return pl.read_parquet(path)


def test_every_step_is_done_once(finished):
    out, result = finished
    assert result.err == ""
    done = {kind: len(list(out.glob(f"{kind}/*/status"))) for kind in KINDS}
    assert done == {**dict.fromkeys(KINDS, 1), "baseline": 2, "unlearn": 3}
    assert not list(out.rglob(".*.tmp"))


def test_counts_are_those_of_the_text(finished):
    counts = table(finished[0], "count", "counts.parquet")
    found = dict(counts.select("fact_id", "docs_window").iter_rows())
    assert {f"capital-{n}": times(n) for n in range(40)}.items() <= found.items()
    assert counts["engine"].unique().to_list() == ["scan"] and not counts["approx"].any()
    made_up = {fact_id: n for fact_id, n in found.items() if fact_id.startswith("made-up")}
    assert len(made_up) == 6 and set(made_up.values()) == {0}


def test_the_scores_carry_counts_buckets_and_the_ledgers_exposures(finished, scores):
    assert set(SCORE_SCHEMA) <= set(scores.columns) and "bucket" in scores.columns
    assert scores.select(SCORE_KEY).is_duplicated().sum() == 0
    ledger = dict(
        table(finished[0], "corpus", "data/ledger.parquet").select("fact_id", "exposure").iter_rows()
    )
    split = {row["fact_id"]: row for row in table(finished[0], "split").iter_rows(named=True)}
    rows = scores.select("fact_id", "role", "count", "exposure", "bucket").unique().rows(named=True)
    assert {row["role"] for row in rows} == {"forget", "retain", "utility", "never_seen", "neighbour"}
    for row in rows:
        known = split[row["fact_id"]]
        assert row["exposure"] == ledger[row["fact_id"]]
        assert (row["count"], row["bucket"]) == (known["count"], known["bucket"])
        assert (row["exposure"] == 0) == (row["role"] == "never_seen")
    described = scores.select("family", "size", "wording", "pretrain_seed", "target").unique()
    assert described["wording"].unique().to_list() == ["stated"]
    assert sorted(described["target"].unique()) == ["bucket-1", "mixed"]


def test_a_bucket_alone_has_the_other_buckets_as_neighbours(scores):
    single = scores.filter(target="bucket-1")
    assert single.filter(role="forget")["bucket"].unique().to_list() == [1]
    assert single.filter(role="neighbour")["bucket"].unique().to_list() == [0]
    assert scores.filter(target="mixed", role="neighbour").is_empty()


def test_the_report_says_what_was_known_by_count_and_never_calls_a_count_an_exposure(finished):
    out, _ = finished
    known = pl.read_parquet(out / "analysis" / "known.parquet")
    levels = pl.read_parquet(out / "analysis" / "levels.parquet")
    assert levels["exposure"].to_list() == [1, 2]
    assert levels["count_low"][1] > levels["count_high"][0] >= levels["count_low"][0] >= 1
    views = known.filter(pl.col("role") == "forget").select("exposure", "probe", "metric").unique().rows()
    for level in (1, 2):
        for probe, metric in (
            ("question", "said"),
            ("question", "choice_accuracy"),
            ("cloze", "said"),
        ):
            assert (level, probe, metric) in views
    page = (out / "report.html").read_text()
    assert "Known before, by count" in page and "Count in the corpus" in page
    verdicts = {
        one["claim"]: one for one in json.loads((out / "analysis" / "verdicts.json").read_text())["verdicts"]
    }
    assert verdicts["C1"]["verdict"] == "not decidable"
    effects = pl.read_parquet(out / "analysis" / "effects.parquet")
    assert effects.filter(pl.col("dose") != "log10(1 + count)")["value"].null_count() == effects.filter(
        pl.col("dose") != "log10(1 + count)"
    ).height  # fmt: skip


def test_the_natural_text_itself_shares_all_steps_before_the_corpus(finished, material):
    run_file = material / "natural.toml"
    corpus = {"epochs": 2, "window_tokens": 64, "vocabulary_size": 500}
    run_file.write_text(toml(values(material, corpus=corpus)))
    out = material / "both"
    shutil.copytree(finished[0], out)
    result = call("study", "run", run_file, "--out", out, "--workers", 1)
    assert result.code == 0, result.err
    assert "4 of 11 steps were done already" in result.out
    scores = pl.read_parquet(out / "scores.parquet")
    assert scores["wording"].unique().to_list() == ["natural"]
    assert all(len(list(out.glob(f"{kind}/*"))) == 1 for kind in KINDS[:4])


def test_the_places_of_files_do_not_name_steps_but_their_content_does(finished, material, tmp_path):
    def plan(folder):
        (folder / "run.toml").write_text(toml(values(folder)))
        result = call("study", "run", folder / "run.toml", "--out", finished[0], "--dry-run")
        assert result.code == 0, result.err
        return result.out

    for name in ("shards", "facts.jsonl"):
        copy = shutil.copytree if (material / name).is_dir() else shutil.copy
        copy(material / name, tmp_path / name)
    assert "11 steps, 11 done" in plan(tmp_path)
    write_facts(facts()[:-1], tmp_path / "facts.jsonl")
    assert "11 steps, 0 done" in plan(tmp_path)


def test_a_second_run_changes_nothing(finished, material, scores):
    result = call("study", "run", material / "run.toml", "--out", finished[0])
    assert result.code == 0 and "11 of 11 steps were done already" in result.out
    assert_frame_equal(pl.read_parquet(finished[0] / "scores.parquet"), scores, check_exact=True)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            {"targets": [{"relation": "town"}]},
            "relation 'town'; did you mean 'towns'? is not among the facts' (towns",
        ),
        (
            {"targets": [{"relation": "towns", "bucket": 5}]},
            "bucket 5 is not among the buckets of its facts ([0, 1])",
        ),
    ],
)
def test_a_target_that_is_not_there_is_told_before_anything_is_trained(material, tmp_path, changes, expected):
    (tmp_path / "run.toml").write_text(toml(values(material, **changes)))
    result = call("study", "run", tmp_path / "run.toml", "--out", tmp_path / "out", "--workers", 1)
    assert result.code == 2 and expected in result.err
    assert not (tmp_path / "out" / "corpus").exists()


def test_missing_files_are_one_sentence(material, tmp_path):
    for changes, expected in (
        ({"text": {"corpus": str(tmp_path / "*.txt")}}, "text.corpus"),
        ({"facts": {"tables": [{"file": str(tmp_path / "none.csv")}]}}, "facts: cannot read"),
    ):
        (tmp_path / "run.toml").write_text(toml(values(material, **changes)))
        result = call("study", "run", tmp_path / "run.toml", "--out", tmp_path / "out", "--dry-run")
        assert result.code == 2 and expected in result.err and "\n" not in result.err.strip()
