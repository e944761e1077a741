"""Unlearning on a GPU ends where unlearning on the CPU does, but for rounding."""

import copy

import pytest
import torch

from tiny_world import run_of
from unequal.scoring.log_probs import log_probs
from unequal.unlearning.methods import METHODS
from unequal.unlearning.unlearn import unlearn

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU of Nvidia's"),
]


@pytest.mark.parametrize("kind", ["ga", "npo"])
def test_unlearning_on_a_gpu_scores_as_on_the_cpu(kind, model, tokenizer, probes, forget, retain):
    found = []
    for device in ("cpu", "cuda"):
        there = copy.deepcopy(model).to(device)
        method = METHODS.get(kind).model_validate({"kind": kind, "learning_rate": 1e-3})
        unlearn(run_of(there, tokenizer, method, forget, retain, steps=3, evaluate_at=(3,)))
        scores = log_probs(there, tokenizer, probes)
        found.append(torch.tensor([sum(score.right.log_probs) for score in scores]))
    torch.testing.assert_close(*found, rtol=1e-3, atol=1e-3)
