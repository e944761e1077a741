"""The prompt format stored with a model: commands ask by it unless they are told otherwise."""

import shutil

import polars as pl
import pytest

import hidden_knowledge as world
from command_line import call
from unequal.facts.probes import PromptFormat
from unequal.facts.table import facts_frame
from unequal.files import read_json
from unequal.models.load import load_tokenizer
from unequal.models.stored_prompts import read_prompts, stored_prompts, write_prompts

NOTE = "as stored with it"
QUESTION = "Answer shortly. {question}"
TEMPLATE = "{% for message in messages %}{{ message['content'] }} {% endfor %}"


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    """A folder with a model, the same one with a prompt format stored, and facts to forget and retain."""
    folder = tmp_path_factory.mktemp("stored")
    world.hiding().save_pretrained(folder / "plain")
    world.tokenizer().save_pretrained(folder / "plain")
    shutil.copytree(folder / "plain", folder / "stored")
    write_prompts(PromptFormat(question=QUESTION), folder / "stored")
    people = world.people()
    for role in ("forget", "retain", "utility"):
        found = [fact for fact in people if fact.role == ("retain" if role == "utility" else role)]
        alone = [fact.model_copy(update={"role": None}) for fact in found]
        half = alone[:4] if role != "utility" else alone[4:8]
        facts_frame(half).write_parquet(folder / f"{role}.parquet")
    return folder


def evaluated(here, model, out, *words):
    result = call(
        "evaluate", "--model", here / model, "--facts", here / "forget.parquet", "--out", here / out,
        "--probes", "question", *words,
    )  # fmt: skip
    assert (result.code, result.err) == (0, "")
    return result.out, pl.read_parquet(here / out / "scores.parquet").select("fact_id", "metric", "value")


def test_a_stored_format_is_used_and_flags_win(here):
    said, stored = evaluated(here, "stored", "by-store")
    assert f"is asked by '{QUESTION}', {NOTE}" in said
    said, given = evaluated(here, "plain", "by-flag", "--prompts.question", QUESTION)
    assert NOTE not in said
    assert stored.equals(given)
    default = PromptFormat().question
    said, flag = evaluated(here, "stored", "flag-wins", "--prompts.question", default)
    assert NOTE not in said
    said, plain = evaluated(here, "plain", "default")
    assert NOTE not in said
    assert flag.equals(plain)
    assert not flag.equals(stored)


def test_a_config_file_wins_too(here, tmp_path):
    (tmp_path / "run.toml").write_text('[prompts]\nquestion = "{question}"\n')
    assert NOTE not in evaluated(here, "stored", "config-wins", "--config", tmp_path / "run.toml")[0]


def test_the_unlearned_model_is_asked_as_the_first_and_its_run_says_how(here):
    out = here / "unlearned"
    words = ["--method", "ga", "--steps", 1, "--probes", "question", "--allow-unknown"]
    result = call(
        "unlearn", "--model", here / "stored", "--forget", here / "forget.parquet", "--out", out, *words
    )
    assert (result.code, result.err) == (0, "")
    assert NOTE in result.out
    assert read_json(out / "manifest.json")["settings"]["prompts"]["question"] == QUESTION
    assert read_prompts(out / "model") == PromptFormat(question=QUESTION)
    assert "prompts.json" in (out / "model" / "SHA256SUMS").read_text()
    facts = ["--facts", here / "forget.parquet"]
    audited = ["--before", here / "plain", "--after", out / "model", *facts, "--attacks", "none"]
    for command in (
        ["attack", "--model", out / "model", *facts, "--attacks", "paraphrase"],
        ["audit", *audited, "--allow-unknown"],
    ):
        result = call(*command, "--out", here / command[0])
        assert (result.code in {0, 3}, result.err) == (True, "")
        assert NOTE in result.out
    assert read_json(here / "audit" / "audit.json")["settings"]["prompts"]["question"] == QUESTION


def test_trials_hold_the_stored_format(here):
    roles = []
    for role in ("forget", "retain", "utility"):
        roles += [f"--{role}", here / f"{role}.parquet"]
    result = call(
        "tune", "--model", here / "stored", *roles, "--method", "ga", "--steps", 1, "--out",
        here / "tune.json", "--search.n-rates", 2, "--allow-unknown",
    )  # fmt: skip
    assert (result.code, result.err) == (0, "")
    assert NOTE in result.out
    assert read_json(here / "tune.json")["settings"]["prompts"]["question"] == QUESTION


def test_without_a_store_a_command_asks_in_plain_text_and_python_in_the_chat_template(here, tmp_path):
    tokenizer = load_tokenizer(here / "plain")
    assert stored_prompts(here / "plain", tokenizer) == PromptFormat()
    tokenizer.chat_template = TEMPLATE
    assert read_prompts(here / "plain") is None
    assert stored_prompts(here / "plain", tokenizer) == PromptFormat(chat=True)


@pytest.mark.parametrize(
    "prompts",
    [
        PromptFormat(),
        PromptFormat(chat=True, system="Be brief."),
        PromptFormat(chat=True, question="Question: {question} Answer:"),
        PromptFormat(question="{question}", stop=("\n\n",)),
    ],
)
def test_a_format_is_read_as_it_was_written(tmp_path, prompts):
    write_prompts(prompts, tmp_path)
    assert read_prompts(tmp_path) == prompts
