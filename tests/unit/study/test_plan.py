"""The plan: which steps a run file means, and folders that are named by what determines their result."""

import pytest

from study_settings import changed, study
from unequal.study.expand import plan_steps
from unequal.study.sources import study_settings

GRID = {
    "pretrain_seeds": [0, 1],
    "wordings": ["rerendered", "verbatim"],
    "models": [{"family": "gpt2", "size": "0.1M"}, {"family": "llama", "size": "0.1M"}],
    "methods": ["ga", "npo", "idk"],
    "seeds": [0, 1, 2],
    "targets": [
        {"relation": "birth_city"},
        {"relation": "birth_city", "level": 4, "methods": ["npo"]},
        {"relation": "employer", "level": 1, "methods": ["ga", "idk"]},
    ],
}


def plan(path=None, value=None):
    return plan_steps(study(path, value))


def grid():
    return plan_steps(study_settings(changed() | GRID, "run.toml"))


def folders(steps, kind=None):
    return {step.folder for step in steps if kind in (None, step.kind)}


def test_a_grid_has_every_combination_once():
    steps = grid()
    counts = {kind: sum(step.kind == kind for step in steps) for kind in ("corpus", "pretrain", "baseline")}
    assert counts == {"corpus": 2 * 2, "pretrain": 2 * 2 * 2, "baseline": 2 * 2 * 2 * 3}
    runs = [step for step in steps if step.kind == "unlearn"]
    assert len(runs) == 2 * 2 * 2 * 3 * (3 + 1 + 2)
    assert len(folders(steps)) == len(steps)
    assert len({step.run_id for step in runs}) == len(runs)


@pytest.mark.parametrize("steps", [plan(), grid()], ids=["small", "grid"])
def test_inputs_come_before_their_users_and_are_in_the_plan(steps):
    seen = set()
    for step in steps:
        assert set(step.inputs) <= seen
        seen.add(step.folder)


def test_equal_settings_have_equal_folders():
    assert folders(plan()) == folders(plan())
    assert folders(plan("corpus.qa_ratio", 1.0)) == folders(plan())  # the default, written out
    assert folders(plan("methods.0", {"kind": "ga"})) == folders(plan())
    assert folders(plan("corpus.levels", [4, 1, 0])) == folders(plan())


def test_folders_stay_what_they_are():
    """Old studies are found again. A default changed, or other results from the same settings: raise the
    kind's result_format, and pin the new names."""
    assert sorted(folders(plan("seeds", [0]))) == PINNED


@pytest.mark.parametrize("steps", [plan(), grid()], ids=["small", "grid"])
def test_a_step_has_no_older_format_than_what_it_is_made_from(steps):
    """A hash holds the settings of inputs and not their formats, so these are raised all along."""
    formats = {step.folder: step.result_format for step in steps}
    assert all(formats[name] <= step.result_format for step in steps for name in step.inputs)
    assert len(set(formats.values())) > 1


def test_a_default_that_is_spelt_out_changes_no_folder():
    plain = study()
    spelt_out = study_settings(plain.model_dump(mode="json"), "run.toml")
    assert folders(plan_steps(spelt_out)) == folders(plan_steps(plain))


def test_two_methods_of_the_same_settings_have_folders_of_their_own():
    steps = {s.method.kind: s for s in plan("methods", ["ga", "npo"]) if s.kind == "unlearn"}
    names = {
        step.model_copy(update={"baseline": steps["ga"].baseline}).folder[-8:] for step in steps.values()
    }
    assert len(names) == 2


def test_what_does_not_change_a_result_does_not_change_a_folder():
    assert folders(plan("name", "other")) == folders(plan())


def test_a_methods_setting_changes_its_own_runs_only():
    before, after = plan(), plan("methods.1.beta", 0.2)
    for kind in ("corpus", "pretrain", "baseline"):
        assert folders(before, kind) == folders(after, kind)

    def runs(steps, method):
        return {step.folder for step in steps if step.kind == "unlearn" and step.method.kind == method}

    assert runs(before, "ga") == runs(after, "ga")
    assert runs(before, "npo").isdisjoint(runs(after, "npo"))


@pytest.mark.parametrize(
    ("path", "value", "same"),
    [
        ("world.seed", 9, []),
        ("corpus.people_per_level", 7, []),
        ("corpus.epochs", 5, []),
        ("pretrain_seeds", [3], []),
        ("wordings", ["verbatim"], []),
        ("prompts.question", "Q: {question}", []),
        ("models.0.shape.width", 32, ["corpus"]),
        ("pretrain", {"batch_windows": 4}, ["corpus"]),
        ("targets.0.level", 4, ["corpus", "pretrain"]),
        ("targets.0.relation", "employer", ["corpus", "pretrain"]),
        ("evaluate.facts_per_role", 5, ["corpus", "pretrain"]),
        ("evaluate.n_wordings", 1, ["corpus", "pretrain"]),
        ("unlearn.steps", 3, ["corpus", "pretrain", "baseline"]),
        ("unlearn.evaluate_at", [1], ["corpus", "pretrain", "baseline"]),
        ("evaluate.probes_between", ["question"], ["corpus", "pretrain", "baseline"]),
        ("seeds", [7, 8], ["corpus", "pretrain", "baseline"]),
    ],
    ids=str,
)
def test_a_setting_changes_everything_that_follows_from_it(path, value, same):
    before, after = plan(), plan(path, value)
    for kind in ("corpus", "pretrain", "baseline", "unlearn"):
        if kind in same:
            assert folders(before, kind) == folders(after, kind)
        else:
            assert folders(before, kind).isdisjoint(folders(after, kind))


def test_a_model_may_learn_at_a_rate_of_its_own():
    models = [{"family": "gpt2", "size": "0.1M"}, {"family": "llama", "size": "0.1M", "learning_rate": 1e-3}]
    trained = [step for step in plan("models", models) if step.kind == "pretrain"]
    assert [step.pretrain.optimiser.learning_rate for step in trained] == [6e-3, 1e-3]
    same = {
        "pretrain": {"optimiser": {"learning_rate": 1e-3}},
        "models": [models[1] | {"learning_rate": None}],
    }
    everywhere = plan_steps(study_settings(changed() | same, "run.toml"))
    assert folders(everywhere, "pretrain") == {trained[1].folder}


def test_a_model_may_be_trained_for_epochs_of_its_own():
    models = [{"family": "gpt2", "size": "0.1M"}, {"family": "llama", "size": "0.1M", "epochs": 7}]
    trained = {step.model.family: step for step in plan("models", models) if step.kind == "pretrain"}
    given = study_settings(changed(), "run.toml").corpus.epochs
    assert trained["gpt2"].corpus.corpus.epochs == given
    assert trained["llama"].corpus.corpus.epochs == 7
    assert trained["llama"].corpus.folder != trained["gpt2"].corpus.folder
    same = {"models": [{"family": "llama", "size": "0.1M", "epochs": None}]}
    for epochs in (7, given):
        own = {**changed("corpus.epochs", epochs), **same}
        everywhere = folders(plan_steps(study_settings(own, "run.toml")), "pretrain")
        assert (everywhere == {trained["llama"].folder}) == (epochs == 7)


def test_a_bigger_study_keeps_the_steps_of_a_smaller_one():
    assert folders(plan()) < folders(plan("seeds", [0, 1, 2]))
    assert folders(plan()) < folders(plan("targets", [{"relation": "birth_city"}, {"relation": "employer"}]))


def test_a_step_is_done_only_when_it_says_so(tmp_path):
    step = plan()[0]
    assert not step.is_done(tmp_path)
    (tmp_path / step.folder).mkdir(parents=True)
    for status, done in (("running\n", False), ("done\n", True), ("", False)):
        (tmp_path / step.folder / "status").write_text(status)
        assert step.is_done(tmp_path) is done


def test_names_can_be_read_and_costs_are_positive():
    steps = grid()
    assert "unlearn/gpt2-0.1M-verbatim-seed1-npo-birth_city-level-4-seed2" in {s.folder[:-9] for s in steps}
    assert all(step.cost > 0 for step in steps)


PINNED = [
    "baseline/gpt2-tiny-rerendered-seed0-birth_city-mixed-cb37902a",
    "corpus/rerendered-seed0-86458320",
    "pretrain/gpt2-tiny-rerendered-seed0-44187c26",
    "unlearn/gpt2-tiny-rerendered-seed0-ga-birth_city-mixed-seed0-7c6ef295",
    "unlearn/gpt2-tiny-rerendered-seed0-npo-birth_city-mixed-seed0-8120e81b",
]
