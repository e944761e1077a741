"""Methods, metrics and attacks from outside: by place, registered, by entry point; their source is hashed."""

import json
import pickle
import subprocess
import sys
from importlib.metadata import EntryPoint

import polars as pl
import pytest

import unequal as uq
from answering_models import FACTS, write_model
from command_line import call, toml
from study_settings import changed
from unequal import registry
from unequal.attacks import ATTACKS
from unequal.errors import ConfigError
from unequal.evaluation.metrics import METRICS
from unequal.facts.table import facts_frame
from unequal.study.controlled import ControlledStudy
from unequal.study.expand import plan_steps
from unequal.unlearning.methods import METHODS

HINGE = '''
import unequal as uq

class Hinge(uq.Method):
    """Push the mean log-probability of an answer below a margin."""
    margin: float = 2.0
    def forget_loss(self, scores):
        return (self.margin - scores.policy.mean_nll).clamp(min=0)

@uq.metric()
def words_said(record):
    """Number of words of the generated text."""
    return float(len(record.generation.split()))
'''


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    write_model("the answer alone", folder)
    return uq.load(folder, prompts={})


@pytest.fixture
def hinge(tmp_path, monkeypatch):
    """A module in the current folder, which is not among the places of modules."""
    (tmp_path / "own_hinge.py").write_text(HINGE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield "own_hinge:Hinge"
    sys.modules.pop("own_hinge", None)


@pytest.fixture(autouse=True)
def nothing_stays(monkeypatch):
    for one in (METHODS, METRICS, ATTACKS):
        monkeypatch.setattr(one, "_registered", {})
    monkeypatch.setattr(registry, "_sources", {})


def test_a_method_of_five_lines_is_used_by_its_place(model, hinge):
    chosen = {"kind": hinge, "retain_weight": 0.0, "learning_rate": 3e-3}
    found = uq.unlearn(model, FACTS[:4], chosen, budget=None, steps=6)
    rows = found.scores.filter(metric="answer_said", role="forget")
    said = rows.group_by("step").agg(pl.col("value").mean()).sort("step")["value"]
    assert (said[0], said[-1] < 1.0) == (1.0, True)
    without = uq.unlearn(model, FACTS[:4], {**chosen, "margin": 0.0}, budget=None, steps=2)
    assert without.scores.filter(metric="answer_said")["value"].min() == 1.0  # nothing is below a margin of 0


def test_the_command_line_takes_it_and_says_what_it_is(model, hinge, tmp_path):
    model.save(tmp_path / "model")
    facts_frame(FACTS[:6]).write_parquet(tmp_path / "forget.parquet")
    (tmp_path / "run.toml").write_text(f'[method]\nkind = "{hinge}"\nretain_weight = 0\nmargin = 3.0\n')
    ran = call(
        "unlearn", "--model", tmp_path / "model", "--forget", tmp_path / "forget.parquet",
        "--config", tmp_path / "run.toml", "--steps", "1", "--out", tmp_path / "out",
    )  # fmt: skip
    assert ran.code == 0, ran.err
    made = json.loads((tmp_path / "out/manifest.json").read_text())["settings"]["method"]
    assert (made["kind"], made["margin"]) == (hinge, 3.0)
    assert "Push the mean log-probability" in call("list", "methods", hinge).out


def test_a_metric_is_computed_beside_those_that_come_with_unequal(model, hinge, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    from own_hinge import words_said

    found = uq.evaluate(model, FACTS[:3], probes=["question"], metrics=["answer_said", words_said])
    values = found.scores.filter(metric="words_said")["value"].to_list()
    assert values == [1.0] * 3
    uq.register(words_said)
    again = uq.evaluate(model, FACTS[:3], probes=["question"], metrics=["words_said"])
    assert again.scores["value"].to_list() == values


def test_registered_names_are_used_and_listed_and_do_not_hide_ours(model, hinge, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    from own_hinge import Hinge

    assert uq.register(Hinge) is Hinge
    assert "hinge" in METHODS
    chosen = {"kind": "hinge", "retain_weight": 0.0}
    found = uq.unlearn(model, FACTS[:2], chosen, learning_rate=1e-3, budget=None, steps=1)
    assert found.summary.title.endswith("unlearned by hinge")
    made = Hinge(learning_rate=1e-3, retain_weight=0.0)
    assert uq.unlearn(model, FACTS[:2], made, steps=1).summary.title.endswith(hinge)
    with pytest.raises(ConfigError, match="there is a method 'npo' already"):
        uq.register(Hinge, "npo")
    with pytest.raises(ConfigError, match="cannot be registered"):
        uq.register(3)


def test_entry_points_are_found(hinge, monkeypatch):
    found = (EntryPoint("outside", hinge, "unequal.methods"), EntryPoint("npo", hinge, "unequal.methods"))
    monkeypatch.setattr(registry, "entry_points", lambda group: found if group == "unequal.methods" else ())
    registry._entry_points.cache_clear()
    try:
        assert METHODS.get("outside").__name__ == "Hinge"
        assert METHODS.get("npo").__name__ == "NPO"
        assert list(METHODS)[-1] == "outside"
    finally:
        registry._entry_points.cache_clear()


@pytest.mark.parametrize(
    ("place", "why"),
    [
        ("no_such_module:Hinge", "ModuleNotFoundError"),
        ("own_hinge:Missing", "has no attribute 'Missing'"),
        ("own_hinge", r"unknown method 'own_hinge'.*module:attribute"),
    ],
)
def test_what_cannot_be_loaded_is_one_sentence(hinge, place, why):
    with pytest.raises(ConfigError, match=why):
        METHODS.get(place)


def test_the_source_of_a_plugin_is_part_of_the_name_of_a_step(hinge, tmp_path):
    from unequal.registry import plugin_sources

    METHODS.get(hinge)
    before = plugin_sources({"method": {"kind": hinge, "margin": 1.0}, "others": ["npo"]})
    assert list(before) == [hinge]
    assert plugin_sources({"method": {"kind": "npo"}}) == {}
    (tmp_path / "own_hinge.py").write_text(HINGE.replace("2.0", "3.0"))
    sys.modules.pop("own_hinge")
    METHODS.get(hinge)
    assert plugin_sources({"kind": hinge}) != before


@pytest.mark.full
def test_workers_of_a_study_run_a_plugin_and_a_changed_one_anew(hinge, tmp_path):
    given = changed() | {"methods": [hinge], "seeds": [0]}
    asked = {"probes": ["question"], "probes_between": ["question"]}
    given["evaluate"] = {"allow_unknown": True, "facts_per_role": 4, **asked}
    (tmp_path / "study.toml").write_text(toml(given))

    def run():
        words = [
            sys.executable,
            "-m",
            "unequal",
            "study",
            "run",
            "study.toml",
            "--out",
            "run",
            "--workers",
            "2",
        ]
        done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=600)
        assert done.returncode == 0, done.stderr
        return set((tmp_path / "run/unlearn").iterdir())

    first = run()
    assert len(first) == 1
    assert run() == first
    (tmp_path / "own_hinge.py").write_text(HINGE.replace("2.0", "3.0"))
    assert len(run() - first) == 1


def test_a_step_that_saves_memory_keeps_its_folder_where_no_plugin_was_loaded(hinge, monkeypatch):
    settings = ControlledStudy.model_validate(changed() | {"methods": [hinge]})
    step = next(one for one in plan_steps(settings) if one.kind == "unlearn")
    folder = step.folder
    monkeypatch.setattr(registry, "_sources", {})
    assert pickle.loads(pickle.dumps(step)).saving_memory().folder == folder


def test_what_another_process_needs_of_a_plugin_is_known(hinge, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    from own_hinge import Hinge, words_said

    uq.register(Hinge)
    uq.register(words_said)
    named = registry.plugins_of({"method": {"kind": "hinge"}, "metrics": ["words_said", "answer_said"]})
    assert [(one.name, one.place) for one in named] == [
        ("hinge", "own_hinge:Hinge"), ("words_said", "own_hinge:words_said"),
    ]  # fmt: skip
    assert {one.folder for one in named} == {str(tmp_path)}
    for one in (METHODS, METRICS):
        monkeypatch.setattr(one, "_registered", {})
    monkeypatch.setattr(sys, "path", [place for place in sys.path if place != str(tmp_path)])
    sys.modules.pop("own_hinge")
    registry.load_plugins(named)
    assert METHODS.get("hinge").__name__ == "Hinge"
    assert METRICS.get("words_said").name == "words_said"
    registry.load_plugins(named)  # once more changes nothing


def test_a_class_of_a_notebook_is_refused_in_one_sentence(monkeypatch):
    own = type("Typed", (uq.Method,), {"__module__": "__main__", "__doc__": "Typed in."})
    uq.register(own)
    for kind in ("typed", "__main__:Typed"):
        with pytest.raises(ConfigError, match=r"this notebook or script.*move it into a module.*:[Tt]yped"):
            registry.plugins_of({"method": {"kind": kind}})
