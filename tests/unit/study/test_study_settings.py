"""A run file is checked as a whole before anything runs."""

import tomllib
from pathlib import Path

import pytest

from study_settings import STUDY, changed, study
from unequal.errors import ConfigError
from unequal.study.sources import study_settings
from unequal.unlearning.methods.npo import NPO

FILES = sorted((Path(__file__).parents[3] / "examples").glob("*.toml"))
EXAMPLES = [path for path in FILES if path.name != "policy.toml"]  # of audits

WRONG = [
    ("targets.0.level", 3, "targets.0.level 3 is not among corpus.levels [0, 1, 4]"),
    ("targets.0.level", 0, "targets.0.level: found 0; it should be greater than or equal to 1 or 'mixed'"),
    ("targets.0.level", "high", "targets.0.level: found 'high'; it should be a whole number or 'mixed'"),
    ("targets.0.relation", "employr", "'employr' is not among world.relations (birth_city, employer)"),
    ("targets.0.methods", ["simnpo"], "targets.0.methods: 'simnpo'"),
    ("targets.0.methds", ["ga"], "unknown key 'targets.0.methds'; did you mean 'methods'?"),
    ("targets", [], "targets: found []; it should be a list of at least 1"),
    ("world.relations", ["birth_cty"], "unknown relation 'birth_cty'; did you mean 'birth_city'?"),
    ("world.relations", [], "world.relations: found []; it should be a list of at least 1"),
    ("world.relations", ["employer", "employer"], "world.relations: a relation is named twice"),
    ("methods.0", "npoo", "methods.0: unknown method 'npoo'; did you mean 'npo'? (known: ga, graddiff,"),
    ("methods.0", {"beta": 3}, "methods.0: a method is a name or a table with 'kind'"),
    ("methods.0", 3, "methods.0: a method is a name or a table with 'kind'"),
    ("methods.1.betta", 3, "methods.1: method npo: unknown key 'betta'; did you mean 'beta'?"),
    ("methods.1.beta", 0, "methods.1: method npo: beta: found 0; it should be greater than 0"),
    ("methods.1.learning_rate", float("inf"), "learning_rate: found inf; it should be a finite number"),
    ("methods.0", {"kind": "ga", "forget_weight": 0}, "method ga: one of forget_weight, retain_weight and"),
    ("methods.0", "npo", "methods: method npo stands twice; use one study for each setting"),
    ("methods", [], "methods: found []; it should be a list of at least 1"),
    ("seeds", [1, 1], "seeds: an entry stands twice"),
    ("seeds", [], "seeds: found []; it should be a list of at least 1"),
    ("seeds", 3, "seeds: found 3; it should be a list"),
    ("pretrain_seeds", ["a"], "pretrain_seeds.0: found 'a'; it should be a whole number"),
    ("wordings", ["copied"], "wordings.0: found 'copied'; it should be 'rerendered', 'verbatim' or 'epochs'"),
    ("corpus.levels", [-1, 4], "corpus.levels.0: found -1; it should be greater than or equal to 0"),
    ("corpus.levels", [0], "corpus: levels must hold at least one number above 0"),
    ("corpus.levels", [1, 1], "corpus.levels: a level is named twice"),
    ("corpus.seed", 1, "unknown key 'corpus.seed' (known: levels,"),
    ("models", [], "models: found []; it should be a list of at least 1"),
    ("models.0.family", "gpt3", "models.0: unknown family 'gpt3'; did you mean 'gpt2'? (known: gpt2, gpt"),
    ("models.0", {"family": "gpt2", "size": "9M"}, "models.0: unknown size '9M'; did you mean '0.9M'?"),
    ("models.0.shape.width", 15, "models.0.shape: width 15 must be a multiple of twice the 2 heads"),
    ("models", [STUDY["models"][0], STUDY["models"][0] | {"learning_rate": 1e-3}],
     "models: gpt2 tiny stands twice; tables tell models apart by family and size"),
    ("models.0.learning_rate", 0, "models.0.learning_rate: found 0; it should be greater than 0"),
    ("models.0.epochs", 0, "models.0.epochs: found 0; it should be greater than or equal to 1"),
    ("name", "two words", "name: found 'two words'; it should be a text that matches ^[A-Za-z0-9]"),
    ("name", "../up", "name: found '../up'"),
    ("prompts.question", "Who?", "prompts.question: the text must hold {question} exactly once"),
    ("evaluate.probes", ["quiz"], "evaluate.probes.0: found 'quiz'; it should be 'question',"),
    ("evaluate.probes", [], "evaluate.probes: found []; it should be a list of at least 1"),
    ("unlearn.steps", 0, "unlearn.steps: found 0; it should be greater than or equal to 1"),
    ("unlearn.stopping", {"perplexity_rise": 0.1}, "know made-up words alone, and no real text"),
    ("unlearn.evaluate_at", [-1], "evaluate_at must hold at least one step and none below 0"),
    (
        "weightings", [{"by": "count"}, {"by": "random", "acts_on": "beta"}],
        "weightings: method ga has no beta for weights to act on (methods that have one: npo, ",
    ),
    ("sedes", [1], "unknown key 'sedes'; did you mean 'seeds'?"),
]  # fmt: skip


@pytest.mark.parametrize(("path", "value", "expected"), WRONG, ids=[f"{p}={v}" for p, v, _ in WRONG])
def test_a_wrong_value_is_one_sentence(path, value, expected):
    with pytest.raises(ConfigError) as caught:
        study(path, value)
    message = str(caught.value)
    assert message.startswith("run.toml: ")
    assert expected in message
    assert "\n" not in message


def test_what_is_wrong_in_several_places_is_listed_at_once():
    values = changed("seeds", [])
    values["targets"][0]["level"] = -2
    values["methods"] = ["npoo"]
    values["corpus"]["epoch"] = 3
    with pytest.raises(ConfigError) as caught:
        study_settings(values, "run.toml")
    message = str(caught.value)
    assert message.startswith("run.toml has 4 wrong settings: seeds: ")
    for problem in ("methods.0: ", "targets.0.level: ", "unknown key 'corpus.epoch'"):
        assert f"; {problem}" in message


def test_methods_are_names_or_tables_and_keep_their_own_settings():
    npo = study().methods[1]
    assert isinstance(npo, NPO)
    assert (npo.learning_rate, npo.beta) == (1e-3, 0.1)
    assert study().model_dump(mode="json")["methods"][1]["beta"] == 0.1


def test_settings_come_back_from_their_own_dump():
    settings = study()
    assert study_settings(settings.model_dump(mode="json"), "x") == settings


def test_levels_are_sorted():
    assert study("corpus.levels", [4, 0, 1]).corpus.levels == (0, 1, 4)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_the_examples_are_valid(path):
    settings = study_settings(tomllib.loads(path.read_text(encoding="utf-8")), str(path))
    assert settings.name == path.stem


def test_the_small_study_is_not_changed_by_the_tests():
    assert study().model_dump() == study_settings(STUDY, "run.toml").model_dump()


def test_weights_may_act_on_a_setting_that_every_method_has():
    values = changed("methods", ["npo", "tnpo"]) | {"weightings": [{"by": "count", "acts_on": "beta"}]}
    assert study_settings(values, "run.toml").weightings[0].name == "count-beta"
