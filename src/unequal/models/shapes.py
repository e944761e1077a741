"""Model sizes by name: width, layers and heads, the same for every family."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from pydantic import Field, model_validator

from unequal.errors import ConfigError, did_you_mean
from unequal.models import FAMILIES
from unequal.oom import free_memory
from unequal.strict import StrictModel

if TYPE_CHECKING:
    from transformers import PreTrainedConfig

Family = Callable[["Shape", "Vocabulary"], "PreTrainedConfig"]


class Shape(StrictModel):
    """The shape of a decoder: hidden width, number of layers, attention heads."""

    width: int = Field(ge=8, description="hidden width")
    layers: int = Field(ge=1, le=10_000, description="number of layers")
    heads: int = Field(ge=1, description="attention heads of a layer")

    def n_weights(self, vocabulary_size: int) -> int:
        """Return about how many parameters a decoder of this shape has, tied embeddings included."""
        return 12 * self.layers * self.width**2 + vocabulary_size * self.width

    @property
    def initial_std(self) -> float:
        """Standard deviation of initial parameters that keeps activations at unit scale at any width."""
        return float(self.width**-0.5)

    @model_validator(mode="after")
    def _divides(self) -> "Shape":
        if self.width % (2 * self.heads):
            raise ValueError(f"width {self.width} must be a multiple of twice the {self.heads} heads")
        return self


class Vocabulary(StrictModel):
    """Vocabulary size, window and special tokens that a model needs from its tokenizer and corpus."""

    size: int
    window_tokens: int
    end_token_id: int
    padding_token_id: int


# Small sizes are named by the parameters of their layers, 12 · layers · width²; embeddings are extra and
# depend on the vocabulary. Two wide layers learn facts in fewer tokens than four narrow ones at equal cost
# (docs/research-log.md). The last four are shapes with about the parameter counts of the GPT-2 models of
# Krishnan et al. (2025), embeddings of a 50k vocabulary included.
SIZES = {
    "0.1M": Shape(width=64, layers=2, heads=4),
    "0.2M": Shape(width=96, layers=2, heads=4),
    "0.4M": Shape(width=128, layers=2, heads=4),
    "0.6M": Shape(width=160, layers=2, heads=5),
    "0.9M": Shape(width=192, layers=2, heads=6),
    "1.8M": Shape(width=192, layers=4, heads=6),
    "3M": Shape(width=256, layers=4, heads=8),
    "11M": Shape(width=384, layers=6, heads=6),
    "20M": Shape(width=256, layers=8, heads=8),
    "50M": Shape(width=512, layers=8, heads=8),
    "124M": Shape(width=768, layers=12, heads=12),
    "204M": Shape(width=896, layers=16, heads=14),
}


class ModelSettings(StrictModel):
    """A model trained from scratch: its family, and a named size or a shape of one's own."""

    family: str = Field(description="model family; see: unequal list families")
    size: str = Field(description="named size, such as 0.4M (parameters without embeddings)")
    shape: Shape | None = Field(default=None, description="overrides what the name of the size stands for")

    @model_validator(mode="after")
    def _known(self) -> "ModelSettings":
        if self.family not in FAMILIES:
            hint = did_you_mean(self.family, FAMILIES)
            raise ValueError(f"unknown family '{self.family}'{hint} (known: {', '.join(FAMILIES)})")
        if self.shape is None and self.size not in SIZES:
            hint = did_you_mean(self.size, SIZES)
            known = ", ".join(SIZES)
            raise ValueError(f"unknown size '{self.size}'{hint} (known: {known}; or give a shape)")
        return self

    def require_memory(self, vocabulary_size: int) -> None:
        """Raise `ConfigError` when the parameters alone take more than the free memory."""
        n_weights = self.build_shape().n_weights(vocabulary_size)
        needed, free = 4 * n_weights / 1e9, free_memory() / 1e9
        if needed > free:
            raise ConfigError(
                f"a model of this shape and a vocabulary of {vocabulary_size} tokens has {n_weights}"
                f" weights, which take {needed:.0f} GB, and {free:.0f} GB of memory are free; take a smaller"
                " size or vocabulary"
            )

    def build_shape(self) -> Shape:
        """Return the shape that the settings name."""
        return self.shape or SIZES[self.size]
