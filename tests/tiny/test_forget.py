"""Forgetting in one command: from a checkpoint and facts to an unlearned checkpoint that was audited."""

import tomllib

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import unequal as uq
from answering_models import FACTS, PEOPLE, write_model
from command_line import call
from unequal.facts.write import write_facts
from unequal.forgetting import run as forgetting
from unequal.models.load import load_tokenizer

METHODS = ("--methods", "ga,npo")
WORDS = ("--attacks", "int8", "--steps", "4", "--budget", "60%")
ROLES = ["forget"] * 4 + ["retain"] * 2 + ["utility"] * 2


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    """A folder with a model that answers in a chat's sentences, and tables with and without roles."""
    folder = tmp_path_factory.mktemp("forget")
    write_model("sentences in a chat", folder / "model")
    bare = [fact.model_copy(update={"role": None}) for fact in FACTS]
    write_facts(bare, folder / "bare.csv")
    with_roles = [fact.model_copy(update={"role": role}) for fact, role in zip(FACTS, ROLES, strict=True)]
    write_facts(with_roles, folder / "facts.csv")
    unknown = [
        fact.model_copy(update={"object": "Nowhere", "answer": "Nowhere", "distractors": ()}) for fact in bare
    ]
    write_facts(unknown, folder / "unknown.csv")
    return folder


def words(here, out, table="facts.csv", *more):
    methods = () if "--methods" in more else METHODS
    given = ("--model", here / "model", "--facts", here / table, "--out", here / out)
    return ("forget", *given, *WORDS, *methods, *more)


@pytest.fixture(scope="module")
def done(here):
    result = call(*words(here, "out"))
    assert (result.code, result.err) == (0, ""), result.out + result.err
    return result.out


def test_the_result_is_a_model_its_audit_a_card_and_a_file_that_repeats_it(here, done):
    out = here / "out"
    made = {path.name for path in out.iterdir()}
    assert made == {
        "model", "audit.html", "audit.json", "facts.parquet", "evidence.parquet", "methods.parquet",
        "facts_by_role.jsonl", "forget.toml",
    }  # fmt: skip
    assert not (here / "out.unfinished").exists()
    said = uq.evaluate(out / "model", here / "facts.csv", probes=["question"])
    assert said.known.said < 1.0
    card = (out / "model" / "README.md").read_text()
    assert "Attacks: int8" in card
    assert "In general: perplexity of held-out text " in card
    assert not any(name in card for name in PEOPLE)
    assert load_tokenizer(out / "model").chat_template
    again = call("forget", "--config", out / "forget.toml", "--out", here / "again")
    assert again.code == 0, again.err
    for name in ("methods.parquet", "evidence.parquet"):
        first, second = (pl.read_parquet(here / one / name) for one in ("out", "again"))
        assert_frame_equal(first.drop("seconds", strict=False), second.drop("seconds", strict=False))


def test_it_says_how_it_asks_what_it_knew_and_what_each_method_did(done):
    assert "in its chat template: 100% said" in done
    assert "known before: 4 of 4 facts (100%)" in done
    assert "ga, learning rate" in done
    assert "npo, learning rate" in done
    assert "kept" in done
    assert "to repeat this: unequal forget --config" in done


def test_roles_are_filled_in_from_the_table_with_facts_that_the_model_says(here):
    result = call(*words(here, "filled", "bare.csv", "--n-forget", "4", "--methods", "ga"))
    assert result.code == 0, result.err
    assert "facts to retain: 2 of the same relation that the model says" in result.out
    facts = pl.read_ndjson(here / "filled" / "facts_by_role.jsonl")
    counts = dict(facts["role"].value_counts().iter_rows())
    assert (counts["forget"], counts["retain"], counts["utility"]) == (4, 2, 2)
    assert counts["never_seen"] > 0


def test_a_dry_run_says_what_will_be_done_and_writes_nothing(here):
    result = call(*words(here, "dry", "facts.csv", "--dry-run"))
    assert result.code == 0, result.err
    assert "facts: 4 to forget, 2 to retain, 2 untouched" in result.out
    assert "time: about" in result.out
    assert not (here / "dry").exists()
    assert not (here / "dry.unfinished").exists()


def test_a_model_that_knows_under_a_tenth_stops_with_the_next_step(here):
    result = call(*words(here, "nothing", "unknown.csv"))
    assert result.code == 2
    assert "says 0 of the 8 facts to forget" in result.err
    assert "unequal evaluate" in result.err
    assert not (here / "nothing").exists()


def test_an_interrupted_run_goes_on_with_what_it_has_tried(here, done, monkeypatch):
    calls = []
    real = forgetting.try_method

    def interrupted(checkpoint, run, *others):
        calls.append(run.method.kind)
        if calls == ["ga", "npo"]:
            raise KeyboardInterrupt
        return real(checkpoint, run, *others)

    monkeypatch.setattr(forgetting, "try_method", interrupted)
    assert call(*words(here, "killed")).code == 130
    other = call(*words(here, "killed", "facts.csv", "--seed", "9"))
    assert other.code == 2
    assert "unfinished run of other settings" in other.err
    result = call(*words(here, "killed"))
    assert result.code == 0, result.err
    assert calls == ["ga", "npo", "npo"]
    first, second = (pl.read_parquet(here / one / "evidence.parquet") for one in ("out", "killed"))
    assert_frame_equal(first, second)


def test_time_stops_further_methods_but_never_the_first(here):
    result = call(*words(here, "short", "facts.csv", "--time", "0.0001"))
    assert result.code == 0, result.err
    assert "npo was not tried: the 0.0001 minutes were over" in result.out
    assert pl.read_parquet(here / "short" / "methods.parquet")["method"].to_list() == ["ga"]


def test_a_policy_decides_the_exit_code(here):
    policy = here / "policy.toml"
    policy.write_text("max_left = 0.0\nmin_facts = 100\n")
    result = call(*words(here, "policed", "facts.csv", "--methods", "ga", "--policy", policy))
    assert result.code == 3
    assert "policy: min_facts = 100: found 4" in result.out


def test_in_python_it_takes_models_and_facts_in_memory_and_gives_a_model(here, tmp_path):
    model = uq.load(here / "model")
    facts = uq.read_facts(here / "bare.csv").sample(4, seed=1)
    found = uq.forget(model, facts, tmp_path / "out", methods=["ga"], attacks=[], steps=4, budget=0.6)
    assert "made to forget" in str(found.summary)
    assert found.methods["kept"].to_list() == [True]
    assert "<table>" in found._repr_html_()
    assert found.audit.facts.filter(role="forget").height == 4
    assert uq.evaluate(found.model, facts, probes=["question"]).known.said < 1.0
    assert uq.evaluate(model, facts, probes=["question"]).known.said == 1.0


def test_the_file_that_repeats_a_run_is_toml_with_all_that_was_found(here, done):
    values = tomllib.loads((here / "out" / "forget.toml").read_text())
    assert values["prompts"]["chat"] is True
    assert [one["kind"] for one in values["methods"]] == ["ga", "npo"]
    assert values["facts"].endswith("facts_by_role.jsonl")
