"""Every family is made from a seed and a shape, weighs what its size says, and comes back the same."""

import pytest
import torch
from pydantic import ValidationError
from transformers import AutoModelForCausalLM

from gate import of_families
from tiny_world import vocabulary_of
from unequal.models import FAMILIES
from unequal.models.load import load_model, scratch_model
from unequal.models.shapes import SIZES, ModelSettings, Shape, Vocabulary
from unequal.scoring.logits import logits_at

VOCABULARY = Vocabulary(size=50, window_tokens=24, end_token_id=0, padding_token_id=1)
SHAPE = Shape(width=32, layers=2, heads=4)
STATE_SPACES = {"mamba": 24, "mamba2": 28}  # their widths; two such blocks have the weights of one layer
EXPERTS = ("mixtral", "olmoe", "qwen3_moe")


def made(family, seed=0):
    return scratch_model(ModelSettings(family=family, size="tiny", shape=SHAPE), VOCABULARY, seed)


def ids():
    return torch.randint(2, 50, (4, 24), generator=torch.Generator().manual_seed(3))


@pytest.mark.parametrize("family", of_families(FAMILIES, "gpt2", "llama"))
class TestFamily:
    def test_logits_are_finite_and_nearly_uniform_at_first(self, family):
        model = made(family).eval()
        with torch.no_grad():
            out = model(input_ids=ids(), labels=ids())
        assert out.logits.shape == (4, 24, 50)
        assert abs(out.loss.item() - torch.tensor(50.0).log().item()) < 1.0

    def test_a_saved_model_comes_back_with_the_same_logits(self, family, tmp_path):
        model = made(family).eval()
        model.save_pretrained(tmp_path)
        with torch.no_grad():
            expected = model(input_ids=ids()).logits
            assert torch.equal(load_model(tmp_path)(input_ids=ids()).logits, expected)
            plain = AutoModelForCausalLM.from_pretrained(tmp_path).eval()
            torch.testing.assert_close(plain(input_ids=ids()).logits, expected, rtol=1e-4, atol=1e-4)

    def test_weights_depend_on_the_seed_alone(self, family):
        torch.manual_seed(11)
        before = torch.get_rng_state()
        first = made(family, seed=1).state_dict()
        assert torch.equal(torch.get_rng_state(), before)
        again, other = made(family, seed=1).state_dict(), made(family, seed=2).state_dict()
        assert all(torch.equal(first[name], again[name]) for name in first)
        assert not all(torch.equal(first[name], other[name]) for name in first)

    def test_the_configuration_follows_the_shape_and_the_vocabulary(self, family):
        config = FAMILIES.get(family)(SHAPE, VOCABULARY)
        assert (config.vocab_size, config.eos_token_id, config.pad_token_id) == (50, 0, 1)
        if family in STATE_SPACES:
            assert (config.hidden_size, config.num_hidden_layers) == (STATE_SPACES[family], 4)
        else:
            assert (config.hidden_size, config.num_hidden_layers, config.num_attention_heads) == (32, 2, 4)
            assert config.max_position_embeddings == 24

    def test_embeddings_are_tied(self, family, tmp_path):
        made(family).save_pretrained(tmp_path)
        for model in (made(family), load_model(tmp_path)):
            assert model.get_output_embeddings().weight is model.get_input_embeddings().weight

    def test_logits_at_places_are_the_models_own_and_no_others_are_worked_out(self, family):
        model = made(family).eval()
        rows, places, read = torch.tensor([0, 0, 3, 2]), torch.tensor([0, 23, 5, 11]), []
        head = model.get_output_embeddings()
        with torch.no_grad():
            expected = model(input_ids=ids()).logits[rows, places]
            head.register_forward_hook(lambda _head, inputs, _logits: read.append(inputs[0].shape[:-1]))
            torch.testing.assert_close(logits_at(model, ids(), rows, places), expected)
        assert read[-1] == (4,)

    def test_training_has_no_dropout(self, family):
        model = made(family).train()
        with torch.no_grad():
            assert torch.equal(model(input_ids=ids()).logits, model(input_ids=ids()).logits)

    def test_a_named_size_has_about_the_layer_weights_of_its_name(self, family):
        for name in ("0.4M", "1.8M", "3M"):
            with torch.device("meta"):
                model = AutoModelForCausalLM.from_config(FAMILIES.get(family)(SIZES[name], VOCABULARY))
            positions = sum(weight.numel() for n, weight in model.named_parameters() if "wpe" in n)
            embeddings = model.get_input_embeddings().weight.numel() + positions
            layers = sum(weight.numel() for weight in model.parameters()) - embeddings
            assert layers / 1e6 == pytest.approx(float(name[:-1]), rel=0.1)

    def test_every_size_is_a_shape_that_the_family_can_take(self, family):
        for name, shape in SIZES.items():
            assert ModelSettings(family=family, size=name).build_shape() == shape
            with torch.device("meta"):
                model = AutoModelForCausalLM.from_config(FAMILIES.get(family)(shape, VOCABULARY))
            wanted = 12 * shape.layers * shape.width**2
            assert model.num_parameters() - 50 * shape.width == pytest.approx(wanted, rel=0.13), name


@pytest.mark.parametrize("family", EXPERTS)
def test_every_expert_is_used_and_a_token_passes_through_two_of_eight(family):
    model = made(family)
    assert (model.config.num_local_experts, model.config.num_experts_per_tok) == (8, 2)
    model(input_ids=ids(), labels=ids()).loss.backward()
    gradients = [weight.grad for name, weight in model.named_parameters() if "experts" in name]
    assert [len(gradient) for gradient in gradients] == [8] * 4
    assert all((gradient.flatten(1) != 0).any(1).all() for gradient in gradients)


@pytest.mark.parametrize("family", of_families(FAMILIES, "gpt2", "llama"))
def test_heads_too_narrow_for_a_usual_part_of_a_family_still_make_a_model(family):
    narrow = ModelSettings(family=family, size="narrow", shape=Shape(width=24, layers=1, heads=2))
    with torch.no_grad():
        assert torch.isfinite(scratch_model(narrow, VOCABULARY, 0)(input_ids=ids()).logits).all()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"family": "gpt", "size": "3M"}, "unknown family 'gpt'; did you mean 'gpt2'"),
        ({"family": "gpt2", "size": "0.04M"}, "unknown size '0.04M'; did you mean '0.4M'"),
        (
            {"family": "gpt2", "size": "x", "shape": {"width": 30, "layers": 1, "heads": 4}},
            "multiple of twice",
        ),
        ({"family": "gpt2", "size": "3M", "width": 3}, "Extra inputs"),
    ],
)
def test_wrong_settings_are_refused(settings, message):
    with pytest.raises(ValidationError, match=message):
        ModelSettings.model_validate(settings)


def test_a_model_fits_the_corpus_it_is_made_for(corpus, model):
    assert model.get_input_embeddings().num_embeddings == vocabulary_of(corpus).size
