"""lm-eval on a loaded model: any task of a folder, and our probes as tasks that score what we score."""

import copy
import json

import numpy as np
import pytest
import torch

from command_line import call
from short_training import taught_model
from tiny_world import PROMPTS
from unequal.errors import ConfigError, DataError, MissingExtraError, UserError
from unequal.evaluation.metrics import METRICS
from unequal.evaluation.metrics.contract import ProbeRecord
from unequal.facts.probes import PROBE_KINDS, ProbeMaker, PromptFormat
from unequal.facts.write import write_facts
from unequal.lm_eval_bridge.export import export_tasks
from unequal.lm_eval_bridge.run import run_tasks
from unequal.lm_eval_bridge.settings import TaskSettings
from unequal.scoring.generate import generate
from unequal.scoring.log_probs import log_probs

pytest.importorskip("lm_eval")


@pytest.fixture(scope="module")
def some(facts):
    return facts[::6]


@pytest.fixture(scope="module")
def trained(corpus, some, tokenizer):
    """A model that was taught every second fact, so that no score is 0 or 1."""
    return taught_model(corpus, tokenizer, some[::2], steps=60)


@pytest.fixture(scope="module")
def exported(some, tmp_path_factory):
    folder = tmp_path_factory.mktemp("exported") / "tasks"
    return folder, export_tasks(some, PROMPTS, folder, "ours")


@pytest.fixture(scope="module")
def scores(exported, trained, tokenizer):
    return judged(trained, tokenizer, exported[0], "ours")


def judged(model, tokenizer, folder, *tasks):
    found = run_tasks(model, tokenizer, TaskSettings(tasks=tasks, task_dir=folder, batch_size=7))
    return {(row["task"], row["metric"]): row for row in found.iter_rows(named=True)}


def probes_of(some, kind):
    maker = ProbeMaker(some, PROMPTS, n_variants=2)
    return [probe for fact in some for probe in maker.probes(fact, [kind])]


def most_probable(model, tokenizer, probes):
    """Return the mean of our own choice accuracy by the summed log-probability."""
    value = METRICS.get("choice_accuracy_sum").value
    scores = zip(probes, log_probs(model, tokenizer, probes), strict=True)
    return np.mean([value(ProbeRecord(probe, scores=score)) for probe, score in scores])


@pytest.mark.parametrize("kind", PROBE_KINDS)
def test_choices_score_what_our_pass_scores(kind, scores, exported, some, trained, tokenizer):
    row = scores[f"ours_{kind}_choice", "acc"]
    probes = probes_of(some, kind)
    assert row["value"] == most_probable(trained, tokenizer, probes)
    assert row["n"] == exported[1][f"ours_{kind}_choice"] == len(probes)
    assert row["higher_is_better"]


@pytest.mark.parametrize("kind", ["question", "paraphrase", "reverse"])
def test_generated_answers_score_what_exact_match_scores(kind, scores, some, trained, tokenizer):
    probes = probes_of(some, kind)
    texts = generate(trained, tokenizer, probes)
    metric = METRICS.get("exact_match").value
    ours = [metric(ProbeRecord(probe, text)) for probe, text in zip(probes, texts, strict=True)]
    assert scores[f"ours_{kind}", "exact_match"]["value"] == np.mean(ours)


def test_some_facts_are_known_and_some_are_not(scores):
    assert 0.3 < scores["ours_question", "exact_match"]["value"] < 0.7
    assert 0.3 < scores["ours_question_choice", "acc"]["value"] < 0.9


def test_it_is_the_model_given_that_is_judged_and_nothing_else_is_touched(exported, trained, tokenizer, some):
    broken = copy.deepcopy(trained)
    with torch.no_grad():
        for weight in broken.parameters():
            weight.zero_()
    torch.manual_seed(3)
    expected = torch.get_rng_state()
    row = judged(broken, tokenizer, exported[0], "ours_question_choice")["ours_question_choice", "acc"]
    assert torch.equal(torch.get_rng_state(), expected)
    assert all(not weight.any() for weight in broken.parameters())
    assert row["value"] < 0.6  # every choice ties, and lm-eval takes the first: the place is drawn


def test_a_task_of_ones_own(tmp_path, trained, tokenizer, some):
    rows = [{"q": PROMPTS.ask(fact.question), "a": fact.answer, "b": "nobody"} for fact in some[::2]]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    data = {"test": str(tmp_path / "rows.jsonl")}
    (tmp_path / "mine.yaml").write_text(
        f"task: mine\ndataset_path: json\ndataset_kwargs: {{data_files: {json.dumps(data)}}}\n"
        "test_split: test\noutput_type: multiple_choice\ndoc_to_text: '{{q}}'\ndoc_to_target: 0\n"
        "doc_to_choice: ['{{a}}', '{{b}}']\nmetric_list: [{metric: acc}]\n".replace(
            "['{{a}}', '{{b}}']", '"{{[a, b]}}"'
        )
    )
    settings = TaskSettings(tasks=("mine",), task_dir=tmp_path, limit=5)
    (row,) = run_tasks(trained, tokenizer, settings).to_dicts()
    assert (row["task"], row["metric"], row["n"]) == ("mine", "acc", 5)
    assert row["value"] == 1.0


@pytest.mark.full
def test_bad_tasks_are_refused(tmp_path, trained, tokenizer, exported):
    with pytest.raises(ConfigError, match=r"no task 'ours_qestion' in .* or in .*; did you mean 'ours_q"):
        judged(trained, tokenizer, exported[0], "ours_qestion")
    with pytest.raises(DataError, match="there is no folder"):
        judged(trained, tokenizer, tmp_path / "none", "x")
    with pytest.raises(ConfigError, match="no task 'a'"):
        judged(trained, tokenizer, None, "a")
    (tmp_path / "lost.yaml").write_text("task: lost\ndataset_path: json\ntest_split: test\n"
        "dataset_kwargs: {data_files: gone.jsonl}\ndoc_to_text: q\ndoc_to_target: a\n")  # fmt: skip
    with pytest.raises(DataError, match="lm-eval cannot run lost"):
        judged(trained, tokenizer, tmp_path, "lost")


TASK = {
    "task": "mine", "dataset_path": "json", "dataset_kwargs": {"data_files": {"test": "rows.jsonl"}},
    "test_split": "test", "output_type": "generate_until", "doc_to_text": "{{q}}", "doc_to_target": "{{a}}",
    "generation_kwargs": {"until": ["\\n"], "max_gen_toks": 2}, "metric_list": [{"metric": "exact_match"}],
}  # fmt: skip


@pytest.mark.parametrize(
    "change",
    [
        {"doc_to_text": "{{ ''.__class__.__mro__[1].__subclasses__() }}"},
        {"doc_to_text": "{{ cycler.__init__.__globals__.os.system('touch ran') }}"},
        {"doc_to_text": "{{ nothing_of_that_name }}"},
        {"doc_to_text": "{% for"},
        {"dataset_path": None, "dataset_kwargs": None},
        {"dataset_path": "./no/such/folder"},
        {"test_split": "no_such_split"},
        {"test_split": None},
        {"output_type": "no_such_output"},
        {"metric_list": [{"metric": "exact_match", "aggregation": "no_such_mean"}]},
        {"generation_kwargs": 3},
        {"dataset_kwargs": {"data_files": {"test": "empty.jsonl"}}},
        {"no_such_key": 1},
    ],
    ids=str,
)
@pytest.mark.fault(
    "a task file of lm-eval is wrong, or its template reaches for code", "one sentence; nothing of it is run"
)
def test_a_task_that_cannot_be_run_is_one_sentence(tmp_path, trained, tokenizer, monkeypatch, change):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rows.jsonl").write_text('{"q": "Who?", "a": "Ann"}\n')
    (tmp_path / "empty.jsonl").write_text("")
    (tmp_path / "mine.yaml").write_text(json.dumps(TASK | change))
    with pytest.raises(UserError, match="mine") as caught:
        judged(trained, tokenizer, tmp_path, "mine")
    assert len(str(caught.value)) < 600
    assert not (tmp_path / "ran").exists()


def test_without_lm_eval_the_extra_is_named(trained, tokenizer, monkeypatch):
    monkeypatch.setattr("unequal.lm_eval_bridge.run.find_spec", lambda _name: None)
    with pytest.raises(MissingExtraError, match=r"unequal\[lm-eval\]"):
        judged(trained, tokenizer, None, "arc_easy")


def test_the_exported_folder_stands_alone_and_replaces_only_itself(exported, some, tmp_path):
    folder, _ = exported
    assert not [path for path in folder.iterdir() if "unequal" in path.read_text()]
    again = tmp_path / "again"
    assert export_tasks(some, PROMPTS, again, "ours") == exported[1]
    for path in folder.iterdir():
        assert (again / path.name).read_bytes() == path.read_bytes()
    assert export_tasks(some[:1], PROMPTS, again, "other", ["question"]) == {
        "other_question": 1, "other_question_choice": 1,
    }  # fmt: skip
    assert "ours.yaml" not in {path.name for path in again.iterdir()}
    with pytest.raises(ConfigError, match="holds other files"):
        export_tasks(some, PROMPTS, tmp_path)
    with pytest.raises(ConfigError, match="a task's name"):
        export_tasks(some, PROMPTS, again, "my tasks")
    with pytest.raises(DataError, match="no probes"):
        bare = some[0].model_copy(update={"paraphrases": ()})
        export_tasks([bare], PROMPTS, again, "x", ["paraphrase"])


def test_the_place_of_the_right_choice_and_the_space_before_it(some, tmp_path):
    export_tasks(some, PromptFormat(question="{question}\n"), tmp_path / "lines", "x", ["question"])
    task = (tmp_path / "lines" / "x_question_choice.yaml").read_text()
    assert 'target_delimiter: ""\n' in task
    rows = [json.loads(line) for line in (tmp_path / "lines" / "x_question_choice.jsonl").open()]
    assert {row["right"] for row in rows} == {0, 1, 2, 3}
    assert [row["choices"][row["right"]] for row in rows] == [fact.answer for fact in some]


def test_the_commands(tmp_path, trained, tokenizer, some):
    trained.save_pretrained(tmp_path / "model")
    tokenizer.save_pretrained(tmp_path / "model")
    write_facts(some, tmp_path / "facts.parquet")
    (tmp_path / "tasks").mkdir()
    result = call(
        "facts", "export-lm-eval", tmp_path / "facts.parquet", "--out", tmp_path / "tasks", "--name", "w"
    )
    assert result.code == 0, result.err
    assert "w_question_choice" in result.out
    words = ("--model", tmp_path / "model", "--tasks", "w_question", "--task-dir", tmp_path / "tasks")
    result = call("lm-eval", *words, "--out", tmp_path / "scores.json", "--limit", 6)
    assert result.code == 0, result.err
    (row,) = json.loads((tmp_path / "scores.json").read_text())["results"]
    assert (row["task"], row["n"]) == ("w_question", 6)
    assert "w_question" in result.out
    assert call("lm-eval", *words[:2], "--tasks", "w", "--limit", 0).code == 2
    assert call("lm-eval", "--model", tmp_path / "nothing", "--tasks", "w").code == 2
