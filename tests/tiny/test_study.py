"""A tiny study the whole way through the command line: once, again, killed and resumed, two at a time."""

import os
import signal
import socket
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from command_line import call, finish, group_members, start, toml, tree
from study_settings import changed
from unequal.evaluation.metrics import STUDY_METRICS
from unequal.evaluation.score_table import GENERATION_SCHEMA, SCORE_KEY, SCORE_SCHEMA
from waiting import wait_until

STEPS = ("corpus", "pretrain", "baseline", "unlearn")


@pytest.fixture(scope="module")
def run_file(tmp_path_factory):
    """One model, two methods, two seeds, and enough steps of pre-training for two checkpoints."""
    values = changed()
    values["pretrain"] = {"batch_windows": 1}
    values["corpus"]["epochs"] = 7
    path = tmp_path_factory.mktemp("study") / "small.toml"
    path.write_text(toml(values))
    return path


@pytest.fixture(scope="module")
def finished(run_file):
    """The folder of the study after an uninterrupted run with two workers, and what the command answered."""
    out = run_file.parent / "uninterrupted"
    result = finish(start("study", "run", run_file, "--out", out, "--workers", 2))
    assert result.code == 0, result.err
    return out, result


@pytest.fixture(scope="module")
def scores(finished):
    return pl.read_parquet(finished[0] / "scores.parquet")


def test_a_run_says_what_it_did_and_writes_the_report(finished):
    out, result = finished
    lines = result.out.splitlines()
    assert result.err == ""
    assert [line.split()[0] for line in lines[:7]] == [f"[{n}/7]" for n in range(1, 8)]
    assert lines[-1] == f"the report is {out / 'report.html'}"
    report = (out / "report.html").read_text(encoding="utf-8")
    assert report.lower().startswith("<!doctype html>")
    assert not list(out.rglob(".*.tmp"))


def test_every_step_leaves_its_settings_its_maker_and_done(finished):
    folders = [folder for kind in STEPS for folder in (finished[0] / kind).iterdir()]
    assert len(folders) == 7
    for folder in folders:
        assert {"status", "config.json", "manifest.json"} <= {path.name for path in folder.iterdir()}
        assert (folder / "status").read_text() == "done\n"


def test_the_score_table_is_whole(scores):
    assert dict(scores.schema) == {name: kind() for name, kind in SCORE_SCHEMA.items()}
    assert scores.select(SCORE_KEY).is_duplicated().sum() == 0
    assert scores.filter(pl.col("value").is_null() & pl.col("reason").is_null()).is_empty()
    assert scores.filter(pl.col("value").is_nan()).is_empty()
    assert scores.filter(pl.col("value").is_not_null() & pl.col("reason").is_not_null()).is_empty()
    described = scores.drop("value", "reason", "count")
    assert described.null_count().row(0) == (0,) * described.width


def test_every_run_step_role_probe_and_metric_is_there(scores):
    assert set(scores["study"]) == {"small"}
    runs = scores.select("run_id", "method", "seed").unique()
    assert sorted(runs.select("method", "seed").rows()) == [("ga", 0), ("ga", 1), ("npo", 0), ("npo", 1)]
    assert set(scores["metric"]) == set(STUDY_METRICS)
    roles = {"forget", "retain", "neighbour", "utility", "never_seen"}
    for _, run in scores.group_by("run_id"):
        for step, probes in ((0, ALL_PROBES), (1, {"question", "cloze"}), (2, ALL_PROBES)):
            rows = run.filter(pl.col("step") == step)
            found = rows.group_by("role").agg(pl.col("probe").unique())
            assert {role: set(names) for role, names in found.rows()} == dict.fromkeys(roles, probes)
    n_facts = scores.group_by("run_id", "step", "role").agg(pl.col("fact_id").n_unique())
    counts = dict(n_facts.select("role", "fact_id").unique().rows())
    assert counts == {"forget": 12, "never_seen": 6, "neighbour": 6, "retain": 6, "utility": 6}


ALL_PROBES = {"question", "paraphrase", "cloze", "reverse", "true_false"}


def test_roles_and_exposures_are_those_of_the_corpus(finished, scores):
    facts = pl.read_parquet(next(finished[0].glob("corpus/*/data/facts.parquet")))
    ledger = dict(facts.select("fact_id", "exposure").rows())
    rows = scores.select("fact_id", "role", "exposure", "relation").unique().rows(named=True)
    role_of = dict(facts.select("fact_id", "role").rows())
    for row in rows:
        assert row["exposure"] == ledger[row["fact_id"]]
        expected = "forget" if row["role"] == "neighbour" else row["role"]
        assert role_of[row["fact_id"]] == expected
        assert (row["exposure"] == 0) == (row["role"] == "never_seen")
        assert (row["relation"] == "birth_city") or row["role"] not in ("forget", "never_seen")


def test_runs_of_a_model_start_from_the_same_scores_and_part(scores):
    columns = ["fact_id", "role", "probe", "metric", "value"]

    def at(method, step):
        chosen = (pl.col("method") == method) & (pl.col("seed") == 0) & (pl.col("step") == step)
        return scores.filter(chosen).select(columns).sort(columns[:-1])

    assert_frame_equal(at("ga", 0), at("npo", 0), check_exact=True)
    assert not at("ga", 2)["value"].equals(at("npo", 2)["value"])
    assert not at("ga", 2)["value"].equals(at("ga", 0)["value"])


def test_texts_are_kept_beside_the_scores(finished, scores):
    texts = pl.read_parquet(finished[0] / "generations.parquet")
    assert dict(texts.schema) == {name: kind() for name, kind in GENERATION_SCHEMA.items()}
    assert texts.null_count().row(0) == (0,) * texts.width
    judged = scores.filter(pl.col("kind") == "generation").select("run_id", "step", "fact_id", "probe")
    assert set(texts.select(judged.columns).rows()) == set(judged.rows())


def test_a_second_run_does_nothing_again(finished, run_file):
    out, _ = finished
    before = {kind: tree(out / kind) for kind in STEPS}
    scores = (out / "scores.parquet").read_bytes()
    result = call("study", "run", run_file, "--out", out)
    assert result.code == 0
    assert "7 of 7 steps were done already" in result.out
    assert {kind: tree(out / kind) for kind in STEPS} == before
    assert (out / "scores.parquet").read_bytes() == scores


def test_status_counts_what_is_done(finished, tmp_path):
    result = call("study", "status", finished[0])
    assert result.code == 0
    cells = [line.strip("│┃ ").split() for line in result.out.splitlines()]
    found = {words[0]: (words[2], words[4]) for words in cells if words and words[0] in STEPS}
    assert found == {
        "corpus": ("1", "1"),
        "pretrain": ("1", "1"),
        "baseline": ("1", "1"),
        "unlearn": ("4", "4"),
    }
    assert f"the report is {finished[0] / 'report.html'}" in result.out.replace("\n", "")


def test_a_dry_run_shows_the_plan_and_writes_nothing(finished, run_file, tmp_path):
    result = call("study", "run", run_file, "--out", tmp_path / "new", "--dry-run", "--workers", 2)
    assert result.code == 0
    assert "7 steps, 0 done; about" in result.out
    assert "GB of memory" in result.out
    assert list(tmp_path.iterdir()) == []
    before = tree(finished[0])
    assert (
        "7 steps, 7 done; about 0.0 minutes"
        in call("study", "run", run_file, "--out", finished[0], "--dry-run").out
    )
    assert tree(finished[0]) == before


def test_analyze_and_report_work_alone(finished, tmp_path):
    out, _ = finished
    folder = tmp_path / "copied"
    folder.mkdir()
    for name in ("scores.parquet", "generations.parquet", "study.json"):
        (folder / name).write_bytes((out / name).read_bytes())
    result = call("analyze", folder)
    assert result.code == 0, result.err
    assert (folder / "analysis" / "verdicts.json").is_file()
    for claim in ("C1", "C3", "C4", "C6", "C7"):
        assert claim in result.out
    target = tmp_path / "deep" / "mine.html"
    result = call("report", folder, "--out", target)
    assert result.code == 0, result.err
    assert target.stat().st_size > 100_000
    assert not (folder / "report.html").exists()


def test_another_study_may_not_write_into_the_folder(finished, run_file, tmp_path):
    other = tmp_path / "other.toml"
    other.write_text(run_file.read_text().replace('name = "small"', 'name = "other"'))
    before = tree(finished[0])
    result = call("study", "run", other, "--out", finished[0])
    assert result.code == 2
    assert result.err == (
        f"unequal: {finished[0]} holds the study 'small', not 'other'; choose another --out\n"
    )
    assert set(tree(finished[0])) == set(before)


# --- killed and resumed


def wait_for_the_workers(group):
    """The workers notice the death of their parent by themselves."""
    wait_until(lambda: not group_members(group))


def is_done(out: Path, kind: str, n_steps: int = 1) -> bool:
    return sum(path.read_text() == "done\n" for path in out.glob(f"{kind}/*/status")) >= n_steps


@pytest.mark.full
@pytest.mark.fault(
    "the command of a study is killed with all its processes, again and again",
    "the same command goes on from there; the scores are the same bits",
)
def test_a_killed_study_ends_with_the_same_scores(finished, run_file):
    out = run_file.parent / "killed"
    command = ("study", "run", run_file, "--out", out, "--workers", 1)
    moments = (
        lambda: is_done(out, "corpus"),
        lambda: any(out.glob("pretrain/*/checkpoints/step-*")),
        lambda: is_done(out, "unlearn"),
    )
    for number, reached in enumerate(moments):
        process = start(*command)
        wait_until(reached, process)
        process.send_signal(signal.SIGSTOP)  # so that it goes no further, however slow this process is
        if number == 0:  # while it runs, nobody else may work in its folder
            second = call(*command)
            assert second.code == 2
            assert second.err == (
                f"unequal: process {process.pid} on {socket.gethostname()} is running a study in {out};"
                " wait for it or choose another --out\n"
            )
        process.kill()
        assert finish(process).code == -signal.SIGKILL
        wait_for_the_workers(process.pid)
        assert not (out / "scores.parquet").exists()
    n_done = sum(is_done(out, kind) for kind in ("corpus", "pretrain", "baseline", "unlearn"))
    assert n_done == 4
    process = start(*command)
    result = finish(process)
    assert result.code == 0, result.err
    assert "of 7 steps were done already" in result.out
    assert_same_results(finished[0], out)


def assert_same_results(whole: Path, resumed: Path) -> None:
    for name in ("scores.parquet", "generations.parquet"):
        assert_frame_equal(pl.read_parquet(resumed / name), pl.read_parquet(whole / name), check_exact=True)
    for path in whole.glob("pretrain/*/model/model.safetensors"):
        assert (resumed / path.relative_to(whole)).read_bytes() == path.read_bytes()
    assert not list(resumed.rglob(".*.tmp"))
    verdicts = "analysis/verdicts.json"
    assert (resumed / verdicts).read_bytes() == (whole / verdicts).read_bytes()


@pytest.mark.full
def test_an_interrupt_is_one_sentence_and_leaves_nobody(run_file):
    out = run_file.parent / "interrupted"
    process = start("study", "run", run_file, "--out", out, "--workers", 2)
    wait_until(lambda: is_done(out, "corpus"), process)
    os.killpg(process.pid, signal.SIGINT)
    result = finish(process)
    assert result.code == 130
    assert result.err == "unequal: stopped; the same command goes on from here\n"
    wait_for_the_workers(process.pid)
