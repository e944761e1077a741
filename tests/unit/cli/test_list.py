"""What `unequal list` prints, and the older commands that list one kind."""

import json
import shlex

import pytest

from command_line import call
from unequal.cli.app import app
from unequal.cli.list import attacks, list_, methods, metrics
from unequal.cli.pages import KINDS
from unequal.console import console
from unequal.errors import ConfigError
from unequal.evaluation.aggregates import AGGREGATES
from unequal.evaluation.metrics import METRICS
from unequal.unlearning.methods import METHODS

PAGES = [(kind, name) for kind, found in KINDS.items() for name in found.names()]


def printed(*words, command=list_, **flags):
    with console.capture() as captured:
        command(*words, **flags)
    return captured.get()


def test_every_kind_is_named_with_a_line():
    assert [line.split("\t")[0] for line in printed().splitlines()] == list(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_a_pipe_gets_one_line_a_name_with_a_tab(kind):
    rows = [line.split("\t") for line in printed(kind).splitlines()]
    assert [name for name, _ in rows] == list(KINDS[kind].names())
    assert all(0 < len(purpose) <= 200 for _, purpose in rows)
    found = json.loads(printed(kind, as_json=True))
    assert [[page["name"], page["purpose"]] for page in found] == rows


@pytest.mark.parametrize("width", [20, 80])
def test_no_name_is_broken_on_a_narrow_terminal(monkeypatch, width):
    monkeypatch.setattr(console, "_force_terminal", True)
    monkeypatch.setattr(console, "width", width)
    lines = printed("metrics").splitlines()
    names = [line.split()[0] for line in lines if not line.startswith(" ")]
    assert names[:-1] == [*METRICS, *AGGREGATES]
    assert width == 20 or all(len(line) <= width for line in lines)


@pytest.mark.parametrize(("kind", "name"), PAGES)
def test_everything_has_a_page_with_a_call_that_can_be_parsed(kind, name):
    page = KINDS[kind].known(name)
    shown = printed(kind, name)
    assert shown.startswith(f"{name}: ")
    assert all(f"{label}: {value}" in shown for label, value in page.facts.items())
    assert all(setting.meaning for setting in page.settings)
    words = shlex.split(page.example)[1:]
    if words[-1] != "--help":
        app.parse_args(words, exit_on_error=False, print_error=False)
    assert json.loads(printed(kind, name, as_json=True))["example"] == page.example


@pytest.mark.parametrize("words", [("show", "npo"), ("npo",)])
def test_a_method_is_shown_with_formula_settings_cost_and_reference(words):
    shown = printed(*words, command=methods)
    parts = ("−(2/β) log σ(β(S − S⁰))", "2404.05868", "beta\t", "[default: 0.1]", "1 before the run")
    assert all(part in shown for part in (*parts, "Needs: reference", "--method npo"))
    assert shown == printed("methods", "npo")


@pytest.mark.parametrize("words", [("show", "extraction_strength"), ("extraction_strength",)])
def test_a_metric_is_explained(words):
    shown = printed(*words, command=metrics)
    for part in (
        "Direction: higher means known",
        "1 − k*/n, k* = min {k ≤ n",
        "k* may be n",
        "Range: [0, 1]",
        "Chance: (1/n) Σ_j vocabulary^−j",
        "Source: Wang et al. (2025)",
        "Kind: probability",
        "Needs: scores",
        "Probes: question, paraphrase, cloze, reverse",
    ):
        assert part in shown


def test_the_older_commands_list_their_kind():
    assert [line.split("\t")[0] for line in printed(command=methods).splitlines()] == list(METHODS)
    listed = [line.split("\t")[0] for line in printed(command=metrics).splitlines()]
    assert listed == [*METRICS, *AGGREGATES]


def test_an_aggregate_says_what_it_is_made_of():
    assert "From: truth_ratio of facts and of never-seen ones" in printed("metrics", "forget_quality")
    assert "From: true_false_hit, true_false_false_alarm\n" in printed("metrics", "true_false_dprime")


@pytest.mark.parametrize(
    ("command", "words", "said"),
    [
        (methods, ("show",), "name one method, not 0, for example: unequal methods show npo"),
        (methods, ("show", "npo", "ga"), "name one method, not 2"),
        (methods, ("show", "nop"), "unknown method 'nop'; did you mean 'npo'"),
        (metrics, ("show",), "name one metric, not 0, for example: unequal metrics show extraction_strength"),
        (metrics, ("loss", "zlib"), "name one metric, not 2"),
        (metrics, ("extraction_strenght",), "unknown metric 'extraction_strenght'; did you mean"),
        (attacks, ("lense",), "unknown attack 'lense'; did you mean 'lens'"),
        (list_, ("method",), "unknown kind 'method'; did you mean 'methods'"),
        (list_, ("settings", "unlern"), "unknown command with settings 'unlern'; did you mean 'unlearn'"),
    ],
)
def test_a_wrong_request_says_what_to_type(command, words, said):
    with pytest.raises(ConfigError, match=said):
        command(*words)


def test_a_name_is_found_by_grep():
    result = call("list", "methods")
    assert any(line.startswith("adaptive_rmu\t") for line in result.out.splitlines())
    assert json.loads(call("list", "families", "gpt2", "--json").out)["name"] == "gpt2"
