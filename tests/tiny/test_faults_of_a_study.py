"""A study that something goes wrong in: a run diverges, memory runs out, a byte flips; the others go on."""

import contextlib
import json
import os
import shutil
import signal
import threading
import time

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from command_line import call, finish, group_members, start, toml
from study_settings import changed
from unequal.study.expand import plan_steps
from unequal.study.runner import load_study
from waiting import wait_until

pytestmark = pytest.mark.full


def write(path, **changes):
    path.write_text(toml(changed() | changes))
    return path


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    return tmp_path_factory.mktemp("faults")


@pytest.fixture(scope="module")
def run_file(here):
    return write(here / "small.toml")


@pytest.fixture(scope="module")
def whole(here, run_file):
    """The folder of the study when nothing goes wrong."""
    out = here / "whole"
    result = call("study", "run", run_file, "--out", out, "--workers", 1)
    assert (result.code, result.err) == (0, "")
    return out


def scores(out):
    return pl.read_parquet(out / "scores.parquet")


def assert_same(out, whole):
    for name in ("scores.parquet", "generations.parquet"):
        assert_frame_equal(pl.read_parquet(out / name), pl.read_parquet(whole / name), check_exact=True)
    assert (out / "analysis/verdicts.json").read_bytes() == (whole / "analysis/verdicts.json").read_bytes()


# --- divergence

DIVERGING = {"kind": "graddiff", "learning_rate": 1e30}


@pytest.mark.fault(
    "the loss of a run is no number",
    "that run stops and names its batch; scores from before are kept; the study goes on and says so",
)
def test_a_run_that_diverges_is_left_out_and_the_study_goes_on(here, whole):
    run_file = write(
        here / "diverging.toml", methods=[DIVERGING, {"kind": "npo", "learning_rate": 1e-3}], seeds=[0]
    )
    out = here / "diverging"
    shutil.copytree(whole, out)
    result = call("study", "run", run_file, "--out", out, "--workers", 1)
    assert (result.code, result.err) == (0, "")
    assert "Steps without a result" in result.out
    assert set(scores(out)["method"]) == {"npo"}
    before = pl.read_parquet(out / "diverged.parquet")
    assert set(before["method"]) == {"graddiff"}
    assert set(before["step"]) == {0, 1}  # of the steps 0, 1 and 2
    (failure,) = json.loads((out / "failures.json").read_text())
    assert (failure["kind"], failure["step"]) == ("diverged", 2)
    facts = pl.read_parquet(next(out.glob("corpus/*/data/facts.parquet")))
    roles = dict(facts.select("fact_id", "role").rows())
    assert len(failure["batch"]) == 8 + 6  # a batch of 8 to forget, and all that are retained
    assert {roles[fact_id] for fact_id in failure["batch"]} == {"forget", "retain"}
    named = ", ".join(failure["batch"][:6])
    assert f"at step 2; lower the learning rate (in its batch: {named} and 8 more)" in failure["reason"]
    for text in (
        (out / "report.html").read_text(),
        (out / "analysis" / "verdicts.json").read_text(),
        call("analyze", out).out.replace("\n", " "),
    ):
        assert "One run diverged and is excluded from all comparisons" in text
    folder = out / failure["folder"]
    made = (folder / "status").stat().st_mtime_ns
    assert (folder / "status").read_text() == "diverged\n"
    again = call("study", "run", run_file, "--out", out, "--workers", 1)
    assert again.code == 0
    assert (folder / "status").stat().st_mtime_ns == made, "it would only diverge again"
    (row,) = [line for line in call("study", "status", out).out.splitlines() if "unlearn" in line]
    assert [cell.strip() for cell in row.strip("│ ").split("│")] == ["unlearn", "1", "2", "0", "1"]


@pytest.mark.fault(
    "pre-training diverges", "its last good checkpoint stays; one message names the windows of its batch"
)
def test_a_model_that_diverges_leaves_its_last_good_checkpoint(here, whole):
    run_file = write(here / "bad.toml", pretrain={"batch_windows": 4, "optimiser": {"learning_rate": 1e30}})
    out = here / "bad"
    shutil.copytree(whole, out)
    shutil.rmtree(out / "unlearn")
    result = call("study", "run", run_file, "--out", out, "--workers", 1)
    assert result.code == 2
    assert "no run has a result; pretrain/gpt2-tiny" in result.err
    assert "(in its batch: windows 4 to 7)" in result.err
    assert [path.name for path in out.glob("pretrain/*/checkpoints/step-*")] == ["step-0000001"]
    assert not (out / "unlearn").exists()


# --- memory


def killed_when_it_runs(process, out, pattern, times):
    """Kill the only worker, as the system does, whenever a run of that name has begun; return how often."""
    kills, seen = 0, None
    while process.poll() is None and kills < times:
        time.sleep(0.005)
        for status in out.glob(f"unlearn/{pattern}/status"):
            with contextlib.suppress(OSError):
                now = status.stat().st_mtime_ns
                if status.read_text() == "running\n" and now != seen:
                    seen = now
                    (worker,) = [pid for pid in group_members(process.pid) if is_worker(pid)]
                    os.kill(worker, signal.SIGKILL)
                    kills += 1
    return kills


def is_worker(pid):
    with contextlib.suppress(OSError), open(f"/proc/{pid}/cmdline", "rb") as file:  # noqa: PTH123
        return b"spawn_main" in file.read()
    return False


def begun(here, whole, name):
    """A copy of the study in which nothing was unlearned yet, and the words that go on with it."""
    out = here / name
    shutil.copytree(whole, out)
    shutil.rmtree(out / "unlearn")
    (out / "scores.parquet").unlink()
    (out / "collected.json").unlink()
    return out, ("study", "run", here / "small.toml", "--out", out, "--workers", 1)


@pytest.mark.slow
@pytest.mark.fault(
    "the system kills a run for want of memory, three times",
    "the others go on; report and exit code name the run; the same command tries it again",
)
def test_a_run_that_is_killed_again_and_again_is_left_out_until_the_next_time(here, run_file, whole):
    out, words = begun(here, whole, "killed")
    process = start(*words)
    counted = []
    thread = threading.Thread(
        target=lambda: counted.append(killed_when_it_runs(process, out, "*-ga-*seed1*", 3))
    )
    thread.start()
    result = finish(process)
    thread.join()
    assert counted == [3]
    assert result.code == 2, result
    assert "1 runs are missing from the scores and the report; the same command tries again" in result.err
    assert "Traceback" not in result.err
    runs = scores(whole).filter(~((pl.col("method") == "ga") & (pl.col("seed") == 1)))
    assert_frame_equal(scores(out), runs, check_exact=True)
    assert "One run is missing: gpt2-tiny" in (out / "report.html").read_text()
    result = call(*words)
    assert result.code == 0, result.err
    assert_same(out, whole)
    assert not (out / "failures.json").exists()


@pytest.mark.fault(
    "the system kills a run for want of memory, once",
    "it is tried again as it was; the scores are the same bits",
)
def test_a_run_that_is_killed_once_changes_no_score(here, run_file, whole):
    out, words = begun(here, whole, "killed once")
    process = start(*words)
    assert killed_when_it_runs(process, out, "*-npo-*seed0*", 1) == 1
    result = finish(process)
    assert (result.code, result.err) == (0, "")
    assert "its process was killed (SIGKILL" in result.out
    assert_same(out, whole)


# --- flipped bytes


def flip(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


@pytest.mark.fault(
    "a byte of a model, a corpus or scores of the study flips",
    "it is refused by its hash, and the step that wrote it is done anew; the scores are the same bits",
)
@pytest.mark.parametrize(
    "pattern",
    ["pretrain/*/model/model.safetensors", "corpus/*/data/facts.parquet", "baseline/*/scores.parquet"],
)
def test_a_flipped_byte_in_an_input_is_found_and_mended(pattern, here, run_file, whole):
    out, words = begun(here, whole, pattern.split("/")[0])
    (path,) = out.glob(pattern)
    flip(path)
    result = call(*words)
    assert (result.code, result.err) == (0, "")
    assert f"{path.name} has not the SHA-256 it was written with); it is made again" in result.out
    assert_same(out, whole)


@pytest.mark.fault(
    "a byte of a run's scores flips before they are collected",
    "it is refused by its hash, and the run is done anew; the scores are the same bits",
)
def test_a_flipped_byte_in_a_result_is_found_and_mended(here, run_file, whole):
    out = here / "flipped"
    shutil.copytree(whole, out)
    flip(next(out.glob("unlearn/*-ga-*/scores.parquet")))
    (out / "scores.parquet").unlink()
    (out / "collected.json").unlink()
    result = call("study", "run", run_file, "--out", out, "--workers", 1)
    assert (result.code, result.err) == (0, "")
    assert "is damaged; it is made again" in result.out
    assert_same(out, whole)


@pytest.mark.fault(
    "a byte of a checkpoint of the study flips",
    "it is refused by its hash, and training begins anew; the model is the same bits",
)
def test_a_flipped_byte_in_a_checkpoint_costs_time_alone(here, run_file, whole, monkeypatch, caplog):
    (step,) = [step for step in plan_steps(load_study(run_file)) if step.kind == "pretrain"]
    out = here / "checkpoint"
    shutil.copytree(whole, out)
    shutil.rmtree(out / step.folder)
    monkeypatch.setattr("unequal.study.steps.pretrain.CHECKPOINT_EVERY", 2)

    def stop(done, _total):
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        step.run(out, stop)
    flip(out / step.folder / "checkpoints" / "step-0000002" / "optimiser.safetensors")
    seen = []
    step.run(out, lambda done, _total: seen.append(done))
    assert seen[0] == 0, "it went on from the damaged checkpoint"
    assert "is damaged (" in caplog.text and "; training begins anew" in caplog.text
    weights = f"{step.folder}/model/model.safetensors"
    assert (out / weights).read_bytes() == (whole / weights).read_bytes()


# --- two at once


@pytest.mark.fault(
    "two commands write into one study folder", "the second is refused in one sentence that names the first"
)
@pytest.mark.parametrize("words", [("study", "run", "small.toml", "--out"), ("analyze",), ("report",)])
def test_a_second_command_in_the_folder_is_refused(words, here, run_file, whole):
    held = here / f"held-{words[0]}"
    process = start("study", "run", run_file, "--out", held, "--workers", 1)
    wait_until((held / "study.json").exists, process)
    process.send_signal(signal.SIGSTOP)  # so that it is not done before the other asks
    (held / "scores.parquet").write_bytes((whole / "scores.parquet").read_bytes())
    given = [here / word if word.endswith(".toml") else word for word in words]
    result = call(*given, held)
    process.kill()
    finish(process)
    assert result.code == 2
    assert f"process {process.pid} on" in result.err
    assert f"is running a study in {held}; wait for it or" in result.err
    assert len(result.err.splitlines()) == 1
