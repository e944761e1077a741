"""General utility: perplexity against the model's own logits, degenerate texts, and where it is written."""

import copy
import json
import math
from dataclasses import replace

import polars as pl
import pytest
import torch

from answering_models import FACTS, PLAIN, write_model
from command_line import call
from tiny_world import PROMPTS, run_of
from unequal.errors import ConfigError, DataError, MissingExtraError
from unequal.evaluation.evaluate import evaluate
from unequal.evaluation.general_table import GENERAL_SCHEMA, changes, sentences
from unequal.facts.probes import PromptFormat
from unequal.facts.write import write_facts
from unequal.general_utility.measure import GeneralUtility, NoTextError, held_out_text
from unequal.general_utility.settings import GeneralSettings
from unequal.models.checkpoint import load
from unequal.scoring import perplexity
from unequal.scoring.perplexity import TextPass, TextScore
from unequal.study.stages.partial_run import PartialRun
from unequal.unlearning.early_stopping import EarlyStopping
from unequal.unlearning.methods import METHODS
from unequal.unlearning.stopping import Stopping
from unequal.unlearning.targets import Controls
from unequal.unlearning.unlearn import unlearn

TEXT = [
    "Arlo Venn was born in the city of Torvale.",
    "In which city was Bess Quill born? Bess Quill was born in the city of Minstead.",
    "Question: In which city was Cato Marsh born?",
    "A",
]
QUICK = {"n_tokens": 24, "window": 16, "n_open_prompts": 2}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("general") / "model"
    write_model("the answer alone", folder)
    return folder


@pytest.fixture(scope="module")
def loaded(folder):
    return load(folder)


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    path = tmp_path_factory.mktemp("text") / "text.jsonl"
    path.write_text("\n".join(json.dumps({"text": one}) for one in TEXT))
    return str(path)


def by_hand(model, rows):
    """Return the summed log-probability of every token but the first of each row."""
    total = 0.0
    for ids in rows:
        with torch.no_grad():
            logits = model(input_ids=torch.tensor([ids])).logits[0, :-1].double().log_softmax(1)
        total += logits.gather(1, torch.tensor(ids[1:])[:, None]).sum().item()
    return total


@pytest.mark.parametrize("budget", [8, 512])
def test_perplexity_is_exp_of_the_mean_over_all_scored_tokens(loaded, monkeypatch, budget):
    monkeypatch.setattr(perplexity, "TOKEN_BUDGET", budget)
    model, tokenizer = loaded
    rows = [tokenizer(one)["input_ids"][:12] for one in TEXT]
    scored = [ids for ids in rows if len(ids) > 1]
    found = TextPass(tokenizer, TEXT, n_tokens=1000, window=12).run(model.eval())
    n_tokens = sum(len(ids) - 1 for ids in scored)
    expected = by_hand(model, scored)
    assert found.n_tokens == n_tokens
    assert found.log_prob == pytest.approx(expected, rel=1e-5)
    assert found.perplexity == pytest.approx(math.exp(-expected / n_tokens), rel=1e-5)
    n_bytes = sum(len(tokenizer.decode(ids[1:]).encode()) for ids in scored)
    assert found.bits_per_byte == pytest.approx(-expected / math.log(2) / n_bytes, rel=1e-5)


def test_just_as_many_tokens_are_scored_as_were_asked_for(loaded):
    _, tokenizer = loaded
    assert [TextPass(tokenizer, TEXT, n, 12).n_tokens for n in (1, 5, 11, 12, 20)] == [1, 5, 11, 12, 20]


def test_a_destroyed_model_has_a_finite_perplexity():
    assert math.isfinite(TextScore(-1e9, 10, 40).perplexity)


def test_text_that_cannot_be_used_has_a_reason(loaded, text, tmp_path):
    model, tokenizer = loaded
    with pytest.raises(NoTextError, match=r"general\.text is none"):
        held_out_text(GeneralSettings(text="none"), model, tokenizer, FACTS)
    (tmp_path / "named.jsonl").write_text(json.dumps({"text": "Arlo Venn sleeps."}))
    only = GeneralSettings(text=str(tmp_path / "named.jsonl"))
    with pytest.raises(NoTextError, match="no passage of prose that names none of the facts' subjects"):
        held_out_text(only, model, tokenizer, FACTS)
    found = GeneralUtility(only, model, tokenizer, FACTS).measure(model)
    row = found.row(0, named=True)
    assert (row["measure"], row["value"]) == ("perplexity", None)
    assert "names none of the facts' subjects" in row["reason"]
    with pytest.raises(DataError, match=r"general\.text 'nowhere' matches no file"):
        GeneralUtility(GeneralSettings(text="nowhere"), model, tokenizer, FACTS)


def test_made_up_words_have_no_perplexity_of_real_text(model, tokenizer, facts):
    if tokenizer.unk_token_id is None:
        pytest.skip("this tokenizer knows every byte")
    with pytest.raises(NoTextError, match="unknown to the tokenizer"):
        held_out_text(GeneralSettings(), model, tokenizer, facts)


def test_answers_that_are_not_to_be_forgotten_and_open_prompts_are_looked_at(loaded, text):
    model, tokenizer = loaded
    prompts = PromptFormat(question=PLAIN)
    tables = evaluate(model, tokenizer, FACTS, prompts, probes=["question"])
    settings = GeneralSettings(text=text, **QUICK)
    found = GeneralUtility(settings, model, tokenizer, FACTS, prompts).added(model, tables).general
    assert found.schema == GENERAL_SCHEMA
    rows = {(row["measure"], row["of"]): row for row in found.iter_rows(named=True)}
    assert {key: row["n"] for key, row in rows.items()} == {
        ("perplexity", text): 1,  # of the letter alone: the other passages name a subject to forget
        ("bits_per_byte", text): 1,
        ("degenerate_share", "answers"): sum(fact.role == "utility" for fact in FACTS),
        ("degenerate_share", "open prompts"): 2,
    }
    assert rows["degenerate_share", "answers"]["value"] == 0
    silent = tables.generations.with_columns(generation=pl.lit("the the the"))
    measured = GeneralUtility(settings, model, tokenizer, FACTS, prompts).measure(model, silent)
    assert measured.filter(of="answers")["value"].item() == 1


def test_general_utility_may_be_measured_never_or_without_some_part(loaded):
    model, tokenizer = loaded
    tables = evaluate(model, tokenizer, FACTS, PROMPTS, probes=["question"], metrics=["answer_said"])
    never = GeneralUtility(GeneralSettings(when="never", text="nowhere"), model, tokenizer, FACTS)
    assert never.added(model, tables) is tables
    bare = GeneralUtility(GeneralSettings(text=None, n_open_prompts=0), model, tokenizer, FACTS)
    assert bare.measure(model).is_empty()
    assert sentences(changes(bare.measure(model), bare.measure(model))) == []


def test_settings_come_back_from_what_they_are_written_as():
    for settings in (GeneralSettings(text=None), GeneralSettings(text="a/*.jsonl"), GeneralSettings()):
        written = settings.model_dump(mode="json", exclude_none=True)
        assert GeneralSettings.model_validate(written) == settings
    assert GeneralSettings(text=None).model_dump()["text"] == "none"


def test_tasks_of_lm_eval_are_rows_too(loaded, tmp_path):
    pytest.importorskip("lm_eval")
    from unequal.lm_eval_bridge.export import export_tasks
    from unequal.lm_eval_bridge.run import run_tasks
    from unequal.lm_eval_bridge.settings import TaskSettings

    model, tokenizer = loaded
    prompts = PromptFormat(question=PLAIN)
    names = export_tasks(FACTS, prompts, tmp_path / "tasks", "ours")
    tasks = TaskSettings(tasks=["ours"], task_dir=tmp_path / "tasks")
    settings = GeneralSettings(text=None, n_open_prompts=0, lm_eval=tasks)
    found = GeneralUtility(settings, model, tokenizer, FACTS, prompts).measure(model)
    alone = run_tasks(model, tokenizer, tasks)
    assert names
    assert found["value"].to_list() == alone["value"].to_list()
    assert found["of"].to_list() == alone["task"].to_list()
    assert found["standard_error"].to_list() == alone["standard_error"].to_list()


def test_tasks_without_lm_eval_are_refused_before_any_work(loaded, monkeypatch):
    monkeypatch.setattr("unequal.lm_eval_bridge.run.find_spec", lambda _: None)
    settings = GeneralSettings.model_validate({"lm_eval": {"tasks": "arc_easy"}})
    with pytest.raises(MissingExtraError, match="lm-eval"):
        GeneralUtility(settings, *loaded, FACTS)


def test_a_run_ends_when_perplexity_rose_too_far_and_keeps_the_model_before(loaded):
    model, tokenizer = copy.deepcopy(loaded.model), loaded.tokenizer
    forget = [fact for fact in FACTS if fact.role == "forget"]
    text = TextPass(tokenizer, TEXT, 40, 16)
    rules = {"perplexity_rise": 0.05}
    ended, kept = [], []
    run = run_of(model, tokenizer, METHODS.get("ga")(learning_rate=3e-3), forget, steps=30, stopping=rules)
    run = replace(
        run, controls=Controls(text=text), on_stop=ended.append,
        evaluate=lambda model, step, _last: kept.append((step, text.run(model).perplexity)),
    )  # fmt: skip
    before = text.run(model.eval()).perplexity
    unlearn(run)
    (stopped,) = ended
    assert (stopped.rule, stopped.kept_step) == ("perplexity", stopped.step - 1)
    assert kept[-1] == (stopped.kept_step, pytest.approx(text.run(model.eval()).perplexity))
    assert kept[-1][1] <= 1.05 * before
    assert "the perplexity of held-out text rose by" in stopped.sentence()
    assert f"({before:.1f} → " in stopped.sentence()


def test_a_rule_about_perplexity_needs_text(loaded):
    run = run_of(*loaded, METHODS.get("ga")(), FACTS[:2], stopping={"perplexity_rise": 0.1})
    with pytest.raises(ConfigError, match="perplexity_rise needs held-out text"):
        EarlyStopping(run)
    assert Stopping(perplexity_rise=0.1, check_every=2).is_set


@pytest.fixture
def unlearning(folder, text, tmp_path):
    forget = [fact for fact in FACTS if fact.role == "forget"]
    write_facts(forget, tmp_path / "forget.csv")
    prose = tmp_path / "prose.txt"
    prose.write_text("It rains in the city. The city was born in which question? " * 4)
    words = ("unlearn", "--model", folder, "--forget", tmp_path / "forget.csv", "--method", "ga",
             "--learning-rate", 1e-3, "--prompts.question", PLAIN, "--probes", "question",
             "--general.n-open-prompts", 1, "--out", tmp_path / "out")  # fmt: skip
    return lambda *more, steps=2, text=prose: call(*words, "--steps", steps, "--general.text", text, *more)


@pytest.mark.parametrize(("when", "steps"), [("ends", {0, 2}), ("steps", {0, 1, 2}), ("never", set())])
def test_unlearn_writes_general_utility_of_the_steps_asked_for(unlearning, tmp_path, when, steps):
    done = unlearning("--general.when", when)
    assert done.code == 0, done.err
    path = tmp_path / "out" / "general.parquet"
    assert path.is_file() == (when != "never")
    assert ("perplexity of held-out text" in done.out) == (when != "never")
    if steps:
        table = pl.read_parquet(path)
        assert set(table["step"]) == steps
        assert set(table["run_id"]) == {"out"}
        assert table.filter(measure="perplexity")["value"].is_not_null().all()
        assert "general.parquet" in (tmp_path / "out" / "SHA256SUMS").read_text()


def test_unlearn_stops_by_perplexity_on_the_command_line(unlearning, tmp_path):
    done = unlearning("--perplexity-rise", 0, steps=9)
    assert done.code == 0, done.err
    assert "of 9: the perplexity of held-out text rose by" in done.out
    assert json.loads((tmp_path / "out" / "manifest.json").read_text())["stopped"]["rule"] == "perplexity"
    refused = unlearning("--perplexity-rise", 0, text="none")
    assert refused.code == 2
    assert "general.text is none" in refused.err


def test_evaluate_writes_general_utility_and_removes_that_of_before(folder, text, tmp_path):
    write_facts(FACTS, tmp_path / "facts.csv")
    words = ("evaluate", "--model", folder, "--facts", tmp_path / "facts.csv", "--out", tmp_path / "out",
             "--probes", "question", "--general.n-tokens", 24)  # fmt: skip
    done = call(*words)
    assert done.code == 0, done.err
    assert "perplexity of held-out text" in done.out
    assert (tmp_path / "out" / "general.parquet").is_file()
    assert call(*words, "--general.when", "never").code == 0
    assert not (tmp_path / "out" / "general.parquet").exists()


def test_tasks_of_lm_eval_run_before_and_after_on_the_command_line(unlearning, tmp_path):
    pytest.importorskip("lm_eval")
    from unequal.lm_eval_bridge.export import export_tasks

    export_tasks(FACTS, PromptFormat(question=PLAIN), tmp_path / "tasks", "ours")
    tasks = ("--general.lm-eval.task-dir", tmp_path / "tasks", "--general.lm-eval.tasks")
    done = unlearning(*tasks, "ours_question", text="none")
    assert done.code == 0, done.err
    assert "exact_match" in done.out
    assert " of ours_question 1.000 → " in done.out
    refused = unlearning(*tasks, "theirs", text="none")
    assert refused.code == 2
    assert "no task 'theirs' in lm-eval" in refused.err


def test_an_unfinished_run_keeps_what_was_measured(loaded, tmp_path):
    tables = evaluate(*loaded, FACTS, PROMPTS, probes=["question"], metrics=["answer_said"])
    general = GeneralUtility(GeneralSettings(n_tokens=9, n_open_prompts=0), *loaded, FACTS).measure(
        loaded.model
    )
    partial = PartialRun(tmp_path / "out", {})
    partial.keep(2, replace(tables, general=general))
    assert partial.evaluated()[2].general.equals(general)
