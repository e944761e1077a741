"""Attacks as settings: names, tables, and mistakes that are told in one sentence; no torch is needed."""

import subprocess
import sys

import pytest
from pydantic import BaseModel, ConfigDict, field_validator

from unequal.attacks import ATTACKS, SCHEMES
from unequal.attacks.attack import AttackSettings, check_kept, distinct
from unequal.cli.list import attacks as attacks_command
from unequal.config import build
from unequal.console import console
from unequal.errors import ConfigError, DataError
from unequal.facts.schema import Fact


class Holder(BaseModel):
    model_config = ConfigDict(extra="forbid")

    attacks: tuple[AttackSettings, ...]

    _distinct = field_validator("attacks")(distinct)


def held(*values):
    return build(Holder, {"attacks": list(values)}, "file.toml").attacks


def fact(role):
    return Fact(fact_id=role, subject="s", relation="r", object="o", question="q?", answer="a", role=role)


@pytest.mark.parametrize("kind", list(ATTACKS))
def test_every_attack_is_made_by_its_name_and_written_as_it_is_read(kind):
    (attack,) = held(kind)
    assert attack.kind == kind
    assert held(attack.model_dump(mode="json")) == (attack,)
    assert attack.metric_names[0].startswith(f"{attack.name}_")
    assert len(set(attack.metric_names)) == len(attack.metric_names)
    assert attack.cost > 0
    assert attack.title
    assert attack.shows
    assert attack.source


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_scheme_stands_for_the_attack_that_uses_it(scheme):
    (attack,) = held(scheme)
    assert (attack.kind, attack.scheme, attack.name) == ("quantise", scheme, scheme)


def test_a_label_names_the_metrics_and_tells_two_of_a_kind_apart():
    plain, benign = held("relearn", {"kind": "relearn", "on": "retain", "label": "benign"})
    assert plain.metric_names[0] == "relearn_answer_said"
    assert benign.metric_names[0] == "benign_answer_said"
    (grid,) = held({"kind": "sample", "temperatures": [0.5], "top_ps": [0.9, 1.0], "label": "s"})
    assert grid.metric_names[2:] == ("s_leak_at_k_t0.5_p0.9", "s_leak_at_k_t0.5_p1")


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (
            ["relern"],
            "unknown attack 'relern'; did you mean 'relearn'\\? \\(known: relearn, quantise, sample",
        ),
        ([3], "an attack is a name or a table with 'kind'"),
        (["relearn", "relearn"], "attack relearn stands twice; give one of them a label"),
        (["int8", {"kind": "quantise", "scheme": "int8"}], "attack int8 stands twice"),
        ([{"kind": "lens", "label": "My lens"}], "attack lens: label"),
        ([{"kind": "relearn", "shares": 0.1}], "attack relearn: unknown key 'shares'; did you mean 'share'"),
        ([{"kind": "relearn", "share": 1.0}], "attack relearn: share"),
        ([{"kind": "sample", "n": 4, "k": 5}], "k must be at most n \\(4\\), not 5"),
        ([{"kind": "sample", "top_ps": [1.0, 1.0]}], "stands twice"),
        ([{"kind": "sample", "temperatures": [0.0]}], "attack sample: temperatures"),
        ([{"kind": "prompt", "after": ""}], "before or after must hold a text"),
        ([{"kind": "choice", "text": "{question}"}], "must hold {question} and {options} exactly once"),
    ],
)
def test_a_mistake_is_one_sentence(values, said):
    with pytest.raises(ConfigError, match=said):
        held(*values)


def test_attacks_that_need_kept_facts_say_so_before_a_model_is_loaded():
    needing = held("fewshot", {"kind": "relearn", "on": "retain"}, {"kind": "probe", "share": 0.0})
    for attack in needing:
        with pytest.raises(DataError, match=f"attack {attack.name} needs facts that are not to be forgotten"):
            check_kept([attack], [fact("forget"), fact("never_seen")])
        check_kept([attack], [fact("forget"), fact("utility")])
    check_kept(held("relearn", "probe", "lens"), [fact("forget")])


def test_settings_need_no_torch():
    program = "import sys; from unequal.attacks import ATTACKS; list(ATTACKS.items())"
    heavy = "assert not {'torch', 'transformers', 'accelerate'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", f"{program}; {heavy}"], check=True)


# --- unequal attacks


def printed(*words):
    with console.capture() as captured:
        attacks_command(*words)
    return captured.get()


def test_the_list_has_every_attack_with_what_it_shows():
    assert printed().splitlines() == [
        f"{name}\t{attack.title}: {attack.shows}" for name, attack in ATTACKS.items()
    ]


@pytest.mark.parametrize("words", [("show", "relearn"), ("relearn",)])
def test_one_attack_is_shown_with_its_settings(words):
    shown = printed(*words)
    for part in ("held-out", "taught_prob", "2410.08827", "learning_rate", "0.0001", "whole subjects"):
        assert part in shown


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("show",), "name one attack, not 0, for example: unequal attacks show relearn"),
        (("lens", "probe"), "name one attack, not 2"),
        (("show", "lense"), "unknown attack 'lense'; did you mean 'lens'"),
    ],
)
def test_a_wrong_request_says_what_to_type(words, said):
    with pytest.raises(ConfigError, match=said):
        attacks_command(*words)
