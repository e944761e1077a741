"""Master weights of bfloat16: what is kept between steps, what is lost, and the arm in a study."""

import copy

import polars as pl
import pytest
import torch

from command_line import finish, start, toml
from study_settings import changed, study
from tiny_world import PROMPTS
from unequal.config import build
from unequal.errors import ConfigError
from unequal.study.plan import plan_steps
from unequal.study.settings import StudySettings
from unequal.training.rounding import round_to_bf16
from unequal.unlearning.methods import METHODS
from unequal.unlearning.run import unlearn
from unequal.unlearning.settings import UnlearnSettings


@pytest.fixture
def run(model, tokenizer, facts):
    """Return the weights at every step of a run of a method at a rate and precision."""
    forget = [fact for fact in facts if fact.role == "forget"][:6]
    retain = [fact for fact in facts if fact.role == "retain"][:6]

    def train(precision, rate=1e-3, kind="ga", **settings):
        copied, seen = copy.deepcopy(model), {}
        method = METHODS.get(kind).model_validate({"kind": kind, **({"learning_rate": rate} if rate else {})})
        plan = UnlearnSettings(steps=3, batch_size=4, evaluate_at=(1, 2), precision=precision, **settings)

        def judge(one, step, _last):
            seen[step] = {name: weight.detach().clone() for name, weight in one.named_parameters()}

        unlearn(copied, tokenizer, method, forget, retain, PROMPTS, plan, 0, judge)
        return seen

    return train


def with_changes(change):
    """Return the settings of the small study with these changed."""
    return build(StudySettings, changed() | change, "run.toml")


def is_bf16(weights):
    return all(torch.equal(weight, weight.bfloat16().float()) for weight in weights.values())


def moved(one, other):
    return any(not torch.equal(one[name], other[name]) for name in one)


def test_rounding_goes_to_the_nearest_and_stays_in_float32():
    weight = torch.nn.Parameter(torch.tensor([1.0, 1.001, 1.005, -3.14159, 0.0]))
    round_to_bf16([weight])
    assert weight.dtype == torch.float32
    assert weight.tolist() == [1.0, 1.0, 1.0078125, -3.140625, 0.0]


@pytest.mark.parametrize("kind", ["ga", "rmu"])
def test_weights_that_are_judged_are_those_that_bf16_can_keep(run, kind):
    rounded = run("bf16", kind=kind)
    assert sorted(rounded) == [0, 1, 2, 3]
    for step in (1, 2, 3):
        assert kind == "rmu" or is_bf16(rounded[step])
        assert not is_bf16(run("fp32", kind=kind)[step])
    assert moved(rounded[1], rounded[3])


def test_steps_too_small_for_bf16_are_lost_and_are_not_in_fp32(run):
    def share_moved(seen):
        pairs = [(seen[0][name], seen[3][name]) for name in seen[0] if seen[0][name].ndim == 2]
        return sum((a != b).sum().item() for a, b in pairs) / sum(a.numel() for a, _ in pairs)

    kept, lost = share_moved(run("fp32", 1e-6)), share_moved(run("bf16", 1e-6))
    assert kept > 0.5  # the others are of words that no fact of the batch has
    assert lost < 0.05 * kept


def test_a_method_without_steps_has_none_to_round(run):
    with pytest.raises(ConfigError, match="to stop, to round or to train"):
        run("bf16", rate=None, kind="task_vector")


def test_the_arm_has_runs_and_names_of_its_own_and_leaves_the_others_alone():
    plain = [step.folder for step in plan_steps(study())]
    both = plan_steps(with_changes({"precisions": ["fp32", "bf16"]}))
    assert set(plain) < {step.folder for step in both}
    extra = [step.folder for step in both if step.folder not in plain]
    assert len(extra) == sum(folder.startswith("unlearn/") for folder in plain)
    assert all("-bf16-" in folder for folder in extra)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"precisions": ["fp16"]}, "it should be 'fp32' or 'bf16'"),
        ({"precisions": ["bf16", "bf16"]}, "precisions: an entry stands twice"),
        ({"precisions": ["bf16"], "methods": ["ga", "task_vector"]}, "method task_vector minimises no loss"),
        ({"unlearn": {"precision": "bf16"}}, 'its own list: precisions = ["fp32", "bf16"]'),
    ],
)
def test_settings_that_cannot_be_are_refused(change, message):
    with pytest.raises(ConfigError) as caught:
        with_changes(change)
    assert message in str(caught.value)


def test_a_study_of_both_precisions_names_them_in_its_scores(tmp_path):
    values = changed() | {"precisions": ["fp32", "bf16"], "seeds": [0], "methods": ["ga"]}
    (tmp_path / "study.toml").write_text(toml(values))
    result = finish(
        start("study", "run", tmp_path / "study.toml", "--out", tmp_path / "out", "--workers", 1), timeout=300
    )
    assert result.code == 0, result.err
    scores = pl.read_parquet(tmp_path / "out" / "scores.parquet")
    runs = scores.select("run_id", "precision").unique().sort("precision")
    assert runs["precision"].to_list() == ["bf16", "fp32"]
    assert "-bf16-" in runs["run_id"][0] and "bf16" not in runs["run_id"][1]
    ends = scores.filter((pl.col("step") == 2) & (pl.col("metric") == "answer_log_prob"))
    values = [ends.filter(pl.col("precision") == name)["value"].to_list() for name in ("fp32", "bf16")]
    assert len(values[0]) == len(values[1]) > 0 and values[0] != values[1]
