"""Estimated peak memory of a step that loads a model, as arithmetic.

A process holds the most either in a training step (weights, gradients, two moments, activations of a batch
and logits at its answers) or when it judges the model (weights, moments, keys and values of the texts that
it writes, logits at answers). Beside both stand the libraries, the base model that later runs copy, and the
facts. Bytes are those of float32 unless weights are kept in few bits. Measured against real processes by
``benchmarks/memory.py``.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, Self

from unequal.errors import DataError
from unequal.files import read_json
from unequal.models.shapes import Shape
from unequal.unlearning.method import Method
from unequal.unlearning.settings import UnlearnSettings

LIBRARIES = 0.48e9
"""Of a process that has loaded torch, transformers and the rest."""
JUDGE = 0.15e9
"""What judging adds to it: facts and probes, their rows and tables, kernels for inputs of many shapes."""
PEFT, BITSANDBYTES = 0.05e9, 0.05e9
"""What the libraries of adapters and of few bits add."""
FLOAT = 4
BITS = {"int8": 1.0, "nf4": 0.5 + FLOAT / 64}
"""Bytes of a weight, the scale of a block of 64 included."""
ROW = 16
"""Tokens of a question with its answer."""
ANSWER = 4
"""Of these, the ones that are scored: an answer and its end."""
KEPT, KEPT_PLAIN = 25, {"gpt_neox": 15, "gpt2": 15}
"""Numbers that a layer keeps of a token for the backward pass, in widths, with a gated MLP and without."""
CHOSEN, WHOLE = 2, 5
"""Copies of logits that a step holds for the tokens of answers, and for whole distributions."""
PASSED = 8
"""Numbers that a layer needs of a token at once where nothing is kept, in widths."""
JUDGED_TOKENS = 4096
"""Of a forward pass that judges answers."""
JUDGED_ANSWERS = 0.1
"""Of these, the share at which logits are worked out."""
TEXTS, TEXT = 256, 16
"""Texts that are written at once, and their tokens."""


class ModelSize(NamedTuple):
    """What memory depends on of a decoder."""

    n_weights: int
    width: int
    layers: int
    vocabulary: int
    kept: int = KEPT

    @classmethod
    def of_shape(cls, shape: Shape, vocabulary: int, family: str) -> Self:
        """Return the size of a model of scratch."""
        return cls(shape.n_weights(vocabulary), shape.width, shape.layers, vocabulary, _kept(family))

    @classmethod
    def of_weights(cls, n_weights: int, vocabulary: int = 50_000) -> Self:
        """Return the size of a model of which no more is known: published ones are 128 as wide as deep."""
        width = max(64, round((n_weights * 128 / 12) ** (1 / 3)))
        return cls(n_weights, width, max(1, round(width / 128)), vocabulary)

    @classmethod
    def of_folder(cls, folder: Path, n_weights: int) -> Self:
        """Return the size of a model in a folder, guessed where its configuration does not tell it."""
        guess = cls.of_weights(n_weights)
        try:
            config = read_json(folder / "config.json")
        except (DataError, OSError):
            return guess
        if not isinstance(config, dict):
            return guess
        text = config.get("text_config")  # of a model of several parts
        told = {**config, **(text if isinstance(text, dict) else {})}
        return cls(
            n_weights,
            _first(told, ("hidden_size", "n_embd", "d_model"), guess.width),
            _first(told, ("num_hidden_layers", "n_layer", "n_layers"), guess.layers),
            _first(told, ("vocab_size",), guess.vocabulary),
            _kept(told.get("model_type")),
        )

    @property
    def n_linear(self) -> int:
        """Weights of linear layers but the head, which are those that can be kept in few bits."""
        ends = self.vocabulary * self.width
        return max(0, self.n_weights - ends * (2 if self.n_weights > 2 * ends + 12 * self.width**2 else 1))

    def loaded(self, quantise: str | None = None) -> float:
        """Return the bytes of the weights."""
        if quantise is None:
            return FLOAT * self.n_weights
        return FLOAT * (self.n_weights - self.n_linear) + BITS[quantise] * self.n_linear

    def n_adapter(self, rank: int) -> int:
        """Return the weights of an adapter at all linear layers."""
        return 18 * self.width * self.layers * rank


def judging(size: ModelSize) -> float:
    """Return the bytes that judging takes besides the weights and the libraries of training."""
    answers: float = JUDGED_TOKENS * PASSED * size.width * FLOAT
    answers += (JUDGED_ANSWERS * JUDGED_TOKENS + 192) * size.vocabulary * FLOAT
    texts = TEXTS * (TEXT * 2 * size.layers * size.width + 2 * size.vocabulary) * FLOAT
    return JUDGE + max(answers, texts)


def step_of_training(
    size: ModelSize, tokens: float, scored: float, twice: bool = False, copies: int = 1
) -> float:
    """Return the bytes of activations and of ``copies`` of the logits where they are scored."""
    kept = size.kept + size.layers if twice else size.kept * size.layers
    return FLOAT * (tokens * kept * size.width + copies * scored * size.vocabulary)


def of_pretraining(size: ModelSize, tokens: int) -> float:
    """Return the peak of pre-training with so many tokens a forward pass, in gigabytes."""
    state = 4 * size.loaded()
    return (LIBRARIES + state + step_of_training(size, tokens, tokens, copies=3)) / 1e9


def of_judging(size: ModelSize, quantise: str | None, attacked: bool) -> float:
    """Return the peak of a baseline, in gigabytes: the base, the copy that is judged, and attacks on it."""
    attacks = 4 * size.loaded() if attacked else 0.0
    libraries = LIBRARIES + (BITSANDBYTES if quantise else 0.0)
    return (libraries + 2 * size.loaded(quantise) + judging(size) + attacks) / 1e9


def of_unlearning(size: ModelSize, method: Method, settings: UnlearnSettings, attacked: bool) -> float:
    """Return the peak of an unlearning run, in gigabytes."""
    base, own = size.loaded(settings.quantise), size.loaded(settings.quantise)
    n_trained = size.n_adapter(settings.adapter.rank) if settings.adapter else size.n_weights
    own += FLOAT * n_trained if settings.adapter else 0
    moments, gradients = 2 * FLOAT * n_trained, FLOAT * n_trained
    kept = own if settings.stopping.goes_back else 0.0
    training = own + moments + gradients + _batch(size, method, settings)
    judged = (size.loaded() if settings.quantise else own) + moments + judging(size)  # merged by then
    attacks = 5 * size.loaded() + judging(size) if attacked else 0.0
    reinforced = 4 * size.loaded() if "reinforced" in method.needs else 0.0
    libraries = LIBRARIES + (PEFT if settings.adapter else 0.0) + (BITSANDBYTES if settings.quantise else 0.0)
    return (libraries + base + kept + max(training, judged, attacks, own + reinforced)) / 1e9


def _batch(size: ModelSize, method: Method, settings: UnlearnSettings) -> float:
    """Return the bytes of a forward pass over what is forgotten and retained."""
    per_pass = min(settings.batch_size, settings.micro_batch or settings.batch_size)
    others = len(method.needs & {"refusal", "alternative"})
    rows = per_pass * (1 + bool(method.retain_weight or method.dual) + others)
    whole = bool(method.whole) or method.retain_loss in ("kl", "jsd")
    return step_of_training(
        size, rows * ROW, rows * ANSWER, settings.gradient_checkpointing, copies=WHOLE if whole else CHOSEN
    )


def _kept(family: object) -> int:
    return KEPT_PLAIN.get(family, KEPT) if isinstance(family, str) else KEPT


def _first(values: Mapping[str, Any], names: tuple[str, ...], otherwise: int) -> int:
    return next((int(values[name]) for name in names if isinstance(values.get(name), int)), otherwise)
