"""Contract tests of plugins: ours pass them, and a broken one is told what is wrong and how to mend it."""

import sys

import pytest

from command_line import call
from gate import of_families, sample
from unequal.cli.app import app
from unequal.models import FAMILIES
from unequal.plugin_checks.attacks import ATTACK_CHECKS
from unequal.plugin_checks.families import FAMILY_CHECKS
from unequal.plugin_checks.methods import METHOD_CHECKS
from unequal.plugin_checks.run import find_plugin
from unequal.unlearning.methods import METHODS

PLUGINS = '''
import torch
import unequal as uq
from unequal.attacks.attack import ROW_SCHEMA
from unequal.counting.scan.settings import ScanSettings
from unequal.models.families.gpt2 import config as family


class Hinge(uq.Method):
    """Push the mean log-probability of an answer below a margin."""
    margin: float = 2.0
    def forget_loss(self, scores):
        return (self.margin - scores.policy.mean_nll).clamp(min=0)


class WrongWay(uq.Method):
    """Makes answers more probable."""
    def forget_loss(self, scores):
        return scores.policy.mean_nll


class Mean(uq.Method):
    strength: float
    def forget_loss(self, scores):
        return -scores.policy.nll.mean()


class Detached(uq.Method):
    """Has no gradient, and looks at what it does not name."""
    def forget_loss(self, scores):
        return scores.get("reference").nll.detach()


@uq.metric()
def words_said(record):
    """Number of words of the generated text."""
    return float(len(record.generation.split()))


@uq.metric(direction="says nothing of knowledge", high=1000)
def words(record):
    """Number of words of the generated text."""
    return float(len(record.generation.split()))


@uq.metric("probability", direction="lower means known")
def likely(record):
    """Probability of the first token."""
    return float(2.718 ** record.scores.right.log_probs[0])


class Careless(uq.Attack):
    """Sets a parameter and returns nothing."""
    title = shows = source = "careless"
    metrics = ("answer_said",)
    def run(self, context):
        import polars as pl
        with torch.no_grad():
            next(context.model.parameters()).add_(1)
        return pl.DataFrame(schema=ROW_SCHEMA)


def small(shape, vocabulary):
    made = family(shape, vocabulary)
    made.vocab_size += 8
    return made


class Nameless(ScanSettings):
    corpora: str
'''


@pytest.fixture(autouse=True)
def own(tmp_path, monkeypatch):
    """A module of plugins in the current folder."""
    (tmp_path / "own_plugins.py").write_text(PLUGINS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield
    sys.modules.pop("own_plugins", None)


@pytest.mark.parametrize("check", METHOD_CHECKS, ids=lambda check: check.name)
@pytest.mark.parametrize("name", sample(list(METHODS), 4))
def test_our_methods_pass(name, check):
    check.run(METHODS.get(name))


@pytest.mark.parametrize("check", FAMILY_CHECKS, ids=lambda check: check.name)
@pytest.mark.parametrize("name", of_families(FAMILIES, "gpt2"))
def test_our_families_pass(name, check):
    check.run(FAMILIES.get(name))


@pytest.mark.parametrize("check", ATTACK_CHECKS, ids=lambda check: check.name)
@pytest.mark.parametrize("name", ["paraphrase", "true_false"])
def test_our_attacks_pass(name, check):
    check.run(find_plugin(name))


@pytest.mark.parametrize(
    ("place", "kind", "n_checks"),
    [
        ("own_plugins:Hinge", "method", 6),
        ("own_plugins:words", "metric", 5),
        ("own_plugins:family", "model family", 5),
    ],
)
def test_a_sound_plugin_passes_with_a_line_a_check(place, kind, n_checks):
    result = call("check-plugin", place)
    assert result.code == 0, result.out + result.err
    first, *checks, last = result.out.splitlines()
    assert first == f"{place} is a {kind}"
    assert len(checks) == n_checks
    assert all(line.startswith("passed: ") for line in checks)
    assert last == f"{n_checks} of {n_checks} checks passed"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("WrongWay", ["it forgets a little in five steps: after five steps answers have", "the sign of the"]),
        ("Mean", ["it has no docstring", "strength has no default; give every setting one"]),
        ("Detached", ["KeyError", "uses reference without listing it in needs"]),
        (
            "words_said",
            ["outside 0 to 1; state low and high", "for a model that knows the facts; state direction"],
        ),
        ("likely", ["it is higher", "state direction ="]),
        ("Careless", ["not one row for each attacked fact", "it changed the model; work on a copy"]),
        ("small", ["take vocabulary.size"]),
        ("Nameless", ["corpora has no default"]),
    ],
)
def test_a_broken_one_is_told_what_is_wrong_and_how_to_mend_it(name, said):
    result = call("check-plugin", f"own_plugins:{name}")
    assert result.code == 3, result.out + result.err
    failed = "\n".join(line for line in result.out.splitlines() if line.startswith("failed: "))
    for words in said:
        assert words in failed


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("own_plugins:PLUGINS", "has no attribute 'PLUGINS'"),
        ("own_plugins:torch", "is no plugin: it should be a class of Method"),
        ("nowhere", "give module:attribute, such as my_module:MyMethod"),
    ],
)
def test_what_is_no_plugin_is_one_sentence(place, said):
    result = call("check-plugin", place)
    assert (result.code, result.out) == (2, "")
    assert said in result.err


def test_it_is_a_command():
    assert "check-plugin" in app
