"""Precisions of a run: what is kept between steps, what is lost, and the arm in a study."""

import copy

import polars as pl
import pytest
import torch

from command_line import finish, start, toml
from study_settings import changed, study
from tiny_world import PROMPTS
from unequal.errors import ConfigError
from unequal.models.load import load_model
from unequal.models.precision import in_precision
from unequal.models.save import save_model
from unequal.study.expand import plan_steps
from unequal.study.sources import study_settings
from unequal.unlearning.methods import METHODS
from unequal.unlearning.run import Run
from unequal.unlearning.settings import UnlearnSettings
from unequal.unlearning.unlearn import unlearn


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

        unlearn(Run(copied, tokenizer, method, forget, retain, plan, PROMPTS, evaluate=judge))
        return seen

    return train


def with_changes(change):
    """Return the settings of the small study with these changed."""
    return study_settings(changed() | change, "run.toml")


def moved(one, other):
    return any(not torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("kind", ["ga", "rmu"])
@pytest.mark.parametrize(
    ("precision", "dtype"), [("bf16-pure", torch.bfloat16), ("bf16", torch.float32), ("fp32", torch.float32)]
)
def test_weights_are_of_the_precision_at_every_judged_step(run, kind, precision, dtype):
    seen = run(precision, kind=kind)
    assert sorted(seen) == [0, 1, 2, 3]
    assert {weight.dtype for weights in seen.values() for weight in weights.values()} == {dtype}
    assert moved(seen[1], seen[3])


def test_products_in_bf16_move_master_weights_nearly_as_exact_ones_do(run):
    exact, rough = run("fp32"), run("bf16")
    assert any(not torch.equal(weight, weight.bfloat16().float()) for weight in rough[3].values())
    ways = [
        torch.cat([(seen[3][name] - seen[0][name]).flatten() for name in seen[0]]) for seen in (exact, rough)
    ]
    assert not torch.equal(*ways)
    assert torch.cosine_similarity(*ways, dim=0) > 0.9


def test_positions_are_not_rounded_with_the_weights(model):
    copied = in_precision(copy.deepcopy(model), "bf16-pure")
    buffers = dict(model.named_buffers())
    assert copied.dtype == torch.bfloat16
    for name, buffer in copied.named_buffers():
        assert buffer.dtype == buffers[name].dtype
        assert torch.equal(buffer, buffers[name])


def test_a_model_of_bf16_weights_is_saved_and_read_as_it_is(model, tokenizer, tmp_path):
    copied = in_precision(copy.deepcopy(model), "bf16-pure")
    save_model(copied, tokenizer, tmp_path / "model")
    for precision in ("fp32", "bf16-pure"):
        again = load_model(tmp_path / "model", precision=precision)
        assert again.dtype == (torch.float32 if precision == "fp32" else torch.bfloat16)
        for name, weight in again.named_parameters():
            assert torch.equal(weight.float(), copied.get_parameter(name).float())


def test_steps_too_small_for_bf16_weights_are_lost_and_are_not_by_master_weights(run):
    def share_moved(seen):
        pairs = [(seen[0][name], seen[3][name]) for name in seen[0] if seen[0][name].ndim == 2]
        return sum((a != b).sum().item() for a, b in pairs) / sum(a.numel() for a, _ in pairs)

    kept, rough, lost = (share_moved(run(name, 1e-6)) for name in ("fp32", "bf16", "bf16-pure"))
    assert min(kept, rough) > 0.5  # the others are of words that no fact of the batch has
    assert lost < 0.05 * kept


def test_a_method_without_steps_has_none_to_round(run):
    with pytest.raises(ConfigError, match="to stop, to round or to train"):
        run("bf16-pure", rate=None, kind="task_vector")


def test_the_arm_has_runs_and_names_of_its_own_and_leaves_the_others_alone():
    plain = [step.folder for step in plan_steps(study())]
    both = plan_steps(with_changes({"precisions": ["fp32", "bf16-pure"]}))
    assert set(plain) < {step.folder for step in both}
    extra = [step.folder for step in both if step.folder not in plain]
    assert len(extra) == sum(folder.startswith("unlearn/") for folder in plain)
    assert all("-bf16-pure-" in folder for folder in extra)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"precisions": ["fp16"]}, "it should be 'fp32', 'bf16' or 'bf16-pure'"),
        ({"precisions": ["bf16", "bf16"]}, "precisions: an entry stands twice"),
        ({"precisions": ["bf16"], "methods": ["ga", "task_vector"]}, "method task_vector minimises no loss"),
        ({"unlearn": {"precision": "bf16-pure"}}, 'its own list: precisions = ["bf16-pure"]'),
        (
            {"unlearn": {"precision": "bf16-pure", "quantise": "nf4", "adapter": {"rank": 2}}},
            "rounds weights that quantise = 'nf4' keeps in few bits",
        ),
    ],
)
def test_settings_that_cannot_be_are_refused(change, message):
    with pytest.raises(ConfigError) as caught:
        with_changes(change)
    assert message in str(caught.value)


@pytest.mark.full
def test_a_study_of_all_precisions_names_those_of_weights_in_its_scores(tmp_path):
    values = changed() | {"precisions": ["fp32", "bf16", "bf16-pure"], "seeds": [0], "methods": ["ga"]}
    (tmp_path / "study.toml").write_text(toml(values))
    result = finish(start("study", "run", tmp_path / "study.toml", "--out", tmp_path / "out", "--workers", 1))
    assert result.code == 0, result.err
    scores = pl.read_parquet(tmp_path / "out" / "scores.parquet")
    runs = scores.select("run_id", "precision").unique()
    weights_of = {"-bf16-pure-": "bf16", "-bf16-": "fp32", "": "fp32"}
    for run_id, precision in runs.iter_rows():
        assert precision == next(weights for part, weights in weights_of.items() if part in run_id)
    assert sorted(runs["precision"]) == ["bf16", "fp32", "fp32"]
    ends = scores.filter((pl.col("step") == 2) & (pl.col("metric") == "answer_log_prob"))
    values = [ends.filter(pl.col("run_id") == run)["value"].to_list() for run in runs["run_id"]]
    assert len(values[0]) == len(values[1]) == len(values[2]) > 0
    assert values[0] != values[1] != values[2] != values[0]
