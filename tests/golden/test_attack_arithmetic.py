"""Rounded weights and the closed-form classifier, against numbers worked by hand and independent code."""

import math

import numpy as np
import pytest
import torch
from torch import nn
from transformers import GPT2Config, GPT2LMHeadModel
from transformers.pytorch_utils import Conv1D

from unequal.attacks.ridge import STRENGTHS, fit
from unequal.attacks.rounding import NF4_LEVELS, matrices, rounded
from unequal.errors import ConfigError


def test_int8_is_the_nearest_of_255_steps_of_each_row():
    matrix = torch.tensor([[1.27, 0.014, -0.016, 0.0], [-2.54, 1.27, 0.03, 0.009]])
    found = rounded(matrix, "int8")
    assert found[0].tolist() == pytest.approx([1.27, 0.01, -0.02, 0.0])
    assert found[1].tolist() == pytest.approx([-2.54, 1.28, 0.04, 0.0], abs=1e-6)  # 63.5 and 1.5 go to even


def test_nf4_is_the_nearest_level_of_each_block_of_64():
    row = torch.zeros(128)
    row[0], row[1], row[2] = 2.0, 0.3, -0.25  # 0.15 and -0.125 of the block's largest
    row[64], row[65], row[66] = -0.5, 0.3, 0.25
    found = rounded(row.view(2, 64), "nf4").flatten()
    expected = {0: 2.0, 1: 0.16093020141124725 * 2, 2: -0.09105003625154495 * 2}
    expected |= {64: -0.5, 65: 0.5626170039176941 * 0.5, 66: 0.44070982933044434 * 0.5}
    for place, value in expected.items():
        assert found[place].item() == pytest.approx(value, rel=1e-6)
    assert found[3:64].tolist() == [0.0] * 61


def test_a_block_of_nf4_may_span_rows_and_the_last_may_be_short():
    matrix = torch.full((3, 30), 0.1)
    matrix[0, 0], matrix[2, 29] = 1.0, 4.0  # the 1st and the 90th weight: blocks 1 and 2
    found = rounded(matrix, "nf4")
    assert found[2, 3].item() == pytest.approx(0.1, abs=0.03)  # the 64th: of the first block
    assert found[2, 4].item() == 0.0  # the 65th: 0.1 / 4 is nearest to 0


def test_the_levels_are_those_of_the_normal_distribution():
    """QLoRA: 8 quantiles up to 0.9677083 above zero, 7 below, each side scaled to end at one."""
    offset = 0.9677083
    normal = torch.distributions.Normal(0.0, 1.0)
    above = normal.icdf(torch.linspace(offset, 0.5, 9)[:-1].double()).tolist()
    below = (-normal.icdf(torch.linspace(offset, 0.5, 8)[:-1].double())).tolist()
    levels = sorted([*above, 0.0, *below])
    largest = max(levels)
    assert [level / largest for level in levels] == pytest.approx(NF4_LEVELS, abs=2e-6)


@pytest.mark.parametrize("scheme", ["int8", "nf4"])
def test_a_matrix_of_zeros_stays_and_rounding_twice_is_rounding_once(scheme):
    zeros = torch.zeros(4, 64)
    assert torch.equal(rounded(zeros, scheme), zeros)
    once = rounded(torch.randn(8, 128, generator=torch.Generator().manual_seed(1)), scheme)
    torch.testing.assert_close(rounded(once, scheme), once, rtol=1e-6, atol=1e-7)
    assert rounded(once.bfloat16(), scheme).dtype == torch.bfloat16


@pytest.mark.parametrize("scheme", ["int8", "nf4"])
@pytest.mark.parametrize("shape", [(64, 128), (48, 96), (5, 30), (3, 33)], ids=str)
def test_bitsandbytes_rounds_to_the_same_weights(scheme, shape):
    pytest.importorskip("bitsandbytes")
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(2))
    assert torch.equal(rounded(matrix, scheme, "bitsandbytes"), rounded(matrix, scheme, "exact"))
    assert torch.equal(rounded(matrix, scheme, "auto"), rounded(matrix, scheme, "exact"))


def test_a_backend_that_is_not_installed_is_refused_and_auto_does_without(monkeypatch):
    monkeypatch.setattr("unequal.attacks.rounding.find_spec", lambda _name: None)
    matrix = torch.randn(4, 64)
    assert torch.equal(rounded(matrix, "nf4", "auto"), rounded(matrix, "nf4"))
    with pytest.raises(
        ConfigError, match=r"backend bitsandbytes is not installed; run: pip install 'unequal\[quantised\]'"
    ):
        rounded(matrix, "nf4", "bitsandbytes")


def test_every_linear_layer_is_rounded_once_and_the_ends_only_when_asked_for():
    config = GPT2Config(vocab_size=11, n_positions=8, n_embd=8, n_layer=2, n_head=2)
    model = GPT2LMHeadModel(config)
    found = list(matrices(model, embeddings=False))
    layers = [module for module in model.modules() if isinstance(module, Conv1D)]
    assert [id(weight) for weight, _ in found] == [id(module.weight) for module in layers]
    assert all(is_transposed for _, is_transposed in found)
    with_ends = [id(weight) for weight, _ in matrices(model, embeddings=True)]
    assert set(with_ends) - {id(weight) for weight, _ in found} == {id(model.transformer.wte.weight)}
    assert len(with_ends) == len(set(with_ends))
    model.lm_head = nn.Linear(8, 11, bias=False)
    assert id(model.lm_head.weight) not in {id(weight) for weight, _ in matrices(model, embeddings=False)}
    assert len(list(matrices(model, embeddings=True))) == len(found) + 2


# --- the classifier


def leave_one_out(inputs, labels, strength):
    """Return the accuracy of least squares refitted without each row, at the scale of all rows."""
    classes = sorted(set(labels))
    rows = (inputs - inputs.mean(0)) / inputs.std(0)
    targets = np.array([[float(label == name) for name in classes] for label in labels])
    prior = targets.mean(0)
    penalty = strength * np.trace(rows @ rows.T) / len(labels)
    hits = 0
    for left in range(len(labels)):
        kept = [index for index in range(len(labels)) if index != left]
        x, y = rows[kept], targets[kept] - prior
        weights = np.linalg.solve(x.T @ x + penalty * np.eye(x.shape[1]), x.T @ y)
        hits += classes[int((rows[left] @ weights + prior).argmax())] == labels[left]
    return hits / len(labels)


def test_the_classifiers_strength_is_that_of_the_best_refit_without_each_row():
    stream = np.random.default_rng(3)
    labels = [str(index % 3) for index in range(24)]
    inputs = stream.normal(size=(24, 6)) + 0.8 * np.eye(6)[[index % 3 for index in range(24)]]
    expected = [leave_one_out(inputs, labels, strength) for strength in STRENGTHS]
    assert len(set(expected)) > 1
    assert fit(inputs, labels).held_out_accuracy == pytest.approx(max(expected))


def test_the_classifier_is_ridge_regression_on_one_column_a_class():
    """Two points at -1 and 1 with classes a and b: the weight is 1/(1 + λ/2) towards each, prior a half."""
    classifier = fit(np.array([[-1.0], [1.0]]), ["a", "b"])
    assert classifier.predict(np.array([[-0.2], [0.3], [5.0]])) == ["a", "b", "b"]
    at_one = (np.array([[1.0]]) @ classifier.rows.T @ classifier.weights + classifier.prior)[0]
    penalty = STRENGTHS[0]  # times the mean squared length 1; all strengths predict alike, so the first
    assert at_one.tolist() == pytest.approx([0.5 - 1 / (2 + penalty), 0.5 + 1 / (2 + penalty)])
    assert math.isclose(classifier.spread[0], 1.0)


def test_a_constant_input_predicts_the_commonest_class():
    classifier = fit(np.ones((5, 2)), ["a", "b", "b", "b", "a"])
    assert classifier.predict(np.ones((2, 2))) == ["b", "b"]
