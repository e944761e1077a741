"""Memory that runs out in a real run: smaller batches fit, and give the same scores but for rounding."""

import copy
import json
import shutil

import polars as pl
import pytest
import torch
from polars.testing import assert_frame_equal

from cramped_steps import CrampedStep
from study_settings import changed
from tiny_world import PROMPTS
from unequal.evaluation.evaluate import Evaluator
from unequal.evaluation.score_table import SCORE_KEY
from unequal.facts.probes import PROBE_KINDS, ProbeMaker
from unequal.oom import smaller_batches
from unequal.study.expand import plan_steps
from unequal.study.launch.launcher import ExecutorSettings, Silence
from unequal.study.launch.run import run_steps
from unequal.study.sources import study_settings
from unequal.study.steps.unlearn import UnlearnStep
from unequal.unlearning.examples import FactEncoder, answer_probabilities
from unequal.unlearning.methods import METHODS
from unequal.unlearning.run import Run
from unequal.unlearning.settings import UnlearnSettings
from unequal.unlearning.unlearn import unlearn

SIZES = {
    "corpus": {"levels": [0, 1], "people_per_level": 128, "epochs": 1, "qa_ratio": 0.1, "window_tokens": 256},
    "prompts": {"question": "this is a long prompt " * 20 + "{question}"},
    "models": [{"family": "gpt2", "size": "wide", "shape": {"width": 256, "layers": 2, "heads": 4}}],
    "methods": ["ga"],
    "seeds": [0],
    "unlearn": {"steps": 2, "batch_size": 128, "evaluate_at": [2]},
    "evaluate": {
        "allow_unknown": True,
        "facts_per_role": 2,
        "probes": ["question"],
        "probes_between": ["question"],
    },
}


@pytest.fixture(scope="module")
def steps():
    values = changed()
    for name, value in SIZES.items():
        values[name] = {**values[name], **value} if isinstance(value, dict) else value
    return plan_steps(study_settings(values, "run.toml"))


@pytest.fixture(scope="module")
def whole(steps, tmp_path_factory):
    """The folder of the study where memory was enough."""
    out = tmp_path_factory.mktemp("memory") / "whole"
    assert len(list(run_steps(out, steps, ExecutorSettings(1), Silence()))) == 4
    return out


@pytest.mark.slow
@pytest.mark.fault(
    "memory runs out in one run (a limit of the system)",
    "the run is tried again with batches an eighth as large, fits, and is marked; its scores are the same but"
    " for rounding",
)
def test_a_run_whose_batch_does_not_fit_is_done_in_smaller_ones(steps, whole, tmp_path):
    out = tmp_path / "cramped"
    shutil.copytree(whole, out)
    shutil.rmtree(out / "unlearn")
    cramped = [CrampedStep(**dict(step)) if isinstance(step, UnlearnStep) else step for step in steps]
    assert [step.folder for step in cramped] == [step.folder for step in steps]
    assert len(list(run_steps(out, cramped, ExecutorSettings(1), Silence()))) == 1
    folder = steps[-1].folder
    manifests = [json.loads((study / folder / "manifest.json").read_text()) for study in (whole, out)]
    assert "second_try" not in manifests[0]
    assert manifests[1]["second_try"] == "with smaller batches, since memory ran out"
    tables = [pl.read_parquet(study / folder / "scores.parquet").sort(SCORE_KEY) for study in (whole, out)]
    assert set(tables[0]["step"]) == {0, 2}
    assert_frame_equal(*tables, check_exact=False, abs_tol=2e-4, rel_tol=1e-4)


class Widths:
    """Notes how many tokens each forward pass reads."""

    def __init__(self, model):
        self.tokens = []
        model.get_input_embeddings().register_forward_pre_hook(
            lambda _module, args: self.tokens.append(args[0].numel())
        )


@pytest.mark.full
def test_smaller_batches_change_no_score(model, tokenizer, facts):
    watched = copy.deepcopy(model)
    widths = Widths(watched)
    tables, largest = [], []
    for wanted in (False, True):
        widths.tokens.clear()
        with smaller_batches(wanted):
            evaluator = Evaluator(tokenizer, facts, ProbeMaker(facts, PROMPTS, 2), PROBE_KINDS)
            tables.append(evaluator.run(watched).scores)
        largest.append(max(widths.tokens))
    assert largest[1] <= largest[0] / 4
    assert_frame_equal(*tables, check_exact=False, abs_tol=1e-4)


@pytest.mark.parametrize("kind", ["npo", "rmu", "baldro"])
def test_smaller_batches_end_in_the_same_model(kind, model, tokenizer, facts):
    """Baldro's loss is of a batch as a whole: it is not cut, its layers are worked out twice instead."""
    found, largest = [], []
    for wanted in (False, True):
        trained = copy.deepcopy(model)
        widths = Widths(trained)
        method = METHODS.get(kind)(learning_rate=1e-3)
        settings = UnlearnSettings(steps=2, batch_size=32)
        with smaller_batches(wanted):
            unlearn(Run(trained, tokenizer, method, facts[:32], facts[32:64], settings, PROMPTS))
        largest.append(max(widths.tokens))
        rows = FactEncoder(tokenizer, PROMPTS).own_answers(facts[:64])
        found.append(answer_probabilities(trained, rows, tokenizer.pad_token_id))
    assert (largest[1] < largest[0] / 4) == (kind != "baldro")
    torch.testing.assert_close(*found, rtol=2e-3, atol=1e-6)
