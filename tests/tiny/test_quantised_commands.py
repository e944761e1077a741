"""A base in few bits from the command line: one run, and a study that starts from the rounded model."""

import json
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from command_line import call, toml
from study_settings import changed
from unequal.cli.options import extras
from unequal.facts.table import facts_frame, read_facts
from unequal.models import quantised
from unequal.study import preflight
from unequal.study.expand import plan_steps
from unequal.study.sources import study_settings

pytestmark = pytest.mark.full

pytest.importorskip("bitsandbytes")
pytest.importorskip("peft")
UNLEARN = {"steps": 2, "batch_size": 8, "adapter": {"rank": 4}, "quantise": "nf4"}
SCORES = ["step", "fact_id", "probe", "metric", "value"]


@pytest.fixture(scope="module")
def values():
    """A study of one run, whose facts are also attacked by rounding."""
    values = changed("unlearn", UNLEARN) | {"methods": [{"kind": "npo", "learning_rate": 1e-2}]}
    return values | {"seeds": [0], "attacks": ["nf4", {"kind": "relearn", "steps": 2}]}


@pytest.fixture(scope="module")
def study(values, tmp_path_factory):
    """The folder of the finished study."""
    folder = tmp_path_factory.mktemp("quantised")
    (folder / "run.toml").write_text(toml(values))
    result = call("study", "run", folder / "run.toml", "--out", folder / "out", "--workers", 1)
    assert result.code == 0, result.err
    return folder / "out"


@pytest.fixture(scope="module")
def here(study, tmp_path_factory):
    """A folder with facts to forget and to retain, and settings of a run."""
    folder = tmp_path_factory.mktemp("one_run")
    facts = read_facts(next(study.glob("corpus/*/data/facts.parquet")))
    chosen = {
        role: [fact for fact in facts if fact.role == role and fact.relation == "birth_city"][:6]
        for role in ("forget", "retain")
    }
    others = [fact for fact in facts if fact.role == "retain" and fact not in chosen["retain"]][:6]
    for role, some in {**chosen, "utility": others}.items():
        facts_frame(some).write_parquet(folder / f"{role}.parquet")
    facts_frame([*chosen["forget"], *chosen["retain"]]).write_parquet(folder / "judged.parquet")
    given = {"method": {"kind": "npo", "learning_rate": 1e-2}, "unlearn": UNLEARN}
    (folder / "run.toml").write_text(
        toml(given | {"prompts": {"question": "{question}"}, "allow_unknown": True})
    )
    return folder


@pytest.fixture(scope="module")
def words(here, study):
    model = next(study.glob("pretrain/*/model"))
    return ("unlearn", "--model", model, "--forget", here / "forget.parquet", "--retain",
            here / "retain.parquet", "--config", here / "run.toml")  # fmt: skip


@pytest.fixture(scope="module")
def unlearned(words, here):
    result = call(*words, "--out", here / "out")
    assert result.code == 0, result.err
    return here / "out"


def scores_of(folder: Path, step: int) -> pl.DataFrame:
    scores = pl.read_parquet(folder / "scores.parquet").filter(step=step).with_columns(step=0)
    return scores.select(SCORES).sort(SCORES[:-1])


def weights_of(study: Path) -> int:
    from unequal.models.load import load_model

    return load_model(next(study.glob("pretrain/*/model"))).num_parameters()


def test_the_model_of_a_run_is_plain_and_scores_as_it_was_last_judged(unlearned, here, study):
    result = call(
        "evaluate", "--model", unlearned / "model", "--out", here / "after",
        "--facts", here / "judged.parquet", "--config", _prompts(here),
    )  # fmt: skip
    assert result.code == 0, result.err
    after, last = scores_of(here / "after", 0), scores_of(unlearned, 2)
    both = after.join(last, on=["step", "fact_id", "probe", "metric"], suffix="_run")
    assert both.height > 50
    assert_frame_equal(
        both.select("value"), both.select(value="value_run"), check_exact=False, rel_tol=1e-5, abs_tol=1e-6
    )
    assert set(pl.read_parquet(unlearned / "scores.parquet")["n_params"]) == {weights_of(study)}
    assert json.loads((unlearned / "manifest.json").read_text())["settings"]["unlearn"]["quantise"] == "nf4"


def test_step_0_is_the_rounded_model(unlearned, here, words, study):
    plain = here / "plain.toml"
    plain.write_text((here / "run.toml").read_text().replace(', quantise = "nf4"', ""))
    result = call(*words[:-1], plain, "--out", here / "plain")
    assert result.code == 0, result.err
    assert not scores_of(here / "plain", 0).equals(scores_of(unlearned, 0))
    scores = pl.read_parquet(study / "scores.parquet").filter(
        step=0, metric="answer_log_prob", kind="probability", probe="question"
    )
    alone = scores_of(unlearned, 0).filter(metric="answer_log_prob", probe="question")
    both = alone.join(scores, on="fact_id", suffix="_study")
    assert both.height >= 6
    assert both["value"].to_list() == pytest.approx(both["value_study"].to_list(), rel=1e-5)


def test_a_study_of_it_is_analysed_and_its_rows_count_all_weights(study):
    scores = pl.read_parquet(study / "scores.parquet")
    assert set(scores["n_params"]) == {weights_of(study)}
    assert (study / "report.html").is_file()
    assert (study / "analysis").is_dir()


def test_rounding_once_more_changes_nothing_at_step_0(study):
    """The attack rounds what the baseline judged already, so that both are the same model."""
    scores = pl.read_parquet(next(study.glob("baseline/*")) / "scores.parquet").filter(probe="question")
    plain, rounded, relearned = (
        scores.filter(metric=name).select("fact_id", pl.col("value").alias(name))
        for name in ("answer_prob", "nf4_answer_prob", "relearn_answer_prob")
    )
    both = plain.join(rounded, on="fact_id").join(relearned, on="fact_id")
    assert both.height > 5
    assert both["nf4_answer_prob"].to_list() == pytest.approx(both["answer_prob"].to_list(), rel=1e-4)
    assert (both["relearn_answer_prob"] / both["answer_prob"] - 1).abs().max() > 1e-3


def test_only_where_it_is_set_do_folders_have_other_names(values):
    def folders(**unlearn):
        steps = plan_steps(study_settings(values | {"unlearn": unlearn}, "run.toml"))
        return {step.kind: step.folder for step in steps}

    plain = {name: value for name, value in UNLEARN.items() if name != "quantise"}
    before, after = folders(**plain), folders(**UNLEARN)
    assert {kind for kind in before if before[kind] != after[kind]} == {"baseline", "unlearn"}


def test_a_dry_run_and_the_doctor_know_it(values, tmp_path, monkeypatch):
    (tmp_path / "run.toml").write_text(toml(values))
    result = call("study", "run", tmp_path / "run.toml", "--out", tmp_path / "out", "--dry-run")
    assert result.code == 0
    assert "4 steps, 0 done" in result.out
    result = call("doctor", "--study", tmp_path / "run.toml", "--out", tmp_path / "out")
    assert result.code == 0
    assert "extra quantised: ready" in result.out
    assert "bitsandbytes" in extras()["quantised"]
    assert "peft" in extras()["quantised"]
    find = preflight.find_spec
    monkeypatch.setattr(preflight, "find_spec", lambda name: None if name == "bitsandbytes" else find(name))
    result = call("doctor", "--study", tmp_path / "run.toml", "--out", tmp_path / "out")
    assert result.code == 2
    said = "extra quantised: missing: bitsandbytes not installed; run: pip install 'unequal[quantised]'"
    assert said in result.out.replace("\n", " ")


def test_without_bitsandbytes_it_is_one_sentence(words, here, monkeypatch):
    monkeypatch.setattr(quantised, "find_spec", lambda _name: None)
    result = call(*words, "--out", here / "none")
    assert (result.code, result.out) == (2, "")
    assert "Traceback" not in result.err
    assert "pip install 'unequal[quantised]'" in result.err.replace("\n", " ")
    assert not list(here.glob("none*"))


def test_without_an_adapter_it_is_refused(words, here):
    run = here / "alone.toml"
    run.write_text((here / "run.toml").read_text().replace("adapter = { rank = 4 }, ", ""))
    result = call(*words[:-1], run, "--out", here / "alone")
    assert (result.code, result.out) == (2, "")
    said = result.err.replace("\n", " ")
    assert "quantise = 'nf4' keeps weights that cannot be trained; set adapter too" in said
    assert not list(here.glob("alone/*"))


def test_tune_searches_on_the_rounded_model(words, here, tmp_path):
    given = ("tune", *words[1:], "--utility", here / "utility.parquet", "--out", tmp_path / "tune.json")
    result = call(*given)
    assert result.code == 0, result.err
    trials = json.loads((tmp_path / "tune.json").read_text())["trials"]
    starts = {round(trial["looks"][0]["forget"], 7) for trial in trials}
    assert len(starts) == 1


def _prompts(here: Path) -> Path:
    path = here / "prompts.toml"
    path.write_text(toml({"prompts": {"question": "{question}"}}))
    return path
