"""The fast matrix products give what the plain layers give, and step aside where they do not apply."""

import copy

import pytest
import torch
from torch import nn
from transformers.pytorch_utils import Conv1D

from unequal.models import kernels
from unequal.models.kernels import use_fast_linear

LAYERS = {
    "linear": lambda: nn.Linear(12, 7),
    "linear without bias": lambda: nn.Linear(12, 7, bias=False),
    "conv1d": lambda: Conv1D(7, 12),
}
needs_onednn = pytest.mark.skipif(not kernels._has_onednn(), reason="this build of PyTorch has no oneDNN")


@pytest.fixture(params=LAYERS)
def layer(request):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        made = LAYERS[request.param]()
        for weight in made.parameters():
            nn.init.normal_(weight)
    return made


def pair(layer):
    """Return the layer as it is and a fast copy of it."""
    return layer, use_fast_linear(copy.deepcopy(layer))


def inputs(*shape, dtype=torch.float32):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1)).to(dtype)


def is_used(monkeypatch):
    """Return a list that grows whenever the fast product is taken."""
    calls = []
    plain = kernels._product
    monkeypatch.setattr(kernels, "_product", lambda *args: calls.append(1) or plain(*args))
    return calls


@needs_onednn
@pytest.mark.parametrize("shape", [(5, 12), (3, 5, 12), (2, 3, 5, 12), (1, 12)])
def test_forward_and_gradients_equal_the_plain_layer(layer, shape, monkeypatch):
    calls = is_used(monkeypatch)
    results = []
    for module in pair(layer):
        given = inputs(*shape).requires_grad_()
        out = module(given)
        (out**2).sum().backward()
        results.append([out, given.grad, *(weight.grad for weight in module.parameters())])
    assert len(calls) == 2  # forward, and the gradient of the inputs
    for plain, fast in zip(*results, strict=True):
        torch.testing.assert_close(fast, plain, rtol=1e-5, atol=1e-5)


@needs_onednn
def test_inputs_that_are_not_contiguous_are_multiplied_too(layer):
    plain, fast = pair(layer)
    given = inputs(12, 5, 3).transpose(0, 2)
    torch.testing.assert_close(fast(given), plain(given.contiguous()), rtol=1e-5, atol=1e-5)


@needs_onednn
def test_frozen_weights_get_no_gradient(layer):
    _, fast = pair(layer)
    fast.requires_grad_(False)
    given = inputs(5, 12).requires_grad_()
    fast(given).sum().backward()
    assert given.grad is not None
    assert all(weight.grad is None for weight in fast.parameters())


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_other_dtypes_fall_back_to_the_plain_layer(layer, dtype, monkeypatch):
    calls = is_used(monkeypatch)
    plain, fast = pair(layer)
    given = inputs(5, 12, dtype=dtype)
    assert torch.equal(fast.to(dtype)(given), plain.to(dtype)(given))
    assert calls == []


def test_autocast_falls_back_to_the_plain_layer(layer, monkeypatch):
    calls = is_used(monkeypatch)
    plain, fast = pair(layer)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(fast(inputs(5, 12)), plain(inputs(5, 12)))
    assert calls == []


@needs_onednn
def test_second_derivatives_are_refused_rather_than_wrong(layer):
    _, fast = pair(layer)
    given = inputs(5, 12).requires_grad_()
    (gradient,) = torch.autograd.grad((fast(given) ** 2).sum(), given, create_graph=True)
    with pytest.raises(RuntimeError):
        torch.autograd.grad((gradient**2).sum(), given)


def test_without_onednn_nothing_is_replaced(layer, monkeypatch):
    monkeypatch.setattr(kernels, "_has_onednn", lambda: False)
    assert "forward" not in vars(use_fast_linear(layer))


@needs_onednn
def test_a_copy_uses_its_own_weights(layer):
    _, fast = pair(layer)
    copied = copy.deepcopy(fast)
    with torch.no_grad():
        for weight in copied.parameters():
            weight.zero_()
    assert copied(inputs(5, 12)).abs().sum() == 0
    assert fast(inputs(5, 12)).abs().sum() > 0


@needs_onednn
def test_new_weights_are_seen_at_once(layer):
    plain, fast = pair(layer)
    with torch.no_grad():
        plain.weight.mul_(2)
    fast.load_state_dict(plain.state_dict())
    torch.testing.assert_close(fast(inputs(5, 12)), plain(inputs(5, 12)), rtol=1e-5, atol=1e-5)


def test_subclasses_keep_their_own_forward():
    class Doubled(nn.Linear):
        def forward(self, given):
            return 2 * super().forward(given)

    doubled = use_fast_linear(nn.Sequential(Doubled(12, 7)))[0]
    assert "forward" not in vars(doubled)


@pytest.mark.slow
def test_a_compiled_model_uses_the_plain_layers_and_agrees(model) -> None:
    model = use_fast_linear(copy.deepcopy(model))
    ids = torch.arange(24).view(2, 12)
    expected = model(input_ids=ids).logits
    model.base_model.compile()
    torch.testing.assert_close(model(input_ids=ids).logits, expected, atol=1e-4, rtol=1e-4)
