"""A base in 8 or 4 bits under an adapter is the model with rounded weights, wherever it is used."""

import copy

import pytest
import torch
from peft.tuners.tuners_utils import BaseTunerLayer

from gate import of_families, sample
from tiny_world import PROMPTS, run_of
from unequal.attacks.rounding import matrices, rounded
from unequal.errors import MissingExtraError
from unequal.models import FAMILIES, quantised
from unequal.models.adapters import Adapter, AdapterSettings
from unequal.models.load import load_model, scratch_model
from unequal.models.quantised import QuantisedConv1D, QuantisedLinear, dequantise, n_weights, quantise
from unequal.models.save import save_model
from unequal.models.shapes import ModelSettings, Shape, Vocabulary
from unequal.scoring.generate import generate
from unequal.scoring.log_probs import log_probs
from unequal.training.recompute import recomputing
from unequal.unlearning.answer_objective import AnswerObjective
from unequal.unlearning.method_kinds import WithoutLoss
from unequal.unlearning.methods import METHODS
from unequal.unlearning.run import Checkpoints, Run
from unequal.unlearning.settings import UnlearnSettings
from unequal.unlearning.targets import Controls
from unequal.unlearning.unlearn import unlearn

pytest.importorskip("bitsandbytes")
SCHEMES = ("int8", "nf4")
SMALL = AdapterSettings(rank=4, alpha=8)
WITH_LOSS = [kind for kind in METHODS if not issubclass(METHODS.get(kind), WithoutLoss)]
ROOMS = (QuantisedLinear, QuantisedConv1D)


@pytest.fixture(params=SCHEMES)
def scheme(request):
    return request.param


def packed(model, scheme):
    copied = copy.deepcopy(model)
    quantise(copied, scheme)
    return copied


def plain(model, scheme):
    """Return a copy whose weights were rounded by arithmetic that is not the library's."""
    copied = copy.deepcopy(model)
    with torch.no_grad():
        for weight, is_transposed in matrices(copied, embeddings=False):
            found = rounded(weight.t().contiguous() if is_transposed else weight, scheme, "exact")
            weight.copy_(found.t() if is_transposed else found)
    return copied


def moved(model):
    """Return the model after its adapter was moved away from nothing."""
    stream = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for weight in model.parameters():
            if weight.requires_grad:
                weight += 0.1 * torch.randn(weight.shape, generator=stream)
    return model


class TestTheModel:
    def test_read_back_it_is_the_rounded_model_bit_for_bit(self, model, scheme):
        found, expected = packed(model, scheme), plain(model, scheme)
        linear = [name for name, module in found.named_modules() if isinstance(module, ROOMS)]
        assert len(linear) == (4 if model.config.model_type == "gpt2" else 7) * 2
        for name in linear:
            assert torch.equal(found.get_submodule(name).weight, expected.get_submodule(name).weight)
        assert n_weights(found) == n_weights(model) == model.num_parameters()
        dequantise(found)
        assert type(found) is type(model)
        weights, others = found.state_dict(), expected.state_dict()
        assert list(weights) == list(others)
        assert all(torch.equal(weights[name], others[name]) for name in weights)
        assert any(not torch.equal(weights[name], model.state_dict()[name]) for name in weights)

    def test_it_takes_the_bits_it_says(self, model, scheme):
        found = packed(model, scheme)
        linear = [module for module in found.modules() if isinstance(module, ROOMS)]
        of_codes = sum(module.codes.nbytes for module in linear)
        of_scales = sum(module.scales.nbytes for module in linear)
        n_packed = sum(module.n_packed for module in linear)
        assert of_codes == (n_packed if scheme == "int8" else n_packed // 2)
        assert of_scales == 4 * (sum(m.weight.numel() // 64 for m in linear) if scheme == "nf4" else sum(
            module._shape[0] for module in linear))  # fmt: skip
        assert not any(weight.requires_grad for module in linear for weight in module.parameters())

    @pytest.mark.full
    def test_scores_and_texts_are_those_of_the_rounded_model(self, model, scheme, tokenizer, probes):
        found, expected = packed(model, scheme), plain(model, scheme)
        pairs = zip(log_probs(found, tokenizer, probes), log_probs(expected, tokenizer, probes), strict=True)
        for one, other in pairs:
            assert one.right.log_probs == pytest.approx(other.right.log_probs, rel=1e-5)
        asked = [probe for probe in probes if probe.kind != "true_false"]
        assert generate(found, tokenizer, asked) == generate(expected, tokenizer, asked)
        assert log_probs(found, tokenizer, probes[:1])[0].right.log_probs != pytest.approx(
            log_probs(model, tokenizer, probes[:1])[0].right.log_probs, rel=1e-4
        )

    @pytest.mark.parametrize("family", of_families(FAMILIES, "gpt2", "llama"))
    def test_in_every_family(self, family, scheme):
        settings = ModelSettings(family=family, size="x", shape=Shape(width=48, layers=2, heads=4))
        made = Vocabulary(size=90, window_tokens=32, end_token_id=1, padding_token_id=0)
        model = scratch_model(settings, made, seed=1).eval()
        ids = torch.randint(2, 90, (3, 9), generator=torch.Generator().manual_seed(0))
        found, expected = packed(model, scheme), plain(model, scheme)
        assert any(isinstance(module, ROOMS) for module in found.modules())
        with torch.no_grad():
            torch.testing.assert_close(found(ids).logits, expected(ids).logits, rtol=1e-4, atol=1e-5)
        assert n_weights(found) == model.num_parameters()

    def test_loaded_it_is_the_same_also_from_bfloat16(self, model, scheme, tokenizer, score, tmp_path):
        save_model(model, tokenizer, tmp_path / "float32")
        assert score(load_model(tmp_path / "float32", scheme)) == score(packed(model, scheme))
        folder = tmp_path / "bfloat16"
        save_model(copy.deepcopy(model).bfloat16(), tokenizer, folder)
        found = load_model(folder, scheme)
        assert score(found) == score(packed(load_model(folder), scheme))
        assert {weight.dtype for weight in found.parameters()} == {torch.float32}

    def test_without_bitsandbytes_the_extra_is_named_before_anything_is_loaded(
        self, model, tokenizer, monkeypatch, tmp_path
    ):
        save_model(model, tokenizer, tmp_path / "model")
        (tmp_path / "model" / "model.safetensors").write_bytes(b"")
        monkeypatch.setattr(quantised, "find_spec", lambda _name: None)
        with pytest.raises(MissingExtraError, match=r"8 or 4 bits.*pip install 'unequal\[quantised\]'"):
            load_model(tmp_path / "model", "nf4")


class TestUnderAnAdapter:
    @pytest.mark.parametrize("twice", [False, True], ids=["kept", "recomputed"])
    def test_gradients_are_those_on_the_rounded_model(self, twice, model, scheme, tokenizer, forget, retain):
        found = []
        for base in (packed(model, scheme), plain(model, scheme)):
            npo = METHODS.get("npo").model_validate({"kind": "npo", "retain_loss": "kl"})
            objective = AnswerObjective(run_of(base, tokenizer, npo, forget, retain, batch_size=4))
            Adapter(base, SMALL, seed=0)
            moved(base).train()
            with recomputing(base, twice):
                for loss in objective.losses(0):
                    torch.autograd.backward(loss)
            found.append({name: w.grad for name, w in base.named_parameters() if w.grad is not None})
        assert list(found[0]) == list(found[1])
        assert all(".lora_" in name for name in found[0])
        assert max(gradient.abs().max() for gradient in found[0].values()) > 1e-3
        for name, gradient in found[0].items():
            torch.testing.assert_close(gradient, found[1][name], rtol=1e-3, atol=1e-5)

    def test_recomputing_gives_the_gradients_of_keeping(self, model, scheme, tokenizer, forget):
        found = []
        for twice in (False, True):
            base = packed(model, scheme)
            method = METHODS.get("ga").model_validate({"kind": "ga", "retain_weight": 0.0})
            objective = AnswerObjective(run_of(base, tokenizer, method, forget, [], batch_size=6))
            Adapter(base, SMALL, seed=0)
            moved(base).train()
            with recomputing(base, twice):
                for loss in objective.losses(0):
                    torch.autograd.backward(loss)
            found.append([w.grad for w in base.parameters() if w.requires_grad])
        assert all(gradient is not None for gradient in found[1])
        torch.testing.assert_close(*found, rtol=1e-4, atol=1e-6)

    def test_merged_it_is_the_model_that_was_trained_in_plain_weights(self, model, scheme, score):
        trained = packed(model, scheme)
        adapter = Adapter(trained, SMALL, seed=0)
        before = score(moved(trained))
        adapter.merge()
        assert score(trained) == pytest.approx(before, rel=1e-4)
        assert before != pytest.approx(score(plain(model, scheme)), rel=1e-3)
        assert list(trained.state_dict()) == list(model.state_dict())
        assert trained.num_parameters() == model.num_parameters()
        assert all(weight.requires_grad for weight in trained.parameters())


@pytest.fixture
def run(model, tokenizer, forget, retain):
    """Unlearn a copy; returns it and what was seen of the model at each step."""

    def start(kind, look=lambda _model: None, scheme="nf4", killed_at=None, checkpoints=None, **settings):
        copied, seen = copy.deepcopy(model), {}
        method = METHODS.get(kind).model_validate({"kind": kind, "learning_rate": 1e-2})
        given = {"steps": 2, "batch_size": 4, "adapter": SMALL, "quantise": scheme, **settings}

        def progress(done, _total):
            if done == killed_at:
                raise KilledError

        run = Run(
            copied, tokenizer, method, forget, retain if method.retain_weight or method.dual else [],
            UnlearnSettings.model_validate(given), PROMPTS, 0, Controls(utility=forget), checkpoints,
            lambda model, step, _last: seen.setdefault(step, look(model)), progress,
        )  # fmt: skip
        unlearn(run)
        return copied, seen

    return start


class KilledError(Exception):
    """Stands for the end of the process."""


def without_adapter(model, look):
    """Return what is seen of a model whose adapter is switched off, if it has one."""
    layers = [module for module in model.modules() if isinstance(module, BaseTunerLayer)]
    for layer in layers:
        layer.enable_adapters(False)
    found = look(model)
    for layer in layers:
        layer.enable_adapters(True)
    return bool(layers), found


class TestRuns:
    @pytest.mark.parametrize("kind", sample(WITH_LOSS, 9))
    @pytest.mark.parametrize(("model", "scheme"), [("gpt2", "nf4"), ("llama", "int8")], indirect=True)
    def test_every_method_trains_the_adapter_alone_and_off_it_is_the_reference(
        self, kind, run, model, scheme, score
    ):
        """Whatever the method does, between steps as well: nothing but the adapter moves."""

        def look(model):
            return score(model), without_adapter(model, score)

        ended, seen = run(kind, look, scheme)
        start, (during, (has_adapter, off)) = score(packed(model, scheme)), seen[1]
        assert has_adapter
        assert seen[0][0] == start == off
        assert during != start
        assert seen[2][0] == score(ended) != start
        assert not seen[2][1][0]  # it was merged
        before, after = plain(model, scheme).state_dict(), ended.state_dict()
        assert list(after) == list(before)
        linear = {f"{n}.weight" for n, m in packed(model, scheme).named_modules() if isinstance(m, ROOMS)}
        differing = {name for name in after if not torch.equal(after[name], before[name])}
        assert differing and differing <= linear

    @pytest.mark.parametrize("settings", [{"gradient_checkpointing": True}, {"micro_batch": 2}], ids=str)
    def test_what_saves_memory_comes_to_the_same(self, settings, run, score):
        (_, seen), (_, other) = (run("npo", score, steps=3, **given) for given in ({}, settings))
        assert seen[3] == pytest.approx(other[3], rel=1e-3)
        assert seen[3] != pytest.approx(seen[0], rel=1e-2)

    @pytest.mark.full
    def test_killed_at_any_step_it_ends_as_if_it_had_not_been(self, run, scheme, tmp_path):
        whole, _ = run("npo", scheme=scheme, steps=5)
        for killed_at in (3, 4):
            kept = Checkpoints(tmp_path / str(killed_at), 2)
            with pytest.raises(KilledError):
                run("npo", scheme=scheme, steps=5, killed_at=killed_at, checkpoints=kept)
            again, seen = run("npo", scheme=scheme, steps=5, checkpoints=kept)
            assert 0 not in seen
            weights = again.state_dict()
            assert all(torch.equal(weights[name], w) for name, w in whole.state_dict().items())

    def test_what_is_kept_loads_as_plain_weights_and_scores_as_last_judged(
        self, run, scheme, score, tokenizer, tmp_path
    ):
        ended, seen = run("simnpo", score, scheme)
        save_model(ended, tokenizer, tmp_path)
        found = load_model(tmp_path)
        assert not any(isinstance(module, ROOMS) for module in found.modules())
        assert score(found) == pytest.approx(seen[2], rel=1e-6)

    def test_a_run_that_costs_too_much_goes_back_to_the_rounded_start(self, run, model, scheme):
        ended, seen = run("ga", scheme=scheme, stopping={"utility_drop": 0.01})
        assert list(seen) == [0]
        before, after = plain(model, scheme).state_dict(), ended.state_dict()
        assert all(torch.equal(after[name], before[name]) for name in before)
