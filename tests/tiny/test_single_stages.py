"""Each stage alone, as a newcomer runs it: corpus, pretrain, unlearn, evaluate."""

import json
import random
import shlex
import shutil
import signal

import polars as pl
import pytest
import torch
from polars.testing import assert_frame_equal
from transformers import AutoModelForCausalLM, AutoTokenizer

from command_line import call, finish, group_members, start, toml, tree
from flipped_bytes import flipped
from study_settings import changed
from unequal.checksums import write_checked_json
from unequal.evaluation.score_table import SCORE_KEY, read_generations, read_scores
from unequal.facts.table import facts_frame, read_facts
from waiting import wait_until

SMALL = changed()


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    """A folder with settings files for each stage."""
    folder = tmp_path_factory.mktemp("stages")
    values = {"world": SMALL["world"], "corpus": SMALL["corpus"], "prompts": SMALL["prompts"]}
    (folder / "corpus.toml").write_text(toml(values))
    steps = {"model": SMALL["models"][0], "pretrain": {"batch_windows": 1}, "checkpoint_every": 50}
    (folder / "pretrain.toml").write_text(toml(steps))
    method = {"kind": "npo", "learning_rate": 1e-3, "beta": 0.2}
    run = {"method": method, "prompts": SMALL["prompts"], "unlearn": {"steps": 5, "batch_size": 4}}
    run |= {"allow_unknown": True}  # so small a model says none of its facts
    (folder / "unlearn.toml").write_text(toml(run))
    (folder / "prompts.toml").write_text(toml({"prompts": SMALL["prompts"]}))
    (folder / "tune.toml").write_text(toml({"prompts": SMALL["prompts"], "allow_unknown": True}))
    return folder


@pytest.fixture(scope="module")
def corpus(here):
    result = call("corpus", "--out", here / "corpus", "--config", here / "corpus.toml", "--seed", 3)
    assert result.code == 0, result.err
    return here / "corpus"


@pytest.fixture(scope="module")
def pretrain_words(here, corpus):
    return ("pretrain", "--corpus", corpus, "--config", here / "pretrain.toml", "--seed", 4)


@pytest.fixture(scope="module")
def model(here, pretrain_words):
    result = call(*pretrain_words, "--out", here / "trained")
    assert result.code == 0, result.err
    assert result.out.startswith(f"the model is in {here / 'trained' / 'model'}\n")
    return here / "trained" / "model"


@pytest.fixture(scope="module")
def tables(here, corpus):
    """Fact tables of people to forget, to retain, and never to touch."""
    facts = read_facts(corpus / "facts.parquet")
    for role in ("forget", "retain", "utility"):
        facts_frame([fact for fact in facts if fact.role == role][:6]).write_parquet(here / f"{role}.parquet")
    return here


def test_a_corpus_depends_on_its_settings_alone(here, corpus):
    result = call("corpus", "--out", here / "again", "--config", here / "corpus.toml", "--seed", 3)
    assert result.code == 0
    assert f"its ledger is {here / 'again' / 'ledger.parquet'}" in result.out
    for path in corpus.rglob("*"):
        if path.is_file():
            assert (here / "again" / path.relative_to(corpus)).read_bytes() == path.read_bytes(), path
    result = call("corpus", "--out", here / "again", "--config", here / "corpus.toml", "--seed", 5)
    assert result.code == 0  # a corpus may replace a corpus
    assert (here / "again" / "facts.parquet").read_bytes() != (corpus / "facts.parquet").read_bytes()


def test_the_model_loads_with_transformers(model):
    network, tokenizer = AutoModelForCausalLM.from_pretrained(model), AutoTokenizer.from_pretrained(model)
    assert network.config.model_type == "gpt2"
    assert network.config.n_embd == 16
    ids = tokenizer("Where was", return_tensors="pt")["input_ids"]
    with torch.no_grad():
        made = network.generate(ids, max_new_tokens=3, do_sample=False)
    assert made.shape[1] <= ids.shape[1] + 3
    assert not list(model.glob("*.bin"))


def test_the_training_folder_says_what_made_it(model):
    folder = model.parent
    settings = json.loads((folder / "config.json").read_text())
    assert (settings["seed"], settings["model"]["family"]) == (4, "gpt2")
    losses = json.loads((folder / "metrics.json").read_text())["losses"]
    assert losses[-1]["loss"] < losses[0]["loss"]
    assert "git_revision" in json.loads((folder / "manifest.json").read_text())


@pytest.mark.fault("a training of its own is killed", "the same command goes on to the same weights")
def test_a_killed_training_goes_on_to_the_same_weights(here, model, pretrain_words):
    out = here / "killed"
    process = start(*pretrain_words, "--out", out)
    wait_until(lambda: any((out / "checkpoints").glob("step-*")), process)
    process.kill()
    assert finish(process).code == -signal.SIGKILL
    assert not group_members(process.pid)
    assert not (out / "model").exists()
    assert call(*pretrain_words, "--out", out).code == 0
    for name in ("model/model.safetensors", "metrics.json"):
        assert (out / name).read_bytes() == (model.parent / name).read_bytes()


@pytest.mark.full
@pytest.mark.fault(
    "a byte of a killed training's kept files flips, or of the finished model",
    "the same command notes it in one line and ends with the same weights and losses",
)
def test_nothing_damaged_is_trained_on(here, model, pretrain_words, caplog):
    out, chance = here / "struck", random.Random(17)
    process = start(*pretrain_words, "--out", out)
    wait_until(lambda: any((out / "checkpoints").glob("step-*")), process)
    process.kill()
    finish(process)
    kept = here / "kept"
    out.rename(kept)
    files = ["config.json", "checkpoints/losses.json", "model.safetensors", "state.json", "SHA256SUMS"]
    for name in files:
        shutil.copytree(kept, out)
        path = out / name if "json" in name and name != "state.json" else next(out.rglob(name))
        data = path.read_bytes()
        path.write_bytes(flipped(data, chance.randrange(len(data)), chance.randrange(1, 256)))
        caplog.clear()
        result = call(*pretrain_words, "--out", out)
        assert result.code == 0, (name, result.err)
        assert sum("is damaged" in note for note in caplog.messages) == 1, (name, caplog.messages)
        for made in ("model/model.safetensors", "metrics.json"):
            assert (out / made).read_bytes() == (model.parent / made).read_bytes(), name
        assert not list(out.rglob(".*.tmp"))
        if name != files[-1]:
            shutil.rmtree(out)
    path = out / "model" / "model.safetensors"
    path.write_bytes(flipped(path.read_bytes(), 300))
    assert call(*pretrain_words, "--out", out).code == 0
    assert path.read_bytes() == (model / "model.safetensors").read_bytes()
    assert "is damaged (model.safetensors has not the SHA-256" in caplog.text
    shutil.rmtree(out)


def test_a_training_that_cannot_begin_leaves_no_folder(here, pretrain_words, corpus):
    broken = here / "broken"
    shutil.copytree(corpus, broken)
    shard = next((broken / "windows").iterdir())
    shard.write_bytes(flipped(shard.read_bytes(), 200))
    before = tree(here)
    words = [broken if word == corpus else word for word in pretrain_words]
    result = call(*words, "--out", here / "new")
    assert result.code == 2
    assert "is damaged" in result.err
    assert tree(here) == before


def test_a_finished_training_is_not_done_again(here, model, pretrain_words):
    before = tree(model)
    result = call(*pretrain_words, "--out", model.parent)
    assert result.code == 0
    assert result.out.startswith(f"the model is in {model}\n")
    assert tree(model) == before


def test_a_folder_begun_with_another_corpus_is_refused(here, corpus, model, pretrain_words):
    """Even one at the same place: weights of two corpora must not be mixed."""
    made_from = corpus / "manifest.json"
    kept = made_from.read_text()
    other = json.loads(kept.replace('"seed": 3', '"seed": 8'))
    other.pop("sha256")
    write_checked_json(made_from, other)
    result = call(*pretrain_words, "--out", model.parent)
    made_from.write_text(kept)
    assert result.code == 2
    assert "was begun with other settings" in result.err


def test_other_settings_may_not_go_on_in_the_folder(here, model, pretrain_words):
    before = tree(here)
    result = call(*pretrain_words[:-1], 5, "--out", model.parent)
    assert result.code == 2
    assert result.err == (
        f"unequal: {model.parent} was begun with other settings; choose another --out or delete it\n"
    )
    assert tree(here) == before


def test_unlearning_takes_the_facts_of_a_corpus_as_they_stand(here, corpus, model, pretrain_words):
    """The next command that is printed runs, and no table has to be split by role."""
    printed = call(*pretrain_words, "--out", model.parent).out
    command = next(line for line in printed.splitlines() if line.startswith("next: unequal "))
    words = shlex.split(command.removeprefix("next: unequal "))
    place = words.index("--out")
    out = here / "with_roles"
    result = call(*words[:place], "--config", here / "unlearn.toml", "--unlearn.steps", 1, "--out", out)
    assert result.code == 0, result.err
    scores = pl.read_parquet(out / "scores.parquet")
    assert set(scores["role"]) == {"forget", "retain", "utility", "never_seen"}
    facts = corpus / "facts.parquet"
    chosen = words[place - 4 : place - 2]
    assert chosen[0] == "--relations"
    audited = ("audit", "--before", model, "--after", out / "model", "--facts", facts, *chosen)
    more = ("--attacks", "none", "--allow-unknown", "--out", here / "audited")
    assert call(*audited, *more).code in (0, 3)


def test_unlearning_alone(here, model, tables):
    out = here / "forgotten"
    files = ("--forget", tables / "forget.parquet", "--retain", tables / "retain.parquet")
    words = ("unlearn", "--model", model, *files, "--utility", tables / "utility.parquet")
    result = call(*words, "--config", here / "unlearn.toml", "--out", out)
    assert result.code == 0, result.err
    assert "Before and after" in result.out
    assert f"the unlearned model is in {out / 'model'}\n" in result.out
    scores = read_scores(out / "scores.parquet")
    assert scores.select(SCORE_KEY).is_duplicated().sum() == 0
    assert set(scores["step"]) == {0, 1, 2, 5}
    assert set(scores["role"]) == {"forget", "retain", "utility"}
    assert set(scores["method"]) == {"npo"}
    assert set(read_generations(out / "generations.parquet")["step"]) == {0, 1, 2, 5}
    settings = json.loads((out / "manifest.json").read_text())["settings"]
    assert settings["method"]["beta"] == 0.2
    before = AutoModelForCausalLM.from_pretrained(model).state_dict()
    after = AutoModelForCausalLM.from_pretrained(out / "model").state_dict()
    assert any(not torch.equal(before[name], weight) for name, weight in after.items())
    value = pl.col("metric").eq("answer_log_prob") & pl.col("probe").eq("question")
    means = scores.filter(value & pl.col("role").eq("forget")).group_by("step").agg(pl.col("value").mean())
    by_step = dict(means.rows())
    assert by_step[5] < by_step[0]
    again = call(*words, "--config", here / "unlearn.toml", "--out", out)  # replaces its own result
    assert again.code == 0
    assert_frame_equal(read_scores(out / "scores.parquet"), scores, check_exact=True)


def test_a_flag_wins_over_the_file(here, model, tables):
    out = here / "shorter"
    words = ("unlearn", "--model", model, "--forget", tables / "forget.parquet", "--out", out)
    flags = ("--method", "ga", "--steps", 1, "--learning-rate", "1e-4", "--seed", 9)
    (here / "longer.toml").write_text(
        toml({"unlearn": {"steps": 5}, "method": {"kind": "npo"}, "allow_unknown": True})
    )
    assert call(*words, *flags, "--config", here / "longer.toml").code == 0
    settings = json.loads((out / "manifest.json").read_text())["settings"]
    assert (settings["method"]["kind"], settings["method"]["learning_rate"]) == ("ga", 1e-4)
    assert (settings["unlearn"]["steps"], settings["seed"]) == (1, 9)
    assert set(read_scores(out / "scores.parquet")["step"]) == {0, 1}


def test_judging_alone_agrees_with_the_scores_of_unlearning(here, model, tables):
    out = here / "judged"
    words = ("evaluate", "--model", model, "--facts", tables / "forget.parquet", "--out", out)
    result = call(*words, "--config", here / "prompts.toml")
    assert result.code == 0, result.err
    assert f"all scores are in {out / 'scores.parquet'}\n" in result.out
    aggregates = pl.read_parquet(out / "aggregates.parquet")
    assert {"true_false_dprime", "forget_quality", "loss_auc"} < set(aggregates["aggregate"])
    assert set(aggregates.filter(pl.col("value").is_null())["reason"]) == {
        "there are no never-seen facts to compare with"
    }
    scores = read_scores(out / "scores.parquet")
    assert scores.filter(pl.col("value").is_null() & pl.col("reason").is_null()).is_empty()
    keys = ["fact_id", "probe", "metric"]
    start_of_run = read_scores(here / "forgotten" / "scores.parquet").filter(
        (pl.col("step") == 0) & (pl.col("role") == "forget") & (pl.col("probe") == "question")
    )
    mine = scores.filter(pl.col("probe") == "question")
    assert set(mine["metric"]) - set(start_of_run["metric"]) == {"min_k_plus_plus_40"}  # needs the moments
    mine = mine.filter(pl.col("metric") != "min_k_plus_plus_40")
    assert_frame_equal(
        mine.select(*keys, "value").sort(keys), start_of_run.select(*keys, "value").sort(keys), abs_tol=1e-5
    )


@pytest.mark.full
@pytest.mark.parametrize("command", ["analyze", "report"])
def test_results_of_one_stage_can_be_analysed_or_the_reason_is_said(command, here, model, tables):
    for folder in ("forgotten", "judged"):
        result = call(command, here / folder)
        assert result.code in (0, 2)
        assert "Traceback" not in result.err


def test_a_rate_is_searched_and_a_rerun_goes_on(here, model, tables, monkeypatch):
    from unequal.study.stages import tune

    words = (
        "tune", "--model", model, "--forget", tables / "forget.parquet",
        "--retain", tables / "retain.parquet", "--utility", tables / "utility.parquet",
        "--method", "graddiff", "--steps", 9, "--utility-drop", 0.5,
        "--config", here / "tune.toml", "--out", here / "tune.json",
    )  # fmt: skip
    made, whole = [], tune._Trials.run

    def stopped_after_six(trials, method, rate, steps):
        if len(made) == 6:
            raise KeyboardInterrupt
        made.append((method, rate, steps))
        return whole(trials, method, rate, steps)

    monkeypatch.setattr(tune._Trials, "run", stopped_after_six)
    assert call(*words).code == 130
    assert len(json.loads((here / "tune.json").read_text())["trials"]) == 6
    monkeypatch.setattr(
        tune._Trials, "run", lambda trials, *trial: made.append(trial) or whole(trials, *trial)
    )
    result = call(*words)
    assert result.code == 0, result.err
    assert "use learning_rate = " in result.out or "no rate forgets anything" in result.out
    assert len(made) == len(set(made)) == 13
    whole_run = json.loads((here / "tune.json").read_text())["trials"]
    assert call(*words, "--seed", 1).code == 2
    again = call(*words[:-1], here / "again.json")
    assert again.code == 0
    assert json.loads((here / "again.json").read_text())["trials"] == whole_run
