"""Models that answer in sentences or go on after the line break are known to know, in every command."""

import json

import polars as pl
import pytest

from answering_models import ANSWERS, FACTS, prompts, write_model
from command_line import call
from unequal.analysis.analyze import read_analysis
from unequal.facts.table import facts_frame

STYLES = list(ANSWERS)
RUN = '[method]\nkind = "graddiff"\nlearning_rate = 1e-3\n'


def write_facts(folder):
    folder.mkdir(exist_ok=True)
    for role in ("forget", "utility"):
        facts_frame([one for one in FACTS if one.role == role]).write_parquet(folder / f"{role}.parquet")


@pytest.fixture(scope="module", params=STYLES)
def known(request, tmp_path_factory):
    """A folder with a model, its facts by role, and settings that ask as it was trained."""
    folder = tmp_path_factory.mktemp("known")
    write_model(request.param, folder / "model")
    write_facts(folder)
    (folder / "prompts.toml").write_text(prompts(request.param))
    return folder


def command(known, *words, settings="prompts.toml"):
    facts = ["--model", known / "model", "--config", known / settings]
    return call(*words[:1], *facts, *words[1:])


@pytest.mark.full
def test_evaluation_finds_every_fact_known_and_says_by_which_reading(known):
    result = command(known, "evaluate", "--facts", known / "forget.parquet", "--out", known / "scores")
    assert result.code == 0, result.err
    assert "known: 6 of 6 facts (100%), by answer_said" in result.out
    scores = pl.read_parquet(known / "scores/scores.parquet").filter(pl.col("probe") == "question")
    assert scores.filter(pl.col("metric") == "answer_said")["value"].to_list() == [1.0] * 6
    assert {"exact_match", "contains_answer"} <= set(scores["metric"])


@pytest.mark.full
def test_unlearning_and_tuning_begin_with_known_facts_and_say_what_they_advise(known):
    files = ("--forget", known / "forget.parquet", "--utility", known / "utility.parquet")
    (known / "run.toml").write_text(f"{(known / 'prompts.toml').read_text()}{RUN}")
    ran = command(
        known, "unlearn", *files, "--retain", known / "utility.parquet", "--steps", "1", "--out",
        known / "unlearned", settings="run.toml",
    )  # fmt: skip
    assert ran.code == 2  # the same facts in two roles
    ran = command(
        known, "unlearn", *files, "--method", "ga", "--learning-rate", "1e-2", "--steps", "9",
        "--utility-drop", "0.05", "--out", known / "unlearned",
    )  # fmt: skip
    assert ran.code == 0, ran.err
    assert "known: 6 of 6 facts (100%), by answer_said" in ran.out
    assert "of 9: untouched answers lost" in ran.out
    kept = json.loads((known / "unlearned/manifest.json").read_text())["stopped"]
    assert kept["rule"] == "utility" and kept["kept_step"] < kept["step"] <= 9
    (known / "tune.toml").write_text(
        f"{(known / 'prompts.toml').read_text()}[search]\nn_rates = 2\nlowest = 1e-4\nhighest = 1e-3\n"
    )
    tuned = command(
        known, "tune", *files, "--method", "ga", "--steps", "2", "--out", known / "tune.json",
        settings="tune.toml",
    )  # fmt: skip
    assert tuned.code == 0, tuned.err
    assert "no rate forgets" in tuned.out or "--utility-drop 0.1" in tuned.out


def test_a_model_that_says_nothing_is_not_unlearned(tmp_path):
    known = tmp_path.parent / f"{tmp_path.name}-facts"
    write_facts(known)
    write_model("sentences", tmp_path / "model", steps=1)
    files = ("--forget", known / "forget.parquet", "--utility", known / "utility.parquet", "--method", "ga")
    for name in ("unlearn", "tune"):
        result = call(name, "--model", tmp_path / "model", *files, "--out", tmp_path / name)
        assert result.code == 2
        assert "says none of the 6 facts to forget" in result.err and "allow_unknown" in result.err
        assert {path.name for path in tmp_path.iterdir()} == {"model"}
    asked = call(
        "evaluate",
        "--model",
        tmp_path / "model",
        "--facts",
        known / "forget.parquet",
        "--out",
        tmp_path / "s",
    )
    assert "known: 0 of 6 facts (0%)" in asked.out


@pytest.mark.full
def test_attacks_are_judged_by_the_same_reading(known):
    result = command(
        known, "attack", "--facts", known / "forget.parquet", "--kind", "int8", "--out", known / "attacked"
    )
    assert result.code == 0, result.err
    scores = pl.read_parquet(known / "attacked/scores.parquet")
    said = scores.filter(pl.col("metric") == "int8_answer_said")["value"]
    assert said.to_list() == [1.0] * 6


def write_run_file(folder, model, prompts, rule="utility_drop", rate=1e-2):
    """Write the run file of a study of one run on a model, and its facts."""
    bare = [one.model_copy(update={"role": None, "exposure": None, "count": None}) for one in FACTS]
    rows = facts_frame(bare).with_columns(seen=pl.Series(range(1, len(FACTS) + 1)))
    rows.drop("role", "exposure", "count", strict=False).write_parquet(folder / "people.parquet")
    (folder / "run.toml").write_text(
        f"""
name = "answers"
source = "checkpoints"
seeds = [0]
methods = [{{kind = "ga", learning_rate = {rate}}}]
targets = [{{relation = "people"}}]
checkpoints = [{{model = "{model}"}}]
counts = {{column = "seen"}}
split = {{buckets = {{n_bins = 2}}, retain_share = 0.2, utility_share = 0.2}}
unlearn = {{steps = 9, batch_size = 8, stopping = {{{rule} = 0.05}}}}
evaluate = {{probes = ["question"], probes_between = ["question"]}}
facts = {{tables = [{{name = "people", file = "{folder / "people.parquet"}"}}]}}
{prompts}"""
    )


@pytest.mark.full
@pytest.mark.parametrize("known", ["sentences that go on", "sentences in a chat"], indirect=True)
def test_a_study_finds_the_facts_known_and_a_run_that_stops_says_so(known, tmp_path):
    write_run_file(tmp_path, known / "model", (known / "prompts.toml").read_text())
    result = call("study", "run", tmp_path / "run.toml", "--out", tmp_path / "study", "--workers", 1)
    assert result.code == 0, result.err
    before = read_analysis(tmp_path / "study").known.filter(pl.col("metric") == "said")
    assert set(before["value"]) == {1.0}
    (stopped,) = json.loads((tmp_path / "study/stopped.json").read_text())
    assert stopped["rule"] == "utility"
    report = (tmp_path / "study/report.html").read_text()
    assert f"One run ended early by a stopping rule (utility 1), such as {stopped['run']}" in report


@pytest.mark.full
def test_a_study_of_checkpoints_stops_by_the_perplexity_of_real_text(tmp_path):
    write_model("the answer alone", tmp_path / "model")
    write_run_file(tmp_path, tmp_path / "model", prompts("the answer alone"), "perplexity_rise", 1e-1)
    result = call("study", "run", tmp_path / "run.toml", "--out", tmp_path / "study", "--workers", 1)
    assert result.code == 0, result.err
    (stopped,) = json.loads((tmp_path / "study/stopped.json").read_text())
    assert stopped["rule"] == "perplexity"
    assert stopped["why"].startswith("the perplexity of held-out text rose by ")


@pytest.mark.full
def test_a_study_of_models_that_say_nothing_ends_before_it_unlearns(tmp_path):
    write_model("sentences", tmp_path / "model", steps=1)
    write_run_file(tmp_path, tmp_path / "model", prompts("sentences"))
    result = call("study", "run", tmp_path / "run.toml", "--out", tmp_path / "study", "--workers", 1)
    assert result.code == 2
    assert "the models of the study say none of the" in result.err and "allow_unknown" in result.err
    assert not list((tmp_path / "study").glob("unlearn/*/scores.parquet"))
