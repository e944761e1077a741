"""A long unlearning run that was interrupted goes on to what it would have been, bit for bit."""

import copy
import json
import random
import shutil

import polars as pl
import pytest
import torch
from polars.testing import assert_frame_equal

from command_line import call, toml
from flipped_bytes import flipped
from gate import only_in_full, sample
from tiny_world import PROMPTS
from unequal.evaluation.evaluate import Evaluator
from unequal.evaluation.score_table import read_generations, read_scores
from unequal.facts.table import facts_frame
from unequal.scoring.perplexity import TextPass
from unequal.unlearning.methods import METHODS
from unequal.unlearning.methods.npo import NPO
from unequal.unlearning.run import Checkpoints, Run
from unequal.unlearning.settings import UnlearnSettings
from unequal.unlearning.stopping import Stopping
from unequal.unlearning.targets import Controls
from unequal.unlearning.unlearn import unlearn

STEPS = 7
pytestmark = pytest.mark.parametrize("model", ["gpt2"], indirect=True)

CASES = {
    "plain": ("npo", 1e-2, {}),
    "dual": ("adapop", 1e-2, {}),
    "primal-dual": ({"kind": "pdu", "dual": {"rate": 1.0, "budget": 0.1}}, 1e-2, {}),
    "sharpness": ("npo_sam", 1e-2, {}),
    "hidden states": ("rmu", 1e-2, {}),
    "done facts": ("ga", 3e-4, {"stopping": Stopping(matched_ignorance=True)}),
    "utility": ("ga", 8e-4, {"stopping": Stopping(utility_drop=0.1, check_every=2)}),
    "perplexity": ("ga", 8e-4, {"stopping": Stopping(perplexity_rise=0.3, check_every=2)}),
    "weights": ("npo", 1e-2, {"weighting": {"by": "confidence", "acts_on": "beta"}}),
    "schedule": ("npo", 1e-2, {"schedule": "cosine", "warmup_share": 0.3}),
}


class KilledError(Exception):
    """Stands for the end of the process."""


@pytest.fixture
def roles(facts, tokenizer):
    chosen = {role: [fact for fact in facts if fact.role == role] for role in ("forget", "retain", "utility")}
    forget = chosen["forget"][:6]
    relations = {fact.relation for fact in forget}
    never = [fact for fact in facts if fact.role == "never_seen" and fact.relation in relations]
    text = TextPass(tokenizer, [f"{fact.answer} {fact.answer}" for fact in forget], n_tokens=80, window=32)
    return forget, chosen["retain"][:6], Controls(chosen["utility"][:4], never, text)


@pytest.fixture
def run(model, tokenizer, roles, tmp_path):
    """Unlearn; returns the weights at the end and at each judged step, and which facts pulled last."""
    forget, retain, controls = roles

    def start(case, killed_at=None, every=0, dropout=0.0, judged=None):
        copied = copy.deepcopy(model)
        for module in copied.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = dropout
        kind, rate, settings = CASES[case]
        table = {"kind": kind} if isinstance(kind, str) else kind
        method = METHODS.get(table["kind"]).model_validate({**table, "learning_rate": rate})
        chosen = UnlearnSettings.model_validate({"steps": STEPS, "batch_size": 4, **settings})
        judged = {} if judged is None else judged

        def judge(model, step, last):
            judged[step] = ({name: value.clone() for name, value in model.state_dict().items()}, last)

        def progress(done, _total):
            if done == killed_at:
                raise KilledError

        run = Run(
            copied, tokenizer, method, forget, retain if method.retain_weight or method.dual else [], chosen,
            PROMPTS, 0, controls, Checkpoints(tmp_path / case, every) if every else None, judge, progress,
        )  # fmt: skip
        unlearn(run)
        return judged

    return start


def same(one, other):
    assert sorted(one) == sorted(other)
    for step, (weights, last) in one.items():
        assert other[step][1] == last
        assert all(torch.equal(value, other[step][0][name]) for name, value in weights.items()), step


@pytest.mark.parametrize(
    ("case", "killed_at"),
    [
        *sample([(case, 3) for case in CASES], 5),
        *only_in_full(("plain", 2), ("plain", 4), ("plain", 6), ("utility", 5)),
    ],
)
def test_killed_at_any_step_it_ends_as_if_it_had_not_been(case, killed_at, run, tmp_path):
    whole = run(case)
    judged = {}
    with pytest.raises(KilledError):
        run(case, killed_at, every=2, judged=judged)
    assert [path.name for path in tmp_path.glob(f"{case}/*")] == (
        [f"step-{2 * ((killed_at - 1) // 2):07d}"] if killed_at > 2 else []  # killed before it was kept
    )
    again = run(case, every=2, judged=judged)
    same(whole, again)


def test_the_rules_are_at_work_in_these_runs(run):
    """Else nothing would be remembered that matters: all end early, but not before they are killed."""
    assert 3 < max(run("done facts")) < STEPS
    assert list(run("utility")) == [0, 1, 2, 5, 4]  # judged at 5, and at the end what was good at 4
    assert list(run("perplexity")) == [0, 1, 2, 5, 4]


def test_random_streams_go_on_too(run):
    whole, judged = run("plain", dropout=0.3), {}
    with pytest.raises(KilledError):
        run("plain", 5, every=2, dropout=0.3, judged=judged)
    same(whole, run("plain", every=2, dropout=0.3, judged=judged))
    assert not torch.equal(*(kept[STEPS][0]["lm_head.weight"] for kept in (whole, run("plain"))))


def test_a_checkpoint_without_what_the_run_remembers_is_damaged(run, tmp_path, caplog):
    with pytest.raises(KilledError):
        run("plain", 5, every=2)
    next((tmp_path / "plain").iterdir()).joinpath("memory.safetensors").unlink()
    same(run("plain", every=2), run("plain"))
    assert "memory.safetensors is missing); training begins anew" in caplog.text


# --- the command


@pytest.fixture
def words(model, tokenizer, roles, tmp_path):
    """Words of a run of the command with a checkpoint after every second step."""
    model.save_pretrained(tmp_path / "model")
    tokenizer.save_pretrained(tmp_path / "model")
    forget, retain, controls = roles
    for name, facts in (("forget", forget), ("retain", retain), ("utility", controls.utility)):
        facts_frame(facts).write_parquet(tmp_path / f"{name}.parquet")
    run = {"method": {"kind": "npo", "learning_rate": 1e-3}, "unlearn": {"steps": STEPS, "batch_size": 4}}
    run |= {"allow_unknown": True}  # so small a model says none of its facts
    (tmp_path / "run.toml").write_text(toml({**run, "probes": ["question", "cloze"]}))
    files = [
        word
        for name in ("forget", "retain", "utility")
        for word in (f"--{name}", tmp_path / f"{name}.parquet")
    ]
    return ["unlearn", "--model", tmp_path / "model", *files, "--config", tmp_path / "run.toml"]


def evaluations(monkeypatch, fail_at):
    """Let the evaluation of that number fail, and return the list of those that began."""
    begun, whole = [], Evaluator.run

    def run(evaluator, model):
        begun.append(len(begun))
        if len(begun) == fail_at:
            raise KeyboardInterrupt
        return whole(evaluator, model)

    monkeypatch.setattr(Evaluator, "run", run)
    return begun


@pytest.mark.full
@pytest.mark.parametrize("fail_at", [4, 5], ids=["in the middle", "at the last evaluation"])
def test_the_same_command_finishes_an_interrupted_run(fail_at, words, tmp_path, monkeypatch):
    assert call(*words, "--out", tmp_path / "whole").code == 0
    assert not (tmp_path / "whole.unfinished").exists()
    out = tmp_path / "cut"
    words = [*words, "--checkpoint-every", 2, "--out", out]
    with monkeypatch.context() as patch:
        evaluations(patch, fail_at)
        assert call(*words).code == 130
    assert not out.exists()
    assert (tmp_path / "cut.unfinished" / "end").exists() == (fail_at == 5)
    with monkeypatch.context() as patch:
        begun = evaluations(patch, None)
        assert call(*words).code == 0
    assert len(begun) == {4: 2, 5: 1}[fail_at]  # steps 0, 1, 2, 5 and 7 are judged; only what lacks is
    assert not (tmp_path / "cut.unfinished").exists()
    for name in ("config.json", "model.safetensors"):
        assert (out / "model" / name).read_bytes() == (tmp_path / "whole" / "model" / name).read_bytes()
    for read, table in ((read_scores, "scores"), (read_generations, "generations")):
        whole, cut = (read(tmp_path / run / f"{table}.parquet").drop("run_id") for run in ("whole", "cut"))
        assert_frame_equal(cut, whole, check_exact=True)


@pytest.mark.full
def test_an_unfinished_run_of_other_settings_is_not_gone_on_with(words, tmp_path, monkeypatch):
    words = [*words, "--checkpoint-every", 2, "--out", tmp_path / "cut"]
    with monkeypatch.context() as patch:
        evaluations(patch, 4)
        assert call(*words).code == 130
    result = call(*words, "--seed", 5)
    assert result.code == 2
    assert "cut.unfinished holds an unfinished run of other settings or facts" in result.err
    assert call(*words[:-3], 3, *words[-2:]).code == 0  # how often it is kept may change


@pytest.mark.full
def test_nothing_is_kept_on_the_way_where_it_was_not_asked_for(words, tmp_path, monkeypatch):
    evaluations(monkeypatch, 4)
    assert call(*words, "--out", tmp_path / "cut").code == 130
    assert not list(tmp_path.glob("*cut*"))


@pytest.mark.full
def test_the_model_at_the_end_is_kept_before_it_is_judged(words, tmp_path, monkeypatch):
    """A run that fails as it is judged for the last time has lost no training, asked for or not."""
    words = [*words, "--out", tmp_path / "cut"]
    with monkeypatch.context() as patch:
        evaluations(patch, 5)
        assert call(*words).code == 130
    assert (tmp_path / "cut.unfinished" / "end" / "model" / "model.safetensors").is_file()
    with monkeypatch.context() as patch:
        begun = evaluations(patch, None)
        assert call(*words).code == 0
    assert len(begun) == 1
    assert set(read_scores(tmp_path / "cut" / "scores.parquet")["step"]) == {0, 1, 2, 5, 7}
    assert not (tmp_path / "cut.unfinished").exists()


def test_a_run_that_cannot_begin_keeps_nothing(words, tmp_path):
    (tmp_path / "run.toml").write_text(
        toml({"method": "task_vector", "unlearn": {"weighting": {"by": "count"}}})
    )
    result = call(*words, "--checkpoint-every", 2, "--out", tmp_path / "cut")
    assert result.code == 2
    assert "minimises no loss" in result.err
    assert not list(tmp_path.glob("cut*"))


@pytest.mark.full
@pytest.mark.fault(
    "a single run of unlearning diverges",
    "one message names the batch; the last good model and all scores so far are kept beside the output",
)
def test_a_run_that_diverges_keeps_its_last_good_model(words, tmp_path, monkeypatch):
    out, diverged = tmp_path / "run", tmp_path / "run.diverged"
    run = {"method": {"kind": "npo", "learning_rate": 1e-3}, "probes": ["question"], "allow_unknown": True}
    (tmp_path / "run.toml").write_text(toml({**run, "unlearn": {"steps": 3}}))
    assert call(*words, "--out", tmp_path / "three").code == 0
    whole = NPO.forget_loss

    def broken(method, scores):
        losses.append(1)
        return whole(method, scores) * (float("nan") if len(losses) > 3 else 1.0)

    losses = []
    monkeypatch.setattr(NPO, "forget_loss", broken)
    (tmp_path / "run.toml").write_text(toml({**run, "unlearn": {"steps": 9}}))
    result = call(*words, "--out", out, "--checkpoint-every", 2)
    assert result.code == 2
    assert "the loss is nan at step 4, the model before that step and all scores so far are in" in result.err
    assert f"{diverged}; lower the learning rate (in its batch: p" in result.err
    assert not out.exists()
    assert not (tmp_path / "run.unfinished").exists()
    assert set(read_scores(diverged / "scores.parquet")["step"]) == {0, 1, 2}
    kept = json.loads((diverged / "manifest.json").read_text())["diverged"]
    assert (kept["step"], kept["what"]) == (4, "the loss is nan at step 4")
    same_weights = [folder / "model" / "model.safetensors" for folder in (diverged, tmp_path / "three")]
    assert same_weights[0].read_bytes() == same_weights[1].read_bytes()
    losses.clear()
    assert call(*words, "--out", out, "--seed", 3).code == 2, "another try may follow at once"


@pytest.mark.full
@pytest.mark.fault(
    "a byte of an interrupted unlearning's kept files flips, or one is cut or emptied",
    "the same command notes it in one line and ends with the same bits",
)
@pytest.mark.parametrize("fail_at", [4, 5], ids=["in the middle", "at the last evaluation"])
def test_nothing_damaged_is_gone_on_with(fail_at, words, tmp_path, monkeypatch, caplog):
    run = {
        "method": {"kind": "npo", "learning_rate": 1e-3},
        "unlearn": {"steps": STEPS},
        "allow_unknown": True,
    }
    (tmp_path / "run.toml").write_text(toml({**run, "probes": ["question"], "allow_unknown": True}))
    assert call(*words, "--out", tmp_path / "whole").code == 0
    out, chance = tmp_path / "cut", random.Random(f"unfinished {fail_at}")
    words = [*words, "--checkpoint-every", 2, "--out", out]
    with monkeypatch.context() as patch:
        evaluations(patch, fail_at)
        assert call(*words).code == 130
    kept = tmp_path / "kept"
    (tmp_path / "cut.unfinished").rename(kept)
    files = [
        "config.json",
        "evaluated/1/scores.parquet",
        "evaluated/2/generations.parquet",
        "evaluated/2/SHA256SUMS",
    ]
    at_end = ["end/step.json", "end/model/model.safetensors"]
    on_the_way = ["checkpoints/step-0000004/state.json", "checkpoints/step-0000004/memory.safetensors"]
    files += at_end if fail_at == 5 else on_the_way
    for file in files:
        shutil.rmtree(out, ignore_errors=True)
        shutil.copytree(kept, tmp_path / "cut.unfinished")
        path, data = tmp_path / "cut.unfinished" / file, (kept / file).read_bytes()
        path.write_bytes(flipped(data, chance.randrange(len(data)), chance.randrange(1, 256)))
        caplog.clear()
        result = call(*words)
        assert result.code == 0, (file, result.err)
        assert sum("is damaged" in note for note in caplog.messages) == 1, (file, caplog.messages)
        assert not (tmp_path / "cut.unfinished").exists()
        for name in ("scores", "generations"):
            whole, cut = (pl.read_parquet(one / f"{name}.parquet") for one in (tmp_path / "whole", out))
            assert_frame_equal(cut.drop("run_id"), whole.drop("run_id"), check_exact=True)
