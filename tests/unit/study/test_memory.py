"""Estimates of memory: what each setting saves, what a configuration tells, and a model of seven billion."""

import json

import pytest

from unequal.models.shapes import Shape
from unequal.study.memory_estimate import ModelSize, of_judging, of_pretraining, of_unlearning
from unequal.unlearning.methods import METHODS
from unequal.unlearning.settings import UnlearnSettings

SEVEN = ModelSize(n_weights=6_888_095_744, width=4096, layers=32, vocabulary=50_304)
SMALL = ModelSize.of_shape(Shape(width=256, layers=8, heads=8), 50_000, "llama")
ADAPTER = {"adapter": {"rank": 16}}


def unlearning(size=SEVEN, kind="npo", attacked=False, retain_weight=None, **settings):
    own = {} if retain_weight is None else {"retain_weight": retain_weight}
    method = METHODS.get(kind).model_validate({"kind": kind, **own})
    return of_unlearning(size, method, UnlearnSettings.model_validate(settings), attacked)


def test_all_weights_of_seven_billion_in_float32_are_20_bytes_each_and_a_batch():
    """The base that is copied, its copy, gradients and two moments: 5 × 4 bytes."""
    states = 20 * SEVEN.n_weights / 1e9
    assert states < unlearning() < states + 16
    assert unlearning(micro_batch=1) == pytest.approx(states, rel=0.05)


@pytest.mark.parametrize(
    ("less", "more"),
    [
        (ADAPTER, {}),
        ({"micro_batch": 4}, {}),
        ({"gradient_checkpointing": True}, {}),
        ({}, {"stopping": {"utility_drop": 0.1}}),
    ],
    ids=str,
)
def test_settings_that_save_memory_do_so(less, more):
    assert unlearning(**less) < unlearning(**more)


def test_rounded_bases_take_the_bytes_of_their_bits():
    full, int8, nf4 = (SEVEN.loaded(scheme) for scheme in (None, "int8", "nf4"))
    assert full == 4 * SEVEN.n_weights
    assert SEVEN.n_linear == pytest.approx(SEVEN.n_weights - 2 * 50_304 * 4096)
    assert full - int8 == 3 * SEVEN.n_linear
    assert full - nf4 == pytest.approx((4 - 0.5625) * SEVEN.n_linear)
    assert of_judging(SEVEN, "nf4", attacked=False) < of_judging(SEVEN, "int8", attacked=False)
    # at the end the weights are plain ones
    assert unlearning(**ADAPTER, quantise="nf4") > 4 * SEVEN.n_weights / 1e9


def test_what_methods_keep_is_counted():
    alone = {"retain_weight": 0.0, "batch_size": 256}  # so that a step takes more than judging
    assert unlearning(SMALL, "idk", **alone) > unlearning(SMALL, "ga", **alone)  # refusals beside answers
    assert unlearning(SMALL, "undial", **alone) > unlearning(SMALL, "ga", **alone)  # whole distributions
    assert unlearning(SMALL, "ga", retain_weight=1.0, batch_size=256) > unlearning(SMALL, "ga", **alone)
    assert unlearning(SEVEN, "whp", **ADAPTER) > unlearning(SEVEN, "npo", **ADAPTER) + 60  # a trained copy
    assert unlearning(SMALL, "npo", attacked=True, **ADAPTER) > unlearning(SMALL, "npo", **ADAPTER)


def test_a_vocabulary_and_a_batch_are_paid_in_logits():
    few, many = (
        ModelSize.of_shape(Shape(width=64, layers=2, heads=2), size, "llama") for size in (500, 50_000)
    )
    assert of_pretraining(many, 1024) - of_pretraining(few, 1024) > 3 * 4 * 1024 * 49_500 / 1e9
    assert of_pretraining(many, 4096) > of_pretraining(many, 1024)
    assert of_judging(many, None, attacked=False) > of_judging(few, None, attacked=False)


@pytest.mark.parametrize(
    "config",
    [
        {"n_embd": 48, "n_layer": 3, "vocab_size": 700},
        {"hidden_size": 48, "num_hidden_layers": 3, "vocab_size": 700},
        {"d_model": 48, "n_layers": 3, "vocab_size": 700},
        {"model_type": "two", "text_config": {"hidden_size": 48, "num_hidden_layers": 3, "vocab_size": 700}},
    ],
    ids=str,
)
def test_a_configuration_tells_the_size(config, tmp_path):
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert ModelSize.of_folder(tmp_path, 1000) == ModelSize(1000, 48, 3, 700)


@pytest.mark.parametrize("text", [None, "{}", '{"vocab_size": "many"}', "[]", "broken"])
def test_what_it_does_not_tell_is_guessed(text, tmp_path):
    if text is not None:
        (tmp_path / "config.json").write_text(text)
    assert ModelSize.of_folder(tmp_path, SEVEN.n_weights) == ModelSize.of_weights(SEVEN.n_weights)


def test_a_plain_mlp_keeps_less_than_a_gated_one(tmp_path):
    shape = Shape(width=256, layers=8, heads=8)
    sizes = [ModelSize.of_shape(shape, 500, family) for family in ("gpt2", "gpt_neox", "llama")]
    again, plain, gated = (of_pretraining(size, 1024) for size in sizes)
    assert again == plain < gated
    (tmp_path / "config.json").write_text('{"model_type": "gpt_neox"}')
    assert ModelSize.of_folder(tmp_path, 1000).kept == sizes[1].kept


def test_a_guess_is_near_what_published_models_are():
    guess = ModelSize.of_weights(SEVEN.n_weights)
    assert guess.width == pytest.approx(SEVEN.width, rel=0.05)
    assert guess.layers == pytest.approx(SEVEN.layers, abs=2)
