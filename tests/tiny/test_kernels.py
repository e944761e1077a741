"""The fast matrix products give what the plain layers give, and step aside where they do not apply."""

import copy

import pytest
import torch
from torch import nn
from transformers import GPT2Config
from transformers.models.gpt2.modeling_gpt2 import GPT2MLP
from transformers.pytorch_utils import Conv1D

from unequal.models import cpu_kernels
from unequal.models.cpu_kernels import use_kernels

LAYERS = {
    "linear": lambda: nn.Linear(12, 7),
    "linear without bias": lambda: nn.Linear(12, 7, bias=False),
    "conv1d": lambda: Conv1D(7, 12),
}
needs_onednn = pytest.mark.skipif(not cpu_kernels._has_onednn(), reason="this build of PyTorch has no oneDNN")


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
    return layer, use_kernels(copy.deepcopy(layer))


def inputs(*shape, dtype=torch.float32):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1)).to(dtype)


def is_used(monkeypatch):
    """Return a list that grows whenever the fast product is taken."""
    calls = []
    plain = cpu_kernels._product
    monkeypatch.setattr(cpu_kernels, "_product", lambda *args: calls.append(1) or plain(*args))
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
    monkeypatch.setattr(cpu_kernels, "_has_onednn", lambda: False)
    assert "forward" not in vars(use_kernels(layer))


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

    doubled = use_kernels(nn.Sequential(Doubled(12, 7)))[0]
    assert "forward" not in vars(doubled)


def mlp(activation="gelu_pytorch_tanh", width=12, inner=40):
    with torch.random.fork_rng():
        torch.manual_seed(2)
        made = GPT2MLP(inner, GPT2Config(n_embd=width, activation_function=activation, resid_pdrop=0.0))
        for weight in made.parameters():
            nn.init.normal_(weight)
    return made


def is_fused(monkeypatch):
    """Return a list that grows whenever an activation is worked out within its projection."""
    calls = []
    plain = cpu_kernels._gelu
    monkeypatch.setattr(cpu_kernels, "_gelu", lambda *args, **named: calls.append(1) or plain(*args, **named))
    return calls


def derivatives(module, given):
    """Return what a module gives, and the gradients of the inputs and of its weights."""
    given = given.clone().requires_grad_()
    out = module(given)
    (out * torch.linspace(-1, 1, out.numel()).view(out.shape)).sum().backward()
    return [out, given.grad, *(weight.grad for weight in module.parameters())]


@needs_onednn
@pytest.mark.parametrize("activation", ["gelu_pytorch_tanh", "gelu_new"])
@pytest.mark.parametrize("n_rows", [1, 5, 300], ids=["one row", "a few", "more than at a time"])
def test_an_mlp_equals_the_plain_one(activation, n_rows, monkeypatch):
    calls = is_fused(monkeypatch)
    plain, fast = pair(mlp(activation))
    expected = derivatives(plain.double(), inputs(2, n_rows, 12).double())
    for one, other in zip(derivatives(fast, inputs(2, n_rows, 12)), expected, strict=True):
        torch.testing.assert_close(one.double(), other, rtol=1e-4, atol=1e-4)
    assert len(calls) == 2


@pytest.mark.parametrize("value", [0.0, -1e4, 1e4, -30.0, 30.0, -5.0, 5.0, -0.7, 0.7, 1e-20])
def test_gelu_and_its_slope_are_exact_to_rounding(value):
    given = torch.full((3, 2), value)
    exact = given.double().requires_grad_()
    nn.functional.gelu(exact, approximate="tanh").sum().backward()
    slopes = torch.empty_like(given)
    found = cpu_kernels._gelu(given, slopes)
    torch.testing.assert_close(
        found.double(), nn.functional.gelu(exact, approximate="tanh").detach(), rtol=2e-6, atol=1e-30
    )
    torch.testing.assert_close(slopes.double(), exact.grad, rtol=1e-5, atol=2e-6)
    torch.testing.assert_close(cpu_kernels._gelu(given, slopes=given), found)
    torch.testing.assert_close(given, slopes)


@needs_onednn
def test_what_an_activation_gives_may_be_changed_in_place():
    found = []
    for module in pair(mlp()):
        module.act.register_forward_hook(lambda _m, _inputs, output: output.mul_(2))
        found.append(derivatives(module, inputs(2, 5, 12)))
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


@needs_onednn
def test_an_mlp_keeps_what_is_activated_and_not_what_comes_of_it():
    _, fast = pair(mlp())
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(
        lambda one: kept.append(one.shape[-1]) or one, lambda one: one
    ):
        fast(inputs(7, 12))
    assert kept.count(40) == 1 + 1  # that, and the weight of its projection


@needs_onednn
def test_an_mlp_is_differentiated_once():
    _, fast = pair(mlp())
    out = fast(inputs(5, 12)).sum()
    out.backward(retain_graph=True)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        out.backward()


@needs_onednn
def test_an_mlp_of_another_activation_runs_as_it_always_does(monkeypatch):
    calls = is_fused(monkeypatch)
    for activation in ("gelu", "relu"):
        plain, fast = pair(mlp(activation))
        torch.testing.assert_close(fast(inputs(5, 12)), plain(inputs(5, 12)), rtol=1e-5, atol=1e-5)
    assert calls == []


@needs_onednn
def test_an_mlp_whose_parts_are_wrapped_or_hooked_gives_the_same_bits():
    _, fast = pair(mlp())
    expected = derivatives(fast, inputs(300, 12))
    seen = []
    for part in ("c_fc", "act", "c_proj"):
        watched = copy.deepcopy(fast)
        watched.zero_grad()
        getattr(watched, part).register_forward_hook(lambda _m, _inputs, output: seen.append(output.clone()))
        found = derivatives(watched, inputs(300, 12))
        assert torch.equal(found[0], expected[0])
        for one, other in zip(found, expected, strict=True):
            torch.testing.assert_close(one, other)
    assert [one.shape[-1] for one in seen] == [40, 40, 12]
    replaced = copy.deepcopy(fast)
    replaced.act.forward = torch.zeros_like
    assert torch.equal(replaced(inputs(5, 12)), replaced.c_proj(torch.zeros(5, 40)))
    gradients = []
    watched = copy.deepcopy(fast)
    for part in ("c_fc", "act", "c_proj"):
        getattr(watched, part).register_full_backward_hook(lambda *_: gradients.append(1))
    derivatives(watched, inputs(300, 12))
    assert len(gradients) == 3
    wrapped = copy.deepcopy(fast)
    wrapped.c_proj = nn.Sequential(wrapped.c_proj)
    assert torch.equal(wrapped(inputs(300, 12)), expected[0])


@needs_onednn
def test_an_mlp_drops_states_as_it_always_does():
    plain, fast = pair(mlp())
    found = []
    for module in (plain, fast):
        module.dropout.p = 0.5
        with torch.random.fork_rng():
            torch.manual_seed(4)
            found.append(module.train()(inputs(5, 12)))
    assert (found[0] == 0).any()
    torch.testing.assert_close(*found, rtol=1e-4, atol=1e-4)


@needs_onednn
def test_frozen_projections_get_no_gradient_but_pass_it_on():
    plain, fast = pair(mlp())
    for module in (plain, fast):
        module.c_proj.requires_grad_(False)
    found = []
    for module in (plain, fast):
        given = inputs(5, 12).requires_grad_()
        module(given).sum().backward()
        assert module.c_proj.weight.grad is None
        found.append([given.grad, module.c_fc.weight.grad])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


@pytest.mark.slow
def test_a_compiled_model_uses_the_plain_layers_and_agrees(model) -> None:
    model = use_kernels(copy.deepcopy(model))
    ids = torch.arange(24).view(2, 12)
    expected = model(input_ids=ids).logits
    model.base_model.compile()
    torch.testing.assert_close(model(input_ids=ids).logits, expected, atol=1e-4, rtol=1e-4)
