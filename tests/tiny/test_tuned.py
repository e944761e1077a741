"""Several methods tuned by the same number of trials, and unlearning with what the file of trials says."""

import json
import re
import shlex

import polars as pl
import pytest

import hidden_knowledge as people_world
from command_line import call, toml
from unequal.checksums import read_checked_json, write_checked_json
from unequal.facts.table import facts_frame


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    """A folder with a model that knows some people, and one table of them with roles."""
    folder = tmp_path_factory.mktemp("tuned")
    people_world.knowing().save_pretrained(folder / "model")
    people_world.tokenizer().save_pretrained(folder / "model")
    people = people_world.people()
    forget = [fact for fact in people if fact.role == "forget"]
    kept = [fact for fact in people if fact.role == "retain"]
    utility = [fact.model_copy(update={"role": "utility"}) for fact in kept[4:]]
    facts_frame([*forget[:6], *kept[:4], *utility]).write_parquet(folder / "facts.parquet")
    prompts = people_world.PROMPTS.model_dump(mode="json", exclude_defaults=True)
    (folder / "prompts.toml").write_text(toml({"prompts": prompts}))
    return folder


@pytest.fixture(scope="module")
def words(here):
    return (
        "tune", "--model", here / "model", "--facts", here / "facts.parquet",
        "--config", here / "prompts.toml",
        "--methods", "ga,npo", "--steps", 9, "--search.n-rates", 3, "--utility-drop", 0.5, "--allow-unknown",
    )  # fmt: skip


@pytest.fixture(scope="module")
def tuned(here, words):
    result = call(*words, "--out", here / "tune.json")
    assert result.code == 0, result.err
    return result.out


def test_methods_have_the_same_number_of_trials_and_one_is_found(here, tuned):
    assert "best of 4 trials each" in tuned
    assert re.search(r"(ga|npo) forgets most within 50% of utility: \d+% of the answer probability", tuned)
    trials = json.loads((here / "tune.json").read_text())["trials"]
    assert [trial["method"] for trial in trials] == ["ga"] * 4 + ["npo"] * 4


@pytest.mark.parametrize("begins", ["next: unequal ", "or, with every setting of the trials: unequal "])
def test_the_next_command_runs_as_it_stands(here, tuned, tmp_path, begins):
    line = next(line for line in tuned.splitlines() if line.startswith(begins))
    given = shlex.split(line.removeprefix(begins))
    out = tmp_path / "unlearned"
    more = () if "--tuned" in given else ("--config", here / "prompts.toml", "--allow-unknown")
    result = call(*given[: given.index("--out")], *more, "--probes", "question", "--out", out)
    assert result.code == 0, result.err
    settings = json.loads((out / "manifest.json").read_text())["settings"]
    assert settings["unlearn"]["steps"] == 9
    assert settings["unlearn"]["stopping"]["utility_drop"] == 0.5
    best = re.search(r"use learning_rate = (\S+)", tuned)[1]
    assert f"{settings['method']['learning_rate']:.3g}" == best
    assert re.search(rf"{settings['method']['kind']} forgets most", tuned)
    assert set(pl.read_parquet(out / "scores.parquet")["role"]) == {"forget", "retain", "utility"}


def test_flags_beside_the_file_win(here, tuned, tmp_path):
    other = "ga" if "npo forgets most" in tuned else "npo"
    pl.read_parquet(here / "facts.parquet").filter(role="forget").write_parquet(tmp_path / "few.parquet")
    given = ("--method", other, "--steps", 2, "--utility-drop", 1, "--method.retain-weight", 0)
    words = ("unlearn", "--tuned", here / "tune.json", *given, "--forget", tmp_path / "few.parquet")
    no_rule = call(*words, "--probes", "question", "--out", tmp_path / "out")
    assert (
        "utility_drop needs facts of the role utility" in no_rule.err
    )  # its facts are not those of the file
    utility = ("--utility", tmp_path / "utility.parquet")
    pl.read_parquet(here / "facts.parquet").filter(role="utility").write_parquet(utility[1])
    result = call(*words, *utility, "--probes", "question", "--out", tmp_path / "out")
    assert result.code == 0, result.err
    settings = json.loads((tmp_path / "out" / "manifest.json").read_text())["settings"]
    assert (settings["method"]["kind"], settings["unlearn"]["steps"]) == (other, 2)
    assert settings["unlearn"]["stopping"]["utility_drop"] == 1
    trials = json.loads((here / "tune.json").read_text())["trials"]
    assert settings["method"]["learning_rate"] in {
        trial["rate"] for trial in trials if trial["method"] == other
    }


def test_a_killed_search_goes_on_with_the_next_method(here, words, tuned, tmp_path, monkeypatch):
    from unequal.study.stages import tune

    held = read_checked_json(here / "tune.json", "")
    write_checked_json(tmp_path / "tune.json", {**held, "trials": held["trials"][:5]})
    unfinished = call("unlearn", "--tuned", tmp_path / "tune.json", "--out", tmp_path / "out")
    assert unfinished.code == 2
    assert "is unfinished: 5 of 8 trials are made; the same unequal tune makes the rest" in unfinished.err
    made, whole = [], tune._Trials.run
    monkeypatch.setattr(tune._Trials, "run", lambda self, *trial: made.append(trial) or whole(self, *trial))
    assert call(*words, "--out", tmp_path / "tune.json").code == 0
    assert len(made) == 3
    assert json.loads((tmp_path / "tune.json").read_text()) == json.loads((here / "tune.json").read_text())


def test_wrong_files_and_methods_are_one_sentence(here, tuned, tmp_path):
    (tmp_path / "other.json").write_text("{}")
    cases = {
        ("--tuned", tmp_path / "none.json"): "there is no file of trials",
        ("--tuned", tmp_path / "other.json"): "holds no trials",
        ("--tuned", here / "facts.parquet"): "holds no trials",
        ("--tuned", here / "tune.json", "--method", "idk"): "has no trials of idk",
    }
    for given, said in cases.items():
        result = call("unlearn", *given, "--out", tmp_path / "out")
        assert result.code == 2
        assert said in result.err
        assert result.err.count("\n") == 1


def test_a_search_needs_methods_and_untouched_facts(here, words, tmp_path):
    given = words[1:7]
    both = call("tune", *given, "--method", "ga", "--methods", "npo", "--out", tmp_path / "t.json")
    assert "give one of method and methods" in both.err
    twice = call("tune", *given, "--methods", "npo,npo", "--out", tmp_path / "t.json")
    assert "method npo stands twice" in twice.err
    pl.read_parquet(here / "facts.parquet").filter(role="forget").write_parquet(tmp_path / "few.parquet")
    few = ("--model", here / "model", "--facts", tmp_path / "few.parquet")
    without = call("tune", *few, "--method", "ga", "--out", tmp_path / "t.json")
    assert "tune needs untouched facts" in without.err
